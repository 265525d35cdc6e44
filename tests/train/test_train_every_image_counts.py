"""Each image is in one batch of each epoch, and in every evaluation, the last partial batch included."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn.train import Config, Data, Split, fit, make_evaluate, make_step, new_state, preset
from jaxcnn.train.batches import batches, epoch_order
from jaxcnn.train.loop import make_plan
from jaxcnn.train.tracker import FROM_THE_START, Progress


def numbered(samples):
    """Images whose first pixel is the number of the sample."""
    return Split(jnp.arange(samples, dtype=jnp.float32)[:, None], jnp.arange(samples, dtype=jnp.int32) % 3)


@pytest.mark.parametrize(("samples", "size"), [(1, 1), (7, 3), (6, 3), (5, 9)])
def test_batches_partition_the_samples(samples, size):
    order = epoch_order(0, 0, samples)
    cut = list(batches(numbered(samples), size, order))
    assert [len(batch.targets) for batch in cut[:-1]] == [size] * (len(cut) - 1)
    seen = np.concatenate([batch.images[:, 0] for batch in cut])
    assert seen.tolist() == order.tolist()
    assert sorted(seen.tolist()) == list(range(samples))
    assert np.concatenate([batch.targets for batch in cut]).tolist() == (order % 3).tolist()


def test_an_order_belongs_to_its_seed_and_epoch():
    orders = {(seed, epoch): tuple(epoch_order(seed, epoch, 50)) for seed in range(4) for epoch in range(4)}
    assert len(set(orders.values())) == len(orders)
    assert orders[2, 3] == tuple(epoch_order(2, 3, 50))


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_evaluation_covers_every_image(batch_size):
    random = np.random.default_rng(0)
    logits = random.standard_normal((23, 3)).astype(np.float32)
    targets = random.integers(3, size=23, dtype=np.int32)
    result = make_evaluate(lambda params, x: x, batch_size=batch_size)(None, Split(logits, targets))
    assert result.count == 23
    assert result.correct == sum(row.argmax() == target for row, target in zip(logits, targets, strict=True))
    log_sums = np.log(np.exp(logits.astype(np.float64)).sum(axis=1))
    np.testing.assert_allclose(result.loss, (log_sums - logits[np.arange(23), targets]).mean(), rtol=1e-6)


def test_evaluation_counts_the_likeliest_class_of_soft_labels():
    rows = jnp.array([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
    result = make_evaluate(lambda params, x: x)(None, Split(jnp.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), rows))
    assert (result.correct, result.count) == (2, 3)


class Diary:
    """A watcher that keeps all reports."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def step(self, report):
        self.steps.append(report)

    def epoch(self, report):
        self.epochs.append(report)


OPTIMIZER = optax.sgd(1e-3)


def line(params, images):
    return images @ params


@cache
def step_of(loss):
    return make_step(line, OPTIMIZER, reduction=loss, measure=lambda logits, batch: {"seen": batch.images[:, 0]})


@cache
def evaluate():
    return make_evaluate(line, batch_size=3)


def train(config, samples=7, stop=lambda: False, start=FROM_THE_START):
    """Fit a line to numbered samples; returns which of them each step saw as well."""
    diary = Diary()
    state, test = fit(
        new_state(jnp.zeros((1, 3)), OPTIMIZER),
        Data(numbered(samples), None if config.data == "synthetic" else numbered(4)),
        config,
        step=step_of(config.loss),
        evaluate=evaluate(),
        rate=lambda step: 1e-3,
        watchers=[diary],
        stop=stop,
        start=start,
    )
    seen = [report.metrics["seen"].tolist() for report in diary.steps]
    return state, test, diary, seen


def test_every_epoch_sees_every_image_once_in_its_own_order():
    _, test, diary, seen = train(Config(epochs=3, batch_size=3, seed=5))
    orders = [epoch_order(5, epoch, 7).tolist() for epoch in (1, 2, 3)]
    assert seen == [order[i : i + 3] for order in orders for i in (0, 3, 6)]
    assert [(r.step, r.epoch) for r in diary.steps] == [(i, i // 3 + 1) for i in range(9)]
    assert [(r.epoch, r.steps, r.test.count) for r in diary.epochs] == [(1, 3, 4), (2, 6, 4), (3, 9, 4)]
    assert test == diary.epochs[-1].test


@pytest.mark.parametrize("done", [1, 2, 3, 5, 8])
def test_a_resumed_run_sees_what_the_first_part_did_not(done):
    """An epoch is three steps, the last of a smaller batch."""
    config = Config(epochs=3, batch_size=3, seed=5)
    before = [(0.5, 3)] * (done % 3)
    _, _, diary, seen = train(config, start=Progress(done, 0.0, before))
    assert seen == train(config)[3][done:]
    assert [(r.step, r.epoch) for r in diary.steps] == [(i, i // 3 + 1) for i in range(done, 9)]
    sizes, losses = [3, 3, 1], [0.5] * len(before) + [report.loss for report in diary.steps]
    mean = sum(size * loss for size, loss in zip(sizes, losses[:3], strict=True)) / 7
    np.testing.assert_allclose(diary.epochs[0].train_loss, mean, rtol=1e-6)


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_an_epoch_s_loss_is_the_mean_over_its_images(loss):
    _, _, diary, _ = train(Config(epochs=1, batch_size=3, loss=loss))
    sizes = [3, 3, 1] if loss == "mean" else [1, 1, 1]
    total = sum(size * report.loss for size, report in zip(sizes, diary.steps, strict=True))
    np.testing.assert_allclose(diary.epochs[0].train_loss, total / 7, rtol=1e-6)


def test_steps_may_end_inside_an_epoch():
    state, test, diary, seen = train(Config(epochs=None, steps=4, batch_size=3))
    assert state.step == len(seen) == 4
    assert [(r.epoch, r.steps) for r in diary.epochs] == [(1, 3), (2, 4)]
    assert test == diary.epochs[-1].test


def test_a_single_batch_of_everything_keeps_its_order():
    _, test, diary, seen = train(preset("synthetic"), samples=3)
    assert seen == [[0.0, 1.0, 2.0]] * 1000
    assert test is None
    assert not diary.epochs


def test_a_plan_counts_the_images_of_its_steps():
    plan = make_plan(Config(epochs=2, batch_size=3), 7)
    assert (plan.steps, plan.epochs) == (6, 2)
    assert [plan.images(steps) for steps in range(7)] == [0, 3, 6, 7, 10, 13, 14]
    assert make_plan(Config(epochs=None, steps=4, batch_size=3), 7).epochs == 2


def test_a_run_that_is_told_to_stop_ends_between_steps_and_is_measured():
    for after in (0, 1, 3, 4):
        calls = iter([False] * after + [True])
        state, test, diary, seen = train(Config(epochs=5, batch_size=3), stop=lambda calls=calls: next(calls))
        assert state.step == len(seen) == after
        assert jnp.isfinite(state.params).all()
        assert (test is None) == (after == 0)
        assert [r.steps for r in diary.epochs] == [steps for steps in (3, after) if 0 < steps <= after][
            : 1 + (after > 3)
        ]
