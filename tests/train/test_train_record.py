"""Each file of a run directory is complete at every moment; where writing fails the old file stays."""

import errno
import itertools
import json
import os
from contextlib import closing
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.train import Config, Evaluation, InputError, load_params
from jaxcnn.train.files import write_atomically
from jaxcnn.train.known import Known
from jaxcnn.train.preprocessing import Preprocessing
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.tracker import EpochReport, StepReport

STEP = StepReport(step=0, epoch=1, loss=0.1, metrics={"entropy": np.float32(0.5)}, seconds=2.0)
EPOCH = EpochReport(
    1, 3, 0.25, 0.002, Evaluation(loss=0.5, correct=9, count=10), None, seconds=1.23456, images_per_second=99.96
)


def opened(config):
    """A run directory whose lock is released again."""
    with closing(RunDirectory(config)) as record:
        return record


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    for content in (b"long content", b"short"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_nothing_half_written_is_left_where_the_disk_is_full(tmp_path, monkeypatch, name):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[name], full)
    with pytest.raises(InputError, match=r"file can't be written \(No space left on device\): make room"):
        write_atomically(path, b"new")
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == b"old"


def test_a_place_without_a_name_is_refused_as_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^\. can't be written \(.+\): elsewhere$"):
        write_atomically(Path(), b"new", remedy="elsewhere")
    assert not os.listdir(tmp_path)


def test_a_record_of_a_run(tmp_path):
    record = opened(Config(run_dir=tmp_path / "deep" / "run"))
    assert json.loads((record.path / "config.json").read_text())["run_dir"] == str(record.path)
    record.step(STEP)
    record.epoch(EPOCH)
    record.save_metrics()
    lines = [json.loads(line) for line in (record.path / "metrics.jsonl").read_text().splitlines()]
    assert lines[0] == {"step": 0, "epoch": 1, "loss": 0.1, "entropy": 0.5, "seconds": 2.0, "images_per_second": 0.0}
    assert lines[1] == {
        "epoch": 1,
        "steps": 3,
        "train_loss": 0.25,
        "test_loss": 0.5,
        "test_accuracy": 0.9,
        "test_correct": 9,
        "test_count": 10,
        "learning_rate": 0.002,
        "seconds": 1.235,
        "images_per_second": 100.0,
    }
    params = {"conv1": {"kernel": jnp.ones((2, 1, 3, 3)), "bias": jnp.zeros(2)}, "dense1": {"kernel": jnp.eye(3)}}
    record.save_params(params)
    again = load_params(record.path / "params.npz")
    assert jax.tree.structure(again) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    record.save_data(Known(Preprocessing((1, 28, 28)), ("cat", "dog"), None, {}))
    assert sorted(os.listdir(record.path)) == ["config.json", "data.json", "metrics.jsonl", "params.npz"]


def test_metrics_are_on_disk_long_before_the_end_of_an_epoch(tmp_path, monkeypatch):
    """At a step a second, each line is there after three."""
    monkeypatch.setattr("time.monotonic", itertools.count().__next__)
    record = opened(Config(run_dir=tmp_path))
    for step in range(250):
        record.step(STEP)
        path = tmp_path / "metrics.jsonl"
        assert (len(path.read_text().splitlines()) if path.exists() else 0) >= step - 3


def test_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda _: "now")
    paths = [opened(Config()).path for _ in range(3)]
    assert paths == [Path("runs") / name for name in ("mlxtend-now", "mlxtend-now-2", "mlxtend-now-3")]
