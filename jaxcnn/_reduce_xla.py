"""The maximum or minimum of windows by XLA's own reduction, for a value without a gradient where that is faster."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.lax import reduce_window  # bound now, since a user may put ours in its place later

from jaxcnn._geometry import Geometry


def reduce_by_xla(padded: jax.Array, g: Geometry, start: float, *, lowest: bool) -> jax.Array:
    """The largest or lowest cell of each window of padded maps of floats; `start` is the identity."""
    best = lax.min if lowest else lax.max
    lead = (1,) * (padded.ndim - g.n)
    y: jax.Array = reduce_window(
        padded, jnp.asarray(start, padded.dtype), best, (*lead, *g.window), (*lead, *g.stride), "VALID",
        window_dilation=(*lead, *g.dilation),
    )  # fmt: skip
    return y
