"""LeNet has parameters of the known shapes and scales, and the logits of plain loops."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import loops_lenet
import numpy as np
import pytest
from checks import assert_close, run

from jaxcnn import lenet

KEY = jax.random.key(0)
SHAPES = {
    "conv1": {"kernel": (6, 1, 5, 5), "bias": (6,)},
    "conv2": {"kernel": (16, 6, 5, 5), "bias": (16,)},
    "dense1": {"kernel": (400, 120), "bias": (120,)},
    "dense2": {"kernel": (120, 84), "bias": (84,)},
    "dense3": {"kernel": (84, 10), "bias": (10,)},
}
ACTIVATIONS = {"sigmoid": (jax.nn.sigmoid, loops_lenet.sigmoid), "relu": (jax.nn.relu, loops_lenet.relu)}


def drawn(**options):
    """Random parameters, with biases that are not zero."""
    rng, shapes = np.random.default_rng(0), jax.eval_shape(partial(lenet.init, **options), KEY)
    return jax.tree.map(lambda leaf: rng.normal(0, 0.1, leaf.shape).astype(leaf.dtype), shapes)


def random_images(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def loops(params, images, activation=loops_lenet.sigmoid, mode="mean"):
    params = jax.tree.map(np.float64, params)
    return loops_lenet.lenet(params, images, activation, mode)[0]


def test_names_shapes_and_the_well_known_number_of_parameters():
    params = jax.eval_shape(lenet.init, KEY)
    assert jax.tree.map(jnp.shape, params) == SHAPES
    assert list(params) == list(SHAPES)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 61706
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(("spatial", "tap_count"), [((28, 28), 25), ((12, 12, 12), 125)])
def test_default_kernels_are_lecun_normal_and_biases_zero(spatial, tap_count):
    """The standard deviation is 1 / sqrt(fan in), from enough draws to tell fan in from fan out."""
    params = run(jax.vmap(partial(lenet.init, spatial=spatial, hidden=(40, 30))), jax.random.split(KEY, 64))
    for name, layer in params.items():
        ins = layer["kernel"].shape[2 if name.startswith("conv") else 1]
        fan_in = ins * (tap_count if name.startswith("conv") else 1)
        kernel = np.asarray(layer["kernel"])
        assert kernel.std() == pytest.approx(fan_in**-0.5, rel=0.03)
        assert kernel.mean() == pytest.approx(0, abs=0.1 * fan_in**-0.5)
        assert not np.asarray(layer["bias"]).any()


def test_no_two_layers_share_their_random_numbers():
    """Each initializer is called with a key of its own."""
    keys = []

    def noted(key, shape, dtype):
        keys.append(tuple(jax.random.key_data(key).tolist()))
        return np.zeros(shape, dtype)

    lenet.init(KEY, kernel_init=noted, bias_init=noted)
    assert len(set(keys)) == len(keys) == 10


def test_initializers_are_passed_in():
    initializers = {"kernel_init": jax.nn.initializers.constant(2.0), "bias_init": jax.nn.initializers.ones}
    for layer in run(lenet.init, KEY, **initializers).values():
        assert (np.asarray(layer["kernel"]) == 2).all()
        assert (np.asarray(layer["bias"]) == 1).all()
    half = jax.eval_shape(partial(lenet.init, dtype=jnp.bfloat16), KEY)
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype("bfloat16")}


def test_without_dense_bias():
    params = jax.eval_shape(partial(lenet.init, dense_bias=False), KEY)
    assert {name for name, layer in params.items() if "bias" in layer} == {"conv1", "conv2"}


def test_a_layer_without_bias_adds_none():
    params, images = drawn(), random_images(2, 1, 28, 28)
    without = {name: {"kernel": layer["kernel"]} for name, layer in params.items()}
    zeros = {name: layer | {"bias": np.zeros_like(layer["bias"])} for name, layer in params.items()}
    assert_close(run(lenet.apply, without, images), loops(zeros, images))


def test_logits_equal_loops():
    params, images = drawn(), random_images(2, 1, 28, 28)
    pairs = list(itertools.product(ACTIVATIONS, ["mean", "max"]))
    every = lambda *args: {
        (name, mode): lenet.apply(*args, activation=ACTIVATIONS[name][0], pool_mode=mode) for name, mode in pairs
    }
    oracles = {(name, mode): loops(params, images, ACTIVATIONS[name][1], mode) for name, mode in pairs}
    assert_close(run(every, params, images), oracles)


def test_one_image_is_a_batch_of_one():
    params, images = drawn(), random_images(1, 1, 28, 28)
    assert_close(run(lenet.apply, params, images[0]), loops(params, images)[0])


def test_no_images_have_no_logits():
    assert run(lenet.apply, drawn(), np.zeros((0, 1, 28, 28), np.float32)).shape == (0, 10)


@pytest.mark.parametrize(("spatial", "channels", "classes"), [((20, 16), 3, 7), ((12, 16, 12), 2, 3), ((32,), 1, 2)])
def test_other_images_and_ranks(spatial, channels, classes):
    params = drawn(spatial=spatial, channels=channels, classes=classes)
    images = random_images(2, channels, *spatial)
    logits = run(lenet.apply, params, images)
    assert logits.shape == (2, classes)
    assert_close(logits, loops(params, images))
