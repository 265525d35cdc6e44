"""Each row of situations.py ends as it says: the exit code, the words, and never a traceback."""

import io
import re
import sys

import pytest
from runs import random_params
from situations import ROWS

from jaxcnn.__main__ import main
from jaxcnn.train import training


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder, and a training that ends before its first step: only what is around it is tested here."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(training, "fit", lambda state, *_, **__: (state, None))
    monkeypatch.setattr("jaxcnn.train.training.initial_params", random_params)


def typed(line, capsys):
    """Exit code, stdout and stderr of a command line."""
    try:
        code = main(line.split())
    except SystemExit as end:
        code = end.code or 0
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}: {row.name}")
def test_situation(row, capsys, monkeypatch):
    row.there()
    if "encoding" in row.name:
        monkeypatch.setattr(sys, "stdout", stdout := io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
        code, _, err = typed(row.typed, capsys)
        out = stdout.buffer.getvalue().decode("ascii")
    else:
        code, out, err = typed(row.typed, capsys)
    assert code == row.code, out + err
    for pattern in row.said:
        found = re.search(pattern.removeprefix("!"), out + err, re.MULTILINE)
        assert (found is None) == pattern.startswith("!"), f"{pattern}\n{out}{err}"
    assert "Traceback" not in err
    if code:
        assert err.startswith("error: ")
        assert err.count("\n") == 1
