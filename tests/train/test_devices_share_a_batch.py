"""On several devices, or in several processes, a run learns what it learns on one device."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from idx_files import contents, write
from runs import records

from jaxcnn.train import Config, InputError, run
from jaxcnn.train.training import Display, Recorder

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_lenet.py"
BOUND = 60  # seconds within which the others must notice that a process is lost


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Neither 2 nor 8 devices divide a batch of 9; the last one of an epoch has 1 sample, so that most get none."""
    folder = write(tmp_path_factory.mktemp("idx"), contents(counts=(28, 9)))
    few = {"epochs": 2, "batch_size": 9, "validation": 9}
    return Config(data="mnist", data_dir=folder, **few, schedule="constant", shift=1, devices=1)


@pytest.fixture(scope="module")
def on_one_device(config, tmp_path_factory):
    """The losses on one device, in this process."""
    return losses(run(replace(config, run_dir=tmp_path_factory.mktemp("one") / "run")).directory)


def losses(run_dir):
    return [record.get("loss", record.get("validation_loss")) for record in records(run_dir)]


def start(config, tmp_path, *options, devices=1):
    settings = tmp_path / "config.json"
    settings.write_text(replace(config, devices=None).to_json())
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(SCRIPT), "--config", str(settings), "--run-dir", str(tmp_path / "run"), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def an_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def together(address, process):
    return "--coordinator", address, "--processes", "2", "--process", str(process)


def test_eight_devices_of_one_process(config, on_one_device, tmp_path):
    code, out, err = ended(start(config, tmp_path, devices=8))
    assert code == 0, err
    assert "device: 8 of cpu" in out
    np.testing.assert_allclose(losses(tmp_path / "run"), on_one_device, rtol=2e-5)


def test_two_processes(config, on_one_device, tmp_path):
    address = an_address()
    processes = [start(config, tmp_path, *together(address, number)) for number in range(2)]
    (code, out, err), (other_code, other_out, other_err) = map(ended, processes)
    assert (code, other_code) == (0, 0), err + other_err
    assert "device: 2 of cpu" in out
    assert "epoch" not in other_out
    np.testing.assert_allclose(losses(tmp_path / "run"), on_one_device, rtol=2e-5)


def test_a_lost_process_ends_the_other_and_one_device_goes_on(config, tmp_path):
    long = replace(config, epochs=2000)
    address = an_address()
    processes = [start(long, tmp_path, *together(address, number)) for number in range(2)]
    while "epoch    2" not in processes[0].stdout.readline():  # the checkpoint of the first is written by then
        assert processes[0].poll() is None
    processes[1].kill()
    since = time.monotonic()
    code, _, err = ended(processes[0])
    assert time.monotonic() - since < BOUND
    assert code in (2, -signal.SIGABRT)  # JAX's own service may be first to see it, and aborts
    assert re.search(r"error: a process of this run was lost .*--resume|another task died", err)
    ended(processes[1])
    rest = StopSoon()
    outcome = run(replace(long, run_dir=tmp_path / "run"), rest, resume=True)
    assert (rest.plan.steps, rest.mesh.size) == (6000, 1)
    assert rest.progress.steps > 0
    assert outcome.steps > rest.progress.steps
    assert len([1 for loss in losses(tmp_path / "run") if loss is not None]) > outcome.steps


class StopSoon:
    """A display that remembers the start of a run and presses Ctrl-C after its first step."""

    def start(self, start):
        self.plan, self.mesh, self.progress = start.plan, start.mesh, start.progress

    def step(self, report):
        if report.step == self.progress.steps:
            signal.raise_signal(signal.SIGINT)

    def epoch(self, report): ...


def test_where_a_process_is_lost_the_others_exit_with_a_line(config, tmp_path, monkeypatch, capsys):
    """They don't wait for it, as an orderly exit would."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(os, "_exit", sys.exit)
    recorder = Recorder(replace(config, run_dir=tmp_path / "run"), Display(), resume=False)
    with pytest.raises(SystemExit) as caught, recorder:
        raise jax.errors.JaxRuntimeError("the other is gone\nsaid gloo")
    assert caught.value.code == 2
    line = f"error: a process of this run was lost (the other is gone): start all again with --resume {tmp_path}/run\n"
    assert capsys.readouterr().err == line


def test_a_port_in_use_is_refused(config):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"--coordinator {address}: process 0 can't listen there"):
            run(replace(config, coordinator=address, processes=2, devices=None))


def test_a_process_does_not_wait_forever_for_the_others():
    code = (
        "import sys; from jaxcnn.train import devices; devices.JOIN_SECONDS = 2; "
        "from jaxcnn.train.commands.train import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *together(an_address(), 1)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert re.search(r"error: --coordinator .*: not all processes joined within 2 s", result.stderr)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"devices": 99}, r"--devices 99: JAX sees \d+ of cpu"),
        ({"coordinator": "nowhere", "processes": 2}, r"--coordinator nowhere: give HOST:PORT"),
        ({"coordinator": "127.0.0.1:1"}, r"--coordinator and --processes belong together"),
        ({"process": 1}, r"--process 1: give a number from 0 to 0"),
    ],
)
def test_refused(config, settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        run(replace(config, **settings, run_dir=tmp_path / "run"))
