"""Where permission is missing to read or write files of a run directory, each command says so in one line."""

import json
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
# Root may read everything; without these two capabilities it is a user like any other who owns these files.
WITHOUT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
COMMANDS = """
import contextlib, io, json, sys
from pathlib import Path
from jaxcnn.train.commands import evaluate, report, train

def said(main, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stderr(out), contextlib.redirect_stdout(io.StringIO()):
        code = main(list(arguments))
    return code, out.getvalue()

for copy, closed, mode in json.load(sys.stdin):
    before = Path(closed).stat().st_mode
    Path(closed).chmod(mode)
    each = said(evaluate.main, copy), said(report.main, copy), said(train.main, "--resume", copy)
    Path(closed).chmod(before)
    print(json.dumps(each))
"""

pytestmark = pytest.mark.skipif(bool(WITHOUT) and not shutil.which("setpriv"), reason="root, and no setpriv")


DENIED = "can't be .*Permission denied"
UNREADABLE = {  # by evaluate, report and train --resume, which writes some of them anew
    "config.json": (r"config\.json " + DENIED,) * 3,
    "metrics.jsonl": (None, r"metrics\.jsonl " + DENIED, r"metrics\.jsonl " + DENIED),
    "params.npz": (r"params\.npz " + DENIED, r"params\.npz " + DENIED, None),
    "data.json": (r"data\.json " + DENIED,) * 3,
    "checkpoints": (None, None, r"checkpoints.* " + DENIED),
    ".": (r"run/config\.json " + DENIED,) * 3,
}


UNWRITABLE = "nothing may be written"


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """For each unreadable file, exit code and stderr of evaluate, report and train --resume, all from one process."""
    folder = write(tmp_path_factory.mktemp("idx"), contents(counts=(12, 4)))
    whole = run(Config(data="mnist", data_dir=folder, epochs=1, run_dir=folder / "run")).directory
    copies = {name: tmp_path_factory.mktemp("copy") / "run" for name in (*UNREADABLE, UNWRITABLE)}
    for copy in copies.values():
        shutil.copytree(whole, copy)
    asked = [(str(copies[name]), str(copies[name] / name), 0) for name in UNREADABLE]
    asked.append((str(copies[UNWRITABLE]), str(copies[UNWRITABLE]), 0o500))
    command = [*WITHOUT, sys.executable, "-c", COMMANDS]
    done = subprocess.run(
        command, input=json.dumps(asked), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(copies, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files(name, said):
    for (code, err), expected in zip(said[name], UNREADABLE[name], strict=True):
        if expected is None:
            assert (code, err) == (0, "")
        else:
            assert code == 2
            assert re.fullmatch(rf"error: .*{expected}.*\n", err)


def test_an_unwritable_directory(said):
    evaluate, report, train = said[UNWRITABLE]
    assert evaluate == [0, ""]
    assert (report[0], train[0]) == (2, 2)
    assert "report.html can't be written (Permission denied): choose another file with --out" in report[1]
    assert "can't be locked (Permission denied)" in train[1]
