"""A Keras model on its JAX backend, as it is, has the outputs and gradients under `accelerate` that it has on lax."""

import os
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, at_least_1

import jaxcnn as jc

os.environ["KERAS_BACKEND"] = "jax"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Keras' own, on import
    import keras
    from keras import layers


@pytest.fixture(autouse=True)
def _keras_promotes():
    """Keras itself broadcasts biases and promotes dtypes."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def small_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((12, 10, 3)),
            layers.Conv2D(8, 3, 2, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("silu"),
            layers.SeparableConv2D(6, 3, padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Dropout(0.3),
            layers.Conv2DTranspose(4, 3, 2),
            layers.AveragePooling2D(3, 1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5),
        ]
    )


def test_outputs_state_and_gradients():
    model = small_model()
    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    images = np.random.default_rng(0).normal(size=(2, 12, 10, 3)).astype("float32")

    def loss(trained):
        y, state = model.stateless_call(trained, others, images, training=True)
        return jnp.sin(y).sum(), [leaf for leaf in state if jnp.issubdtype(leaf.dtype, jnp.floating)]

    gradient = jax.value_and_grad(loss, has_aux=True)
    accelerated = jc.accelerate(gradient), jax.value_and_grad(jc.accelerate(loss), has_aux=True)
    oracle, *ours = jax.jit(lambda trained: [f(trained) for f in (gradient, *accelerated)])(trained)
    for each in ours:
        assert_close(each, oracle, at_least_1(oracle))  # a bias before a normalisation has no gradient


def test_fit_on_an_accelerated_call():
    images, labels = np.random.default_rng(0).normal(size=(8, 12, 10, 3)).astype("float32"), np.arange(8) % 5
    losses = []
    for accelerated in (False, True):
        model = small_model()
        if accelerated:
            model.stateless_call = jc.accelerate(model.stateless_call)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses.append(model.fit(images, labels, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
