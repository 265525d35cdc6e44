"""Strictness for every test: nothing is broadcast, promoted or warned about in silence. And haste in compiling."""

import os
import random
import signal

import jax
import pytest
from checks import compile_in_haste
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

WORTH_KEEPING = "0.1"  # seconds of compilation


compile_in_haste()


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """What one run of the program compiled serves the next, in this process, its children and the other workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "compiled")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = WORTH_KEEPING
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(WORTH_KEEPING))


# A shell's background job ignores Ctrl-C, and so would the programs that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """One fresh seed for the whole run, which pytest-xdist's workers inherit; set it to have a run again."""
    os.environ.setdefault("JAXCNN_FUZZ_SEED", str(random.SystemRandom().randrange(2**31)))


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"fuzz: JAXCNN_FUZZ_SEED={os.environ['JAXCNN_FUZZ_SEED']}")
