"""A run that is ended at any moment and resumed equals the uninterrupted run to the last bit."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from idx_files import contents, write
from runs import StopAfter, StoppedError, late_reads_are_ignored, records, refused

from jaxcnn.train import Config, InputError, load_params, run
from jaxcnn.train.commands.train import Line, main, parse

pytestmark = late_reads_are_ignored

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A run whose steps draw and remember all that they may: augmentation, moments, a schedule.

    All batches are of one size, since another would be one more program to compile in every run.
    """
    folder = write(tmp_path_factory.mktemp("idx"), contents(counts=(36, 9)))
    return Config(
        data="mnist", data_dir=folder, epochs=4, batch_size=9, validation=9, shift=1, rotate=5.0, optimizer="adamw",
        weight_decay=1e-3, warmup=3, clip=1.0, save_steps=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return run(replace(config, run_dir=tmp_path_factory.mktemp("whole") / "run")).directory


def assert_same_run(run_dir, whole):
    assert (run_dir / "params.npz").read_bytes() == (whole / "params.npz").read_bytes()
    assert records(run_dir) == records(whole)


def test_going_on_after_any_step(config, whole, tmp_path):
    """Resume without a checkpoint, from one inside an epoch of three steps, and from one at an epoch's end."""
    stopped, begun_after = replace(config, run_dir=tmp_path / "run"), []
    for steps in (1, 5, 7, None):
        display = StopAfter(steps)
        with nullcontext() if steps is None else pytest.raises(StoppedError):
            outcome = run(stopped, display, resume=bool(begun_after))
        begun_after.append(display.begun_after)
        assert (tmp_path / "run" / "params.npz").exists() == (steps is None)
    assert begun_after == [0, 0, 4, 6]
    assert outcome.steps == 12
    assert_same_run(outcome.directory, whole)


def test_ended_by_a_signal_in_the_middle_of_a_save(config, whole, tmp_path, capsys):
    """In a process of its own, by a random signal at a random moment after the first save."""
    number = random.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGHUP))
    run_dir, settings = tmp_path / "run", tmp_path / "config.json"
    settings.write_text(config.to_json())
    program = [sys.executable, ROOT / "scripts" / "train_lenet.py", "--config", settings, "--run-dir", run_dir]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None and len(list(run_dir.glob("checkpoints/*"))) < 2:  # the second save has begun
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(number)
        said = process.communicate(timeout=60)[1].decode()
    # A run that is asked to end saves its state and says so by its exit code, unless it had ended by itself.
    assert process.returncode in ((-number,) if number == signal.SIGKILL else (0, 128 + number)), f"{number!r}: {said}"
    assert main(["--resume", str(run_dir)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"going on after ([2-9]|1\d) of 12 steps", out)
    assert "test accuracy" in out
    assert_same_run(run_dir, whole)


def test_resuming_a_finished_run_changes_nothing(whole, tmp_path, capsys):
    copy = shutil.copytree(whole, tmp_path / "run")
    assert main(["--resume", str(copy)]) == 0
    assert "going on after 12 of 12 steps" in capsys.readouterr().out
    assert_same_run(copy, whole)


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def test_a_damaged_checkpoint_is_refused_and_the_last_good_one_offered(copy, whole, capsys):
    largest = max(
        (copy / "checkpoints" / "12").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    err = refused(capsys, main, "--resume", copy)
    assert "checkpoints/12 is damaged" in err
    assert "the last good one is that of step 10: take it with --from-step 10" in err
    assert main(["--resume", str(copy), "--from-step", "10"]) == 0
    assert_same_run(copy, whole)


@pytest.mark.parametrize("left", ["state", "facts", "nothing"])
def test_a_checkpoint_that_lacks_files_is_refused(copy, left, capsys):
    for part in (copy / "checkpoints" / "12").iterdir():
        if part.is_dir() and part.name != left:
            shutil.rmtree(part)
    assert "--from-step 10" in refused(capsys, main, "--resume", copy)


def test_a_checkpoint_of_another_config_is_refused(copy, capsys):
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(settings | {"learning_rate": 0.5}))
    err = refused(capsys, main, "--resume", copy)
    assert "checkpoints/12 is of another config (learning_rate is 0.003 there and 0.5 here)" in err


def test_other_settings_on_the_line_are_refused(copy, capsys):
    assert "--learning-rate 1.0: the run was begun with 0.003" in refused(
        capsys, main, "--resume", copy, "--learning-rate", "1"
    )
    assert "--run-dir" in refused(capsys, main, "--resume", copy, "--run-dir", "elsewhere")
    assert parse(["--resume", str(copy), "--devices", "1"]).config.devices == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run_dir: shutil.rmtree(run_dir), "is no run directory: it has no config.json"),
        (lambda run_dir: (run_dir / "config.json").write_text("{"), "config.json can't be read"),
        (lambda run_dir: (run_dir / "config.json").write_text('{"epoch": 3}'), "config.json can't be read"),
        (lambda run_dir: (run_dir / "metrics.jsonl").write_text("{}\n"), "metrics.jsonl can't be read"),
        (lambda run_dir: (run_dir / "metrics.jsonl").write_text(""), "metrics.jsonl lacks some"),
    ],
)
def test_a_damaged_run_directory_is_refused(copy, damage, message, capsys):
    damage(copy)
    assert message in refused(capsys, main, "--resume", copy)


def test_a_step_without_a_checkpoint_is_refused(copy, capsys):
    assert "has no checkpoint of step 7, only of" in refused(capsys, main, "--resume", copy, "--from-step", "7")
    assert "--from-step: only --resume" in refused(capsys, main, "--from-step", "7")


def test_the_best_epoch_is_the_result_where_patience_ends_a_run(config, tmp_path):
    """The rate is so high that no epoch after the first few is better."""
    wild = replace(config, epochs=30, patience=2, optimizer="sgd", learning_rate=5.0, clip=None, weight_decay=0.0)
    outcome = run(replace(wild, run_dir=tmp_path / "run"))
    losses = [record["validation_loss"] for record in records(outcome.directory) if "validation_loss" in record]
    assert outcome.ended_early
    assert len(losses) - 1 - int(np.argmin(losses)) == 2
    tests = [record["test_loss"] for record in records(outcome.directory) if "test_loss" in record]
    np.testing.assert_allclose(outcome.test.loss, tests[int(np.argmin(losses))], rtol=1e-6)
    again = load_params(outcome.directory / "params.npz")
    jax.tree.map(np.testing.assert_array_equal, again, jax.device_get(outcome.params))


def test_a_full_disk_is_reported_in_a_line(config, tmp_path, monkeypatch, capsys):
    settings = tmp_path / "config.json"
    settings.write_text(config.to_json())
    full = shutil.disk_usage(tmp_path)._replace(free=10**5)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    err = refused(capsys, main, "--config", settings, "--run-dir", tmp_path / "run", lines=3)
    assert "checkpoints can't be written (No space left on device): make room for it" in err


def test_a_config_file_starts_the_same_run_again(config, whole):
    """That an equal config gives equal bits is tested in test_program.py."""
    line = parse(["--config", str(whole / "config.json"), "--run-dir", "again"])
    assert line == Line(replace(config, run_dir=Path("again")))
    with pytest.raises(InputError, match=r"--config .*none.json can't be read"):
        parse(["--config", "none.json"])
