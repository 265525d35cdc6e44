"""Files of a run directory that may not be read or written: each command says so in one line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from idx_files import contents, write

from jaxcnn.train import Config, run

ROOT = Path(__file__).parents[2]
# Root reads what it may not; without these two capabilities it is a user like any other, and still owns its files.
WITHOUT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
COMMANDS = """
import contextlib, io, sys
from jaxcnn.train.commands import evaluate, report, train
run = sys.argv[1]
for main, arguments in ((evaluate.main, [run]), (report.main, [run]), (train.main, ["--resume", run])):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(arguments)
    print(code, said.getvalue(), end="" if said.getvalue() else "\\n")
"""

pytestmark = pytest.mark.skipif(bool(WITHOUT) and not shutil.which("setpriv"), reason="root, and no setpriv")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("idx"), contents(counts=(12, 4)))
    return run(Config(data="mnist", data_dir=folder, epochs=1, run_dir=folder / "run")).directory


DENIED = "can't be .*Permission denied"
UNREADABLE = {  # by evaluate, report and train --resume, which writes some of them anew
    "config.json": (r"config\.json " + DENIED,) * 3,
    "metrics.jsonl": (None, r"metrics\.jsonl " + DENIED, r"metrics\.jsonl " + DENIED),
    "params.npz": (r"params\.npz " + DENIED, r"params\.npz " + DENIED, None),
    "data.json": (r"data\.json " + DENIED, r"data\.json " + DENIED, None),
    "checkpoints": (None, None, r"checkpoints.* " + DENIED),
    ".": (r"run/config\.json " + DENIED,) * 3,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_may_not_be_read(name, whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "run")
    mode = (copy / name).stat().st_mode
    (copy / name).chmod(0)
    command = [*WITHOUT, sys.executable, "-c", COMMANDS, str(copy)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    (copy / name).chmod(mode)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout
    for line, expected in zip(lines, UNREADABLE[name], strict=True):
        if expected is None:
            assert line == "0 "
        else:
            assert line.startswith("2 error: ")
            assert re.search(expected, line)


def test_where_nothing_may_be_written(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "run")
    copy.chmod(0o500)
    command = [*WITHOUT, sys.executable, "-c", COMMANDS, str(copy)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    copy.chmod(0o700)
    evaluate, report, train = done.stdout.splitlines()
    assert "can't be locked (Permission denied)" in train
    assert evaluate == "0 "
    assert "report.html can't be written (Permission denied): choose another file with --out" in report
