"""Each setting of the training program does what its help says: optimizers, schedules, augmentation, dtypes."""

import itertools
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from idx_files import contents, write
from runs import random_params
from scipy import ndimage

from jaxcnn.train import Config, InputError, load, run
from jaxcnn.train.augment import make_augment
from jaxcnn.train.data import hold_out_validation
from jaxcnn.train.loop import since_best
from jaxcnn.train.model import initial_params, make_apply, make_optimizer, make_schedule
from jaxcnn.train.saved import read_metrics

PARAMS = {"dense1": {"kernel": jnp.array([[3.0, -4.0]]), "bias": jnp.array([2.0])}}
GRADIENT = {"dense1": {"kernel": jnp.array([[30.0, 40.0]]), "bias": jnp.array([0.0])}}


@partial(jax.jit, static_argnums=0)
def first_update(optimizer):
    with jax.numpy_dtype_promotion("standard"):  # optax means to
        updates, _ = optimizer.update(GRADIENT, optimizer.init(PARAMS), PARAMS)
    return updates


def update(**settings):
    config = Config(**{"schedule": "constant", "learning_rate": 0.5, "optimizer": "sgd"} | settings)
    optimizer = make_optimizer(config, make_schedule(config, 10))
    return jax.tree.map(np.asarray, first_update(optimizer))["dense1"]


@pytest.mark.parametrize(("name", "second"), [("sgd", 1.0), ("momentum", 1.9)])
def test_momentum_keeps_nine_tenths_of_the_last_step(name, second):
    optimizer = make_optimizer(Config(schedule="constant", learning_rate=0.5, optimizer=name), lambda step: 0.5)
    state = optimizer.init(PARAMS)
    for gradients in (1.0, second):
        updates, state = optimizer.update(GRADIENT, state, PARAMS)
        np.testing.assert_allclose(updates["dense1"]["kernel"], -0.5 * gradients * np.array([[30.0, 40.0]]), rtol=1e-6)


def test_weight_decay_is_of_kernels_only():
    np.testing.assert_allclose(update(weight_decay=0.1)["kernel"], -0.5 * np.array([[30.3, 39.6]]), rtol=1e-6)
    assert update(weight_decay=0.1)["bias"] == 0


def test_adamw_decays_independently_of_the_gradient():
    plain, decayed = update(optimizer="adam"), update(optimizer="adamw", weight_decay=0.1)
    np.testing.assert_allclose(decayed["kernel"], plain["kernel"] - 0.5 * 0.1 * PARAMS["dense1"]["kernel"], rtol=1e-5)
    assert decayed["bias"] == plain["bias"]


def test_a_gradient_is_clipped_to_its_largest_norm():
    np.testing.assert_allclose(update(clip=5.0)["kernel"], -0.5 * np.array([[3.0, 4.0]]), rtol=1e-6)
    np.testing.assert_allclose(update(clip=500.0)["kernel"], -0.5 * np.array([[30.0, 40.0]]), rtol=1e-6)


def rates(rate, steps):
    """The learning rates of the first steps."""
    with jax.numpy_dtype_promotion("standard"):
        return jax.jit(jax.vmap(rate))(jnp.arange(steps))


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_rate_rises_in_the_warm_up_and_then_follows_its_schedule(schedule):
    rate = make_schedule(Config(schedule=schedule, learning_rate=0.8, warmup=4), 14)
    found = rates(rate, 14)
    np.testing.assert_allclose(found[:5], [0, 0.2, 0.4, 0.6, 0.8], rtol=1e-6)
    after = [0.8] * 10 if schedule == "constant" else [0.4 * (1 + np.cos(np.pi * i / 10)) for i in range(10)]
    np.testing.assert_allclose(found[4:], after, rtol=1e-5)


@pytest.mark.parametrize("spatial", [(6, 7), (4, 5, 6)])
def test_shifts_are_whole_cells_with_zeros_behind_them(spatial):
    images = jnp.asarray(np.random.default_rng(0).random((40, 2, *spatial), np.float32))
    moved = np.asarray(jax.jit(make_augment(2, 0.0))(jax.random.key(1), images))
    ways = list(itertools.product(range(-2, 3), repeat=len(spatial)))
    seen = set()
    for image, result in zip(np.asarray(images), moved, strict=True):
        found = [way for way in ways if np.allclose(ndimage.shift(image, (0, *way), order=0), result, atol=1e-6)]
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) > 10


@pytest.mark.parametrize("planes", [(), (3,)])
def test_rotations_are_of_the_plane_and_within_their_bound(planes):
    """Each plane is the image rotated by some angle within the bound, as SciPy rotates it."""
    image = ndimage.gaussian_filter(np.random.default_rng(0).random((15, 15)), 1).astype(np.float32)
    turned = jax.jit(make_augment(0, 20.0))(jax.random.key(0), jnp.broadcast_to(image, (12, 1, *planes, 15, 15)))
    turned = np.asarray(turned).reshape(-1, 15, 15)
    angles = np.linspace(-20, 20, 401)
    candidates = np.stack([ndimage.rotate(image, a, reshape=False, order=1, mode="constant") for a in angles])
    inside = slice(3, -3)  # at the border SciPy does not interpolate with the zeros outside
    errors = np.abs(turned[:, None, inside, inside] - candidates[None, :, inside, inside]).max((2, 3))
    assert errors.min(1).max() < 0.01
    assert np.ptp(angles[errors.argmin(1)]) > 10


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_parameters():
    config, image = Config(dtype="bfloat16"), (1, 16, 16)
    params, images = random_params(config, image), jnp.ones((3, *image)) / 3
    float32 = {jnp.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == float32

    @jax.jit
    def compute(params):
        narrow, pull = jax.vjp(lambda params: make_apply(config)(params, images), params)
        return narrow, make_apply(Config())(params, images), pull(jnp.ones_like(narrow))

    narrow, wide, (gradient,) = compute(params)
    assert narrow.dtype == jnp.float32
    difference = float(jnp.abs(narrow - wide).max())
    assert 0 < difference < 0.05 * float(jnp.abs(wide).max())
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == float32


def test_a_wider_network_has_more_maps():
    params = jax.eval_shape(lambda: initial_params(Config(width=3), (1, 28, 28), classes=5))
    assert {name: layer["kernel"].shape for name, layer in params.items()} == {
        "conv1": (18, 1, 5, 5), "conv2": (48, 18, 5, 5),
        "dense1": (1200, 360), "dense2": (360, 252), "dense3": (252, 5),
    }  # fmt: skip


def test_validation_images_are_held_out_and_none_is_lost(tmp_path):
    data = load(Config(data="mnist", data_dir=write(tmp_path, contents(counts=(30, 5)))))
    held_out = hold_out_validation(data, 7, seed=0)
    assert (len(held_out.train.targets), len(held_out.validation.targets), len(held_out.test.targets)) == (23, 7, 5)
    together = np.concatenate([held_out.train.images, held_out.validation.images]).sum((1, 2, 3))
    np.testing.assert_allclose(np.sort(together), np.sort(data.train.images.sum((1, 2, 3))))
    with pytest.raises(InputError, match=r"--validation 30: there are 30 training images: give fewer"):
        hold_out_validation(data, 30, seed=0)


def test_epochs_since_the_best_one():
    assert [since_best(losses) for losses in ([], [1.0], [1.0, 2.0], [2.0, 1.0], [1.0, 3.0, 1.0])] == [0, 0, 1, 0, 2]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    write(folder, contents(counts=(36, 8)))
    config = Config(data="mnist", data_dir=folder, epochs=2, batch_size=4, validation=8)
    return run(replace(config, run_dir=folder / "run", tensorboard=True, profile=folder / "trace"))


def test_every_step_and_every_epoch_is_on_record(recorded):
    records = read_metrics(recorded.directory)
    of_a_step = {"step", "epoch", "loss", "accuracy", "learning_rate", "seconds", "images_per_second"}
    steps = [record for record in records if "step" in record]
    assert all(record.keys() == of_a_step for record in steps)
    assert [record["step"] for record in steps] == list(range(14))
    expected = rates(make_schedule(Config(epochs=2, batch_size=4), 14), 14)
    np.testing.assert_allclose([record["learning_rate"] for record in steps], expected, rtol=1e-5)
    assert all(record["accuracy"] in (0, 0.25, 0.5, 0.75, 1) for record in steps)
    epochs = [record for record in records if "steps" in record]
    assert [(record["steps"], record["validation_count"], record["test_count"]) for record in epochs] == [
        (7, 8, 8),
        (14, 8, 8),
    ]


def test_tensorboard_has_the_same_numbers(recorded):
    from tensorboardX.proto.event_pb2 import Event

    (file,) = recorded.directory.glob("events.out.tfevents.*")
    content, losses = file.read_bytes(), []
    while content:  # length, its checksum, event, its checksum
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        losses += [value.simple_value for value in event.summary.value if value.tag == "train/loss"]
        content = content[16 + size :]
    on_record = [record["loss"] for record in read_metrics(recorded.directory) if "step" in record]
    np.testing.assert_allclose(losses, on_record, rtol=1e-6)


def test_a_trace_is_there_to_be_looked_at(recorded):
    traces = list((recorded.directory.parent / "trace").rglob("*.xplane.pb"))
    assert traces
    assert all(trace.stat().st_size for trace in traces)
