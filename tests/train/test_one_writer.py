"""A run directory has one writer at a time, and a killed writer leaves no lock behind."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from idx_files import contents, write
from runs import refused

from jaxcnn.train import Config, InputError, run
from jaxcnn.train.commands.train import main
from jaxcnn.train.lock import NAME, Lock
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.training import Display

ROOT = Path(__file__).parents[2]
HOLD = """
import pathlib, sys
from jaxcnn.train.lock import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
print(1, flush=True)
input()
"""
IN_USE = r"is in use by another process: wait for its end, or stop it"


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "idx"
    folder.mkdir()
    return Config(data="mnist", data_dir=write(folder, contents(counts=(12, 4))), epochs=1, run_dir=tmp_path / "run")


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of run."""
    (tmp_path / "run").mkdir(exist_ok=True)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "1\n"
        yield process
        process.kill()


def test_the_second_is_refused_until_the_first_is_killed(config, holder):
    with pytest.raises(InputError, match=IN_USE):
        run(config)
    assert os.listdir(config.run_dir) == [NAME]
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert run(config).steps == 1
    assert NAME not in os.listdir(config.run_dir)


def test_a_run_in_use_is_not_resumed(config, request, capsys):
    with closing(RunDirectory(config)) as begun:
        begun.save_metrics()
    before = {path: path.read_bytes() for path in config.run_dir.rglob("*") if path.is_file()}
    request.getfixturevalue("holder")
    assert re.match(rf"error: {config.run_dir} {IN_USE}\n", refused(capsys, main, "--resume", config.run_dir))
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_ends_with_an_error_releases_its_lock(config):
    class Faulty(Display):
        def start(self, start):
            with pytest.raises(InputError, match=IN_USE):
                Lock(config.run_dir)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(config, Faulty())
    Lock(config.run_dir).release()


def test_a_process_that_only_reads_needs_no_lock(config):
    with closing(RunDirectory(config)):
        assert RunDirectory(config, resume=True, leads=False).path == config.run_dir
        with pytest.raises(InputError, match=IN_USE):
            RunDirectory(config, resume=True)
        assert json.loads((config.run_dir / "config.json").read_text())["epochs"] == 1


def test_a_lock_file_that_was_removed_meanwhile_is_made_anew(tmp_path, monkeypatch):
    """The owner removes the file after another process has opened it and before that one locks it."""
    first, locks = Lock(tmp_path), []

    def flock(file, how):
        if not locks:
            first.release()
        locks.append(file)

    monkeypatch.setattr("fcntl.flock", flock)
    second = Lock(tmp_path)
    assert len(locks) > 1
    assert (tmp_path / NAME).exists()
    second.release()
    assert not (tmp_path / NAME).exists()
