"""For every test: implicit broadcasts and promotions are errors, and programs are compiled quickly."""

import os
import random
import signal

import jax
import pytest
from checks import compile_quickly
from hypothesis import HealthCheck, settings

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Otherwise a GPU rounds the factors of float32 products to TF32; on a CPU this changes nothing.
jax.config.update("jax_default_matmul_precision", "highest")

# Each example costs a compilation: a few, the same on each run, without a deadline.
settings.register_profile(
    "compiled", deadline=None, max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("compiled")

WORTH_KEEPING = "0.1"  # seconds of compilation


compile_quickly()


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """Share compiled programs among this process, its children and the other workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "compiled")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = WORTH_KEEPING
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(WORTH_KEEPING))


# A shell's background job ignores Ctrl-C; without this the programs that the tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """One fresh seed for the whole run, which pytest-xdist's workers inherit; set it to repeat a run."""
    os.environ.setdefault("JAXCNN_FUZZ_SEED", str(random.SystemRandom().randrange(2**31)))


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"fuzz: JAXCNN_FUZZ_SEED={os.environ['JAXCNN_FUZZ_SEED']}")
