"""Run directories as training leaves them, without training; and training for as long as it takes to learn."""

import json
from contextlib import contextmanager
from unittest import mock

import jax
import numpy as np
import pytest

from jaxcnn.train import make_step, training
from jaxcnn.train.model import initial_params

DIGITS = tuple("0123456789")

# Orbax reads arrays side by side. The first one that is damaged ends the reading, and the others find their event loop
# closed: Python says so on stderr, now or in a later test.
late_reads_are_ignored = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. None[\s\S]*Event loop is closed:pytest.PytestUnraisableExceptionWarning"
)


def random_params(config, image, classes=10):
    """Parameters of the shapes and dtypes of those that training begins with, drawn by NumPy."""
    random = np.random.default_rng(0)

    def drawn(leaf):
        return (random.standard_normal(leaf.shape, np.float32) / leaf.shape[0] ** 0.5).astype(leaf.dtype)

    return jax.tree.map(drawn, jax.eval_shape(lambda: initial_params(config, image, classes)))


def write_run(path, config, *, image=(1, 28, 28), classes=DIGITS):
    """A run directory as if training had ended at random parameters, and these."""
    params = random_params(config, image, len(classes))
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config.to_json())
    (path / "data.json").write_text(json.dumps({"image": image, "classes": classes}))
    save_arrays(path / "params.npz", params)
    return path, params


def save_arrays(path, params):
    """params.npz, as training leaves it."""
    np.savez(path, **{f"{layer}/{name}": leaf for layer, arrays in params.items() for name, leaf in arrays.items()})


@contextmanager
def fast_steps():
    """What is trained inside this block compiles its step with optimization, for more than a handful of steps.

    LeNet's step on 100 images takes 0.7 s longer to compile so, and 20 ms instead of 140 (two CPU cores).
    """

    def make(*args, **options):
        level = {"xla_backend_optimization_level": 2}
        return jax.jit(make_step(*args, **options), donate_argnums=0, compiler_options=level)

    with mock.patch.object(training, "make_step", make):
        yield
