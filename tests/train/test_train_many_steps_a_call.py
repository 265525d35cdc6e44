"""A run of many steps a call, as on an accelerator, has the losses, records and checkpoints of single steps."""

from dataclasses import replace

import numpy as np
import pytest
from idx_files import contents, write
from runs import StopAfter, StoppedError, records

from jaxcnn.train import Config, run
from jaxcnn.train.calls import calls, max_steps_per_call
from jaxcnn.train.loop import make_plan


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Three full batches an epoch, and a last one of a single sample."""
    folder = write(tmp_path_factory.mktemp("idx"), contents(counts=(70, 15)))
    return Config(data="mnist", data_dir=folder, epochs=3, batch_size=20, validation=9, shift=1, devices=1)


def take_at_most(monkeypatch, most):
    monkeypatch.setattr("jaxcnn.train.loop.max_steps_per_call", lambda platform: most)


@pytest.fixture(scope="module")
def one_by_one(config, tmp_path_factory):
    return records(run(replace(config, run_dir=tmp_path_factory.mktemp("single") / "run")).directory)


def assert_same_record(found, single):
    assert [record.keys() for record in found] == [record.keys() for record in single]
    for record, expected in zip(found, single, strict=True):
        for name in record:
            np.testing.assert_allclose(record[name], expected[name], rtol=1e-5, err_msg=name)


def test_an_epoch_a_call(config, one_by_one, tmp_path, monkeypatch):
    take_at_most(monkeypatch, 256)
    assert_same_record(records(run(replace(config, run_dir=tmp_path / "run")).directory), one_by_one)


def test_a_resumed_run_makes_the_same_calls_to_the_last_bit(config, one_by_one, tmp_path, monkeypatch):
    take_at_most(monkeypatch, 2)
    config = replace(config, save_steps=3)
    whole, resumed = (replace(config, run_dir=tmp_path / name) for name in ("whole", "resumed"))
    run(whole)
    with pytest.raises(StoppedError):
        run(resumed, StopAfter(7))
    run(resumed, resume=True)
    assert (resumed.run_dir / "params.npz").read_bytes() == (whole.run_dir / "params.npz").read_bytes()
    assert records(resumed.run_dir) == records(whole.run_dir)
    assert_same_record(records(whole.run_dir), one_by_one)


@pytest.mark.parametrize("most", [1, 2, 3, 100])
@pytest.mark.parametrize("save_steps", [None, 1, 5])
@pytest.mark.parametrize("samples", [6, 7, 20])
def test_every_call_begins_where_the_one_before_ends(most, save_steps, samples):
    plan = make_plan(Config(epochs=3, batch_size=2), samples)
    every, step = list(calls(plan, 0, 0, most, save_steps)), 0
    for number, call in enumerate(every):
        again = list(calls(plan, 0, step, most, save_steps))
        assert [one._replace(indices=None) for one in again] == [one._replace(indices=None) for one in every[number:]]
        step += call.steps or 1
        assert save_steps is None or (call.steps or 1) <= save_steps
    assert step == plan.steps
    seen = np.concatenate([call.indices.ravel() for call in every])
    np.testing.assert_array_equal(np.bincount(seen), [3] * samples)


def test_a_cpu_takes_one_step_a_call():
    assert max_steps_per_call("cpu") == 1
    assert max_steps_per_call("gpu") == max_steps_per_call("tpu") > 100


def test_few_checkpoints_are_the_best_and_the_last(config, tmp_path, monkeypatch):
    """If an epoch is shorter than the writing of a checkpoint, only the ones that a run may need are written."""
    monkeypatch.setattr("jaxcnn.train.loop.seconds_between_checkpoints", lambda platform: 3600.0)
    path = run(replace(config, epochs=4, learning_rate=0.05, run_dir=tmp_path / "run")).directory
    judged = [record["validation_loss"] for record in records(path) if "validation_loss" in record]
    written = sorted(int(folder.name) // 4 for folder in (path / "checkpoints").iterdir() if folder.name.isdigit())
    best = 1 + judged.index(min(judged))
    assert {best, 4} <= set(written)
    kept_then = [epoch for epoch in range(1, 5) if judged[epoch - 1] == min(judged[:epoch]) or epoch == 4]
    assert set(written) <= set(kept_then)
