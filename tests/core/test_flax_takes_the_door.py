"""A Flax model that takes `conv_general_dilated` as an argument has the outputs and gradients that it has on lax."""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close

import jaxcnn as jc

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # flax's own, on import
    from flax import linen, nnx

X = np.random.default_rng(0).normal(size=(2, 8, 7, 4)).astype("float32")
LAYERS = {
    "plain": {"features": 6, "kernel_size": (3, 3)},
    "strided": {"features": 6, "kernel_size": (3, 2), "strides": (2, 1), "padding": "VALID"},
    "grouped": {"features": 8, "kernel_size": (3, 3), "feature_group_count": 2},
    "depthwise": {"features": 8, "kernel_size": (3, 3), "feature_group_count": 4},
    "dilated": {"features": 6, "kernel_size": (3, 3), "kernel_dilation": 2},
    "spread": {"features": 6, "kernel_size": (3, 3), "input_dilation": (2, 1), "padding": ((1, 1), (0, 2))},
    "circular": {"features": 6, "kernel_size": (3, 3), "padding": "CIRCULAR"},
    "masked": {"features": 6, "kernel_size": (3, 3), "mask": np.tri(9).reshape(3, 3, 9)[:, :, :4, None].repeat(6, 3)},
}


@pytest.fixture(autouse=True)
def _flax_promotes():
    """Flax itself broadcasts biases and promotes dtypes."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


DOORS = {"lax": {}, "windows": {"conv_general_dilated": jc.conv_general_dilated}}


def assert_one_result(model, shapes):
    """model(door, params, x) and its gradients on lax and on windows, of random parameters of these shapes."""
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), shapes)

    @jax.jit
    def every(*args):
        results = {}
        for name, door in DOORS.items():
            value, pull = jax.vjp(partial(model, door), *args)
            results[name] = value, pull(jnp.cos(value))
        return results

    results = every(params, X)
    assert_close(results["windows"], results["lax"])


@pytest.mark.parametrize("name", LAYERS)
def test_linen(name):
    shapes = jax.eval_shape(linen.Conv(**LAYERS[name]).init, jax.random.key(0), X)
    assert_one_result(lambda door, params, x: linen.Conv(**LAYERS[name], **door).apply(params, x), shapes)


def test_nnx():
    """It calls the door as Linen does."""
    layer = lambda door: nnx.Conv(4, 8, (3, 3), feature_group_count=2, **door, rngs=nnx.Rngs(0))
    split = lambda door: nnx.split(nnx.eval_shape(partial(layer, door)))
    assert_one_result(lambda door, params, x: nnx.merge(split(door)[0], params)(x), split({})[1])
