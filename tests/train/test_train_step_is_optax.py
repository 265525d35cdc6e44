"""A step equals optax by hand for any optimizer; it donates the old state, and nothing else."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from jaxcnn.train import Split, cross_entropy, make_step, new_state

OPTIMIZERS = {
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": optax.adam(1e-2),
    "adamw with a schedule": optax.adamw(optax.cosine_decay_schedule(1e-2, 10)),
    "clipped": optax.chain(optax.clip_by_global_norm(0.1), optax.rmsprop(1e-2)),
    "holds the parameters itself": optax.contrib.schedule_free_sgd(0.1),
    "looks at the loss": optax.polyak_sgd(),
    "calls the loss": optax.lbfgs(),
}


def apply(params, images):
    return jnp.tanh(images @ params["kernel"]) + jnp.broadcast_to(params["bias"], (images.shape[0], 3))


def start():
    random = np.random.default_rng(0)
    params = {"kernel": random.standard_normal((4, 3)), "bias": np.zeros(3)}
    batch = Split(random.standard_normal((6, 4)), random.integers(3, size=6, dtype=np.int32))
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32 if a.dtype == float else a.dtype), (params, batch))


@pytest.mark.parametrize(
    ("name", "reduction"), [(name, "sum" if name == "momentum" else "mean") for name in OPTIMIZERS]
)
def test_three_steps_equal_optax_by_hand(name, reduction):
    optimizer = OPTIMIZERS[name]
    params, batch = start()
    state, losses = new_state(params, optimizer), []
    step = make_step(apply, optimizer, reduction=reduction)
    for _ in range(3):
        state, metrics = step(state, batch)
        losses.append(metrics["loss"])

    def objective(params):
        return cross_entropy(apply(params, batch.images), batch.targets, reduction=reduction)

    @jax.jit
    def by_hand(params, opt_state):
        loss, gradient = jax.value_and_grad(objective)(params)
        knows = {"value": loss, "grad": gradient, "value_fn": objective}
        updates, opt_state = optax.with_extra_args_support(optimizer).update(gradient, opt_state, params, **knows)
        return loss, optax.apply_updates(params, updates), opt_state

    opt_state, expected = optimizer.init(params), []
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(3):
            loss, params, opt_state = by_hand(params, opt_state)
            expected.append(loss)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for ours, theirs in zip(jax.tree.leaves(state.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert state.step == 3


@pytest.mark.parametrize("name", ["adam", "holds the parameters itself"])
def test_the_state_is_donated_and_nothing_else(name):
    params, batch = start()
    first = new_state(params, OPTIMIZERS[name])
    second, _ = make_step(apply, OPTIMIZERS[name])(first, batch)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(first.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, batch, second)))
    with pytest.raises((RuntimeError, ValueError), match=r"deleted|donated"):
        make_step(apply, OPTIMIZERS[name])(first, batch)


def test_one_compilation_serves_every_step_of_one_shape():
    params, batch = start()
    traces = SimpleNamespace(count=0)

    def counted(params, images):
        traces.count += 1
        return apply(params, images)

    step = make_step(counted, OPTIMIZERS["adam"])
    state = new_state(params, OPTIMIZERS["adam"])
    for _ in range(4):
        state, _ = step(state, batch)
    assert traces.count == 1


def test_measures_join_the_loss():
    params, batch = start()
    step = make_step(apply, OPTIMIZERS["sgd"], measure=lambda logits, batch: {"largest": logits.max()})
    _, metrics = step(new_state(params, OPTIMIZERS["sgd"]), batch)
    assert metrics.keys() == {"loss", "accuracy", "largest"}
    np.testing.assert_allclose(metrics["largest"], apply(params, batch.images).max(), rtol=1e-6)


@pytest.mark.parametrize("samples", [8, 10])
def test_blocks_of_samples_and_a_rest_change_nothing(samples, monkeypatch):
    """On a CPU a large batch is cut into blocks of 128 samples; here into blocks of 4."""
    rng = np.random.default_rng(0)
    params, _ = start()
    batch = Split(rng.normal(size=(samples, 4)).astype("float32"), rng.integers(0, 3, samples).astype("int32"))
    at_once = make_step(apply, OPTIMIZERS["sgd"])(new_state(params, OPTIMIZERS["sgd"]), batch)
    monkeypatch.setattr("jaxcnn.train.step.BLOCK_SAMPLES", 4)
    in_blocks = make_step(apply, OPTIMIZERS["sgd"])(new_state(params, OPTIMIZERS["sgd"]), batch)
    for one, other in zip(
        *(jax.tree.leaves((state.params, metrics)) for state, metrics in (at_once, in_blocks)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
