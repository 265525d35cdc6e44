"""A Flax model that takes `conv_general_dilated` as an argument has the outputs and gradients that it has on lax."""

import warnings

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


@pytest.mark.parametrize("name", LAYERS)
def test_linen(name):
    params = linen.Conv(**LAYERS[name]).init(jax.random.key(0), X)

    @jax.jit
    def outputs_and_gradients(params, x):
        results = []
        for door in ({}, {"conv_general_dilated": jc.conv_general_dilated}):
            layer = linen.Conv(**LAYERS[name], **door)
            results.append(
                (
                    layer.apply(params, x),
                    jax.grad(lambda p, x, m=layer: jnp.sum(jnp.sin(m.apply(p, x))), (0, 1))(params, x),
                )
            )
        return results

    on_lax, on_windows = outputs_and_gradients(params, X)
    assert_close(on_windows, on_lax)


@pytest.mark.parametrize("name", LAYERS)
def test_nnx(name):
    options = {key: value for key, value in LAYERS[name].items() if key != "features"}
    results = []
    for door in ({}, {"conv_general_dilated": jc.conv_general_dilated}):
        layer = nnx.Conv(4, LAYERS[name]["features"], **options, **door, rngs=nnx.Rngs(0))
        gradients = nnx.grad(lambda layer, x: jnp.sum(jnp.sin(layer(x))), argnums=(0, 1))(layer, X)
        results.append((layer(X), jax.tree.leaves(gradients)))
    on_lax, on_windows = results
    assert_close(on_windows, on_lax)
