"""Any bytes as a file give a right result or an `InputError` of one line, within bounds of memory and time.

A slice of `scripts/fuzz_files.py` without its coverage: the same doors and seeds, mutated here. The first examples are
the same on each run; the others follow a fresh seed, which is printed, and which JAXCNN_FUZZ_SEED sets.
"""

import json
import os
import random
import struct
import sys
import zipfile
from functools import cache

import numpy as np
import pytest
from bad_files import READERS, behind, npy, packed, png
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from runs import late_reads_are_ignored

from jaxcnn.train import Config, InputError, load, picture
from jaxcnn.train.commands.train import main
from jaxcnn.train.config import MOST
from jaxcnn.train.loop import make_plan
from jaxcnn.train.saved import load_params, read_metrics

pytestmark = late_reads_are_ignored

FRESH = int(os.environ.get("JAXCNN_FUZZ_SEED") or random.randrange(2**32))
EXAMPLES = {"checkpoint": 4, "params": 15}
ALIKE = {"checkpoint"}  # its seeds are the files of one sound checkpoint: reading one of them is enough
ODD = [
    b"",
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"[" * 3000,
    b"NaN",
    b"-1",
    b"1e999",
    b'"\\ud800"',
    b"9" * 400,
    b"\n",
]


@pytest.fixture(scope="module")
def reader_named(tmp_path_factory):
    @cache
    def named(name):
        reader = READERS[name](tmp_path_factory.mktemp(name))
        # Load everything once, so that no input is charged for it. Most seeds must be accepted, or the fuzzing would
        # not get past the first check; those without a pixel, or of a part of an archive, are refused.
        taken = [reader(content) for content in (reader.seeds[:1] if name in ALIKE else reader.seeds)]
        assert sum(taken) >= len(taken) / 2
        return reader

    return named


def mutated(draw, seeds):
    """A sound input with up to four pieces of it replaced."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(1, len(content)))
        length = draw(st.sampled_from([0, 1, 4, len(content)]))
        content = content[:begin] + draw(st.sampled_from(ODD) | st.binary(max_size=8)) + content[begin + length :]
    return content


def slice_of(reader, examples, **options):
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck), **options)
    @given(st.data())
    def each(data):
        reader(mutated(data.draw, reader.seeds))

    return each


@pytest.mark.parametrize("name", READERS)
def test_mutated_files(name, reader_named):
    reader, examples = reader_named(name), EXAMPLES.get(name, 35)
    slice_of(reader, examples, derandomize=True)()
    sys.stdout.write(f"JAXCNN_FUZZ_SEED={FRESH}\n")
    seed(FRESH)(slice_of(reader, examples))()


def png_of_a_gigabyte():
    """A chunk that claims to hold a gigabyte, in a file of 49 bytes."""
    return png(5, 4)[:33] + struct.pack(">I", 2**30) + b"IDAT" + bytes(8)


def setting(name, value):
    return json.dumps(json.loads(Config().to_json()) | {name: "@"}).replace('"@"', value).encode()


def record(**changes):
    return json.dumps({"step": 0, "epoch": 1, "loss": 2.5} | changes).encode()


def member_of_params(content):
    return packed(zipfile.ZIP_STORED, conv1__kernel=content)


DEFLATED = packed(zipfile.ZIP_DEFLATED, a=npy(np.zeros(99)))
FOUND = {
    "picture": behind(0, png_of_a_gigabyte()) + behind(1, png_of_a_gigabyte()),
    "config": behind(
        0,
        b"",
        b"1.5",
        b"[]",
        b"[" * 10**5,
        b"\xff",
        *(setting(*pair) for pair in [
            ("clip", '"a"'), ("epochs", '"9"'), ("epochs", "1.0"), ("epochs", "true"), ("learning_rate", "null"),
            ("learning_rate", "1" + "0" * 400), ("epochs", "1" + "0" * 400), ("epochs", "2147483647"), ("data", "[]"),
            ("data_dir", '"a\\u0000b"'), ("data_dir", '"\\ud800"'), ("data", json.dumps("a" * 10**5)),
            ("data", '"a\\nb"'), ("loud", "1"),
        ]),
    ),
    "metrics": behind(
        0,
        b"[" * 10**5,
        b'"step"',
        b"\xff",
        record(step="0"),
        record(loss=None),
        record(loss=float("nan")),
        record(loss=float("inf")),
        record(loss=10**400),
        record(entropy={}),
        b'{"step": 0}',
    ) + behind(1, b'{"steps": "2", "test_loss": 1.0}', b'{"steps": 2, "test_loss": [[1.0]]}'),
    "params": behind(
        0,
        b"",
        npy(np.zeros(3)),
        member_of_params(npy(np.zeros(3))),
        member_of_params(npy(np.zeros((6, 1, 5, 5), np.float32))),
        member_of_params(npy(np.zeros(3)).replace(b"}", b" ")),
        DEFLATED.replace(DEFLATED[35:40], b"\xff" * 5),
        DEFLATED.replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xeb"),  # of a later version of zip
    ) + behind(
        3,
        b"[",
        b"[]",
        b"[" * 10**5,
        b'{"image": [1, 1e999, 9], "classes": ["a", "b"]}',
        b'{"image": "ab", "classes": "ab"}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_the_fuzzer_found(name, reader_named):
    for content in FOUND[name]:
        assert not reader_named(name)(content), content[:200]


def test_more_steps_than_can_be_counted_are_refused():
    with pytest.raises(InputError, match=r"--epochs 2147483647: \d+ steps are too many to count"):
        make_plan(Config(epochs=MOST - 1), 100)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_device_is_refused_before_it_is_waited_for(kind, tmp_path, capsys):
    paths = {name: tmp_path / name for name in ("picture.png", "data.npz", "params.npz", "metrics.jsonl", "cat/1.png")}
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    for path in paths.values():
        os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    reads = {
        "picture.png": picture.read,
        "data.npz": lambda path: load(Config(data="npz", data_file=path)),
        "params.npz": load_params,
        "metrics.jsonl": lambda path: read_metrics(path.parent),
        "cat/1.png": lambda path: load(Config(data="folder", data_dir=path.parent.parent)),
    }
    for name, read in reads.items():
        with pytest.raises(InputError, match=rf"{name} can't be read.*Not a regular file"):
            read(paths[name])
    assert main(["--config", str(paths["picture.png"])]) == 2
    assert "Not a regular file" in capsys.readouterr().err
