"""Strictness for every test: nothing is broadcast, promoted or warned about in silence."""

import jax
from hypothesis import HealthCheck, settings

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# On a GPU float32 products are otherwise rounded to tf32; on a CPU this changes nothing.
jax.config.update("jax_default_matmul_precision", "highest")

# An example costs a compilation, so there are few, the same ones on each run, and no clock.
settings.register_profile(
    "compiled", deadline=None, max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("compiled")
