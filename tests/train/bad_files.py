"""Small sound files, the code that reads them, and what must hold for any other bytes in their place.

The first byte of an input is a door: it says which file the other bytes replace, or how they are wrapped, so that
damage gets past the checksums of gzip, PNG and zip. Shared by `scripts/fuzz_files.py` and
`test_bad_files_are_refused.py`.
"""

import gzip
import io
import json
import shutil
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from idx_files import contents, idx, write
from PIL import Image
from runs import write_run

from jaxcnn.train import Config, InputError, load, new_state, open_run, picture, preset
from jaxcnn.train.checkpoint import Checkpoints
from jaxcnn.train.config import PRESETS, read_config
from jaxcnn.train.loop import make_plan
from jaxcnn.train.model import make_apply
from jaxcnn.train.preprocessing import prepare
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.report.facts import curves
from jaxcnn.train.saved import METRICS, read_metrics

LONGEST = 1000
"""Characters of a message."""

SECONDS = 5
PIXELS = 2**18
"""Pillow's limit, lowered from 89 million pixels so that a picture within it needs little memory."""

Doors = list[Callable[[bytes], None]]


class Reader(NamedTuple):
    """One kind of file: sound examples, and how it is read."""

    seeds: list[bytes]
    """Sound inputs, each with its door as the first byte."""

    doors: Doors
    """Each writes the bytes as a file, reads it, and asserts what must hold of the result."""

    def __call__(self, content: bytes) -> bool:
        """Whether the content is accepted; if not, it must be refused by a proper `InputError`.

        Raises:
          AssertionError: too much memory or time, or a result that can't be right.
          Exception: any other one that the reader lets through, which is a fault.
        """
        door = self.doors[content[0] % len(self.doors)] if content else self.doors[0]
        began = time.process_time()
        tracemalloc.start()
        try:
            door(content[1:])
        except InputError as error:
            taken, message = False, str(error)
            assert message.isprintable(), f"no line: {message!r}"
            assert len(message) <= LONGEST, f"{len(message)} characters: {message[:LONGEST]}"
        else:
            taken = True
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak <= due(content), f"{peak:,} bytes of memory for {len(content)} of file"
        assert time.process_time() - began < SECONDS, "more than 5 s"
        return taken


def due(content: bytes) -> int:
    """Bytes that reading may allocate: deflate unpacks to 1032 times its size, kept as a few float32 arrays."""
    return 2**24 + 2**14 * len(content)


def behind(door: int, *sound: bytes) -> list[bytes]:
    return [bytes([door]) + content for content in sound]


def idx_reader(folder: Path) -> Reader:
    """0 the images, 1 the labels, 2 the images, zipped here."""
    sound = contents(counts=(4, 4), sides=(3, 5))
    write(folder, sound)
    images, labels = (f"train-{name}" for name in ("images-idx3-ubyte", "labels-idx1-ubyte"))

    def door(name: str, pack: Callable[[bytes], bytes] = bytes) -> Callable[[bytes], None]:
        def read(content: bytes) -> None:
            write(folder, sound | {name: pack(content)})
            train, test, classes, _ = load(Config(data="mnist", data_dir=folder))
            for split in (train, test):
                assert len(split.images) == len(split.targets) > 0
                assert ((split.images >= 0) & (split.images <= 1)).all()
                assert ((split.targets >= 0) & (split.targets < len(classes))).all()

        return read

    seeds = behind(0, sound[images], gzip.compress(sound[images]), idx(np.zeros((4, 0, 5)))) + behind(1, sound[labels])
    return Reader(seeds + behind(2, sound[images]), [door(images), door(labels), door(images, gzip.compress)])


def picture_reader(folder: Path) -> Reader:
    """0 for `predict`, 1 for the `folder` data, 2 and 3 the same with the sums of a PNG's chunks mended."""
    classes = [folder / name for name in ("cat", "dog")]
    for name in classes:
        name.mkdir()
        for file in ("1", "2"):
            Image.new("L", (5, 4)).save(name / f"{file}.png")
    own = Image.fromarray(np.random.default_rng(0).integers(256, size=(4, 5, 4), dtype=np.uint8))

    def predict(content: bytes) -> None:
        (folder / "picture").write_bytes(content)
        with mock.patch.object(Image, "MAX_IMAGE_PIXELS", PIXELS):
            pixels = picture.read(folder / "picture")
            made = prepare(pixels, (1, 28, 28), style="handwriting")
        assert made.shape == (1, 28, 28)
        assert ((made >= 0) & (made <= 1)).all()

    def train(content: bytes) -> None:
        (classes[0] / "1.png").write_bytes(content)
        with mock.patch.object(Image, "MAX_IMAGE_PIXELS", PIXELS):
            data = load(Config(data="folder", data_dir=folder))
        assert len(data.train.images) == len(data.test.images) == 2
        assert ((data.train.images >= 0) & (data.train.images <= 1)).all()

    def encoded(kind: str, mode: str, **options) -> bytes:
        file = io.BytesIO()
        own.convert(mode).save(file, kind, **options)
        return file.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    pngs = [encoded("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    pngs.append(encoded("PNG", "P", transparency=0, exif=exif))
    others = [
        *(encoded("JPEG", mode, exif=exif) for mode in ("L", "RGB", "CMYK")),
        encoded("JPEG", "RGB", progressive=True),
        encoded("GIF", "P", transparency=1),
        encoded("GIF", "P", save_all=True, append_images=[own.rotate(180).convert("P")]),
        *(encoded("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
        encoded("WEBP", "RGBA", lossless=True),
        encoded("WEBP", "RGB", exif=exif),
        *(encoded("PPM", mode) for mode in ("1", "L", "RGB", "I;16")),
        b"P3 2 1 255\n1 2 3 4 5 6\n",
    ]
    doors = [predict, train, lambda content: predict(mended(content)), lambda content: train(mended(content))]
    return Reader(
        [seed for door in (0, 1) for seed in behind(door, *pngs, *others)] + behind(2, *pngs) + behind(3, *pngs), doors
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(columns: int, rows: int, body: bytes = b"") -> bytes:
    """A grey PNG whose header says these sides."""
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def mended(content: bytes) -> bytes:
    """The same PNG with the right checksum behind each chunk, as far as there are chunks."""
    made, rest = bytearray(content[:8]), content[8:]
    while len(rest) >= 12:
        (size,) = struct.unpack(">I", rest[:4])
        body, rest = rest[4 : 8 + size], rest[12 + size :]  # shorter than its size says, where the file ends before
        made += struct.pack(">I", size) + body + struct.pack(">I", zlib.crc32(body))
    return bytes(made)


def packed(method: int, **members: bytes) -> bytes:
    """An archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression=method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy".replace("__", "/"), content)
    return file.getvalue()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def npz_reader(folder: Path) -> Reader:
    """0 the whole file, 1 and 2 its images, stored and deflated, 3 the labels, 4 the classes, 5 the test images."""
    random = np.random.default_rng(0)
    images, labels = random.integers(256, size=(4, 3, 5), dtype=np.uint8), np.array([0, 1, 0, 1])
    odd = [images.astype(np.float16), np.asfortranarray(images), images[..., None], images[:, None, None]]
    sound = {name: npy(array) for name, array in {"images": images, "labels": labels}.items()}
    test = {"test_images": sound["images"], "test_labels": sound["labels"]}

    def read(content: bytes) -> None:
        (folder / "data.npz").write_bytes(content)
        train, test, classes, _ = load(Config(data="npz", data_file=folder / "data.npz"))
        for split in (train, test):
            assert len(split.images) == len(split.targets) > 0
            assert split.images.dtype == np.float32
            assert np.isfinite(split.images).all()
            if split.targets.ndim == 1:
                assert ((split.targets >= 0) & (split.targets < len(classes))).all()
            else:
                np.testing.assert_allclose(split.targets.sum(axis=1), 1, atol=2e-3)

    def member(name: str, method: int = zipfile.ZIP_STORED, **others: bytes) -> Callable[[bytes], None]:
        return lambda content: read(packed(method, **(sound | others | {name: content})))

    names = npy(np.array(["cat", "dog"]))
    whole = [packed(method, **sound, classes=names) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    seeds = behind(0, *whole) + behind(1, *map(npy, [images, *odd])) + behind(2, sound["images"])
    seeds += behind(3, sound["labels"], npy(np.full((4, 2), 0.5, np.float32))) + behind(4, names)
    doors = [read, member("images"), member("images", zipfile.ZIP_DEFLATED), member("labels"), member("classes")]
    return Reader(seeds + behind(5, sound["images"]), [*doors, member("test_images", **test)])


def config_reader(folder: Path) -> Reader:
    """0 the whole config.json, 1 one of its settings: a byte says which, the others are its value."""
    names = list(json.loads(Config().to_json()))

    def read(content: bytes) -> None:
        (folder / "config.json").write_bytes(content)
        config = read_config(folder)
        config.check()
        assert Config.from_json(config.to_json()) == config
        plan = make_plan(config, 100)
        assert plan.steps >= 1
        assert 1 <= plan.batch_size <= 100

    def setting(content: bytes) -> None:
        settings = json.loads(Config().to_json()) | {names[content[0] % len(names)] if content else "data": "@"}
        read(json.dumps(settings).encode().replace(b'"@"', content[1:]))

    values = [bytes([names.index(name)]) + json.dumps(value).encode() for name, value in json.loads(
        preset("synthetic").to_json()).items()]  # fmt: skip
    more = [bytes([names.index("clip")]) + value for value in (b"1e3", b"-0.5", b'"a"', b"[1]", b'{"a": true}')]
    return Reader(
        behind(0, *(preset(name).to_json().encode() for name in PRESETS)) + behind(1, *values, *more), [read, setting]
    )


def metrics_reader(folder: Path) -> Reader:
    """0 the whole metrics.jsonl, 1 the line of an epoch in it."""
    config = Config(epochs=2, batch_size=50, run_dir=folder)
    step = {
        "epoch": 1,
        "loss": 2.5,
        "accuracy": 0.1,
        "learning_rate": 0.003,
        "probabilities": [0.5, 0.5],
        "seconds": 0.1,
    }
    steps = [json.dumps({"step": i} | step) for i in range(4)]
    epoch = {"epoch": 1, "steps": 2, "train_loss": 2.4, "test_loss": 2.0, "test_accuracy": 0.4, "seconds": 0.4}
    lines = [json.dumps(line) for line in (epoch, epoch | {"validation_loss": 1e-3}, epoch | {"steps": 4})]

    def read(content: bytes) -> None:
        (folder / METRICS).write_bytes(content)
        records = read_metrics(folder)
        drawn = curves(*([record for record in records if name in record] for name in ("step", "steps")))
        json.dumps(drawn, allow_nan=False)
        progress = RunDirectory(config, resume=True, leads=False).resume_at(make_plan(config, 100), 3, 0.0)
        assert len(progress.losses) == 1
        assert all(np.isfinite([loss for loss, _ in progress.losses] + list(progress.validations)))

    whole = "\n".join([*steps[:2], lines[0], *steps[2:], lines[2], ""]).encode()
    doors = [read, lambda content: read(b"\n".join([*(line.encode() for line in steps), content, b""]))]
    return Reader(behind(0, whole) + behind(1, *(line.encode() for line in lines)), doors)


def params_reader(folder: Path) -> Reader:
    """0 params.npz, 1 its largest array, 2 a small one, 3 data.json."""
    run_dir, params = write_run(folder / "run", Config(), image=(1, 16, 16), classes=("a", "b"))
    config = (run_dir / "config.json").read_bytes()
    files = {name: (run_dir / name).read_bytes() for name in ("params.npz", "data.json")}
    members = {f"{layer}__{name}": npy(leaf) for layer, leaves in params.items() for name, leaf in leaves.items()}

    def read(name: str, content: bytes) -> None:
        write(run_dir, files | {"config.json": config, name: content})
        run = open_run(run_dir)
        images = jax.ShapeDtypeStruct((2, *run.image), jnp.float32)
        assert jax.eval_shape(make_apply(run.config), run.params, images).shape == (2, len(run.classes))

    def member(name: str) -> Callable[[bytes], None]:
        return lambda content: read("params.npz", packed(zipfile.ZIP_STORED, **(members | {name: content})))

    inner = [member("dense1__kernel"), member("conv2__bias")]
    doors = [lambda content: read("params.npz", content), *inner, lambda content: read("data.json", content)]
    small = packed(zipfile.ZIP_DEFLATED, conv1__kernel=members["conv1__kernel"], conv1__bias=members["conv1__bias"])
    seeds = behind(0, small) + behind(1, members["dense1__kernel"][:200]) + behind(2, members["conv2__bias"])
    return Reader(seeds + behind(3, files["data.json"]), doors)


def checkpoint_reader(folder: Path) -> Reader:
    """A door for each file of a checkpoint."""
    config = Config(epochs=1)
    first = new_state({"w": jnp.arange(6.0).reshape(2, 3)}, optax.adam(0.1), seed=1)
    last = replace(first, params={"w": first.params["w"] + 1}, step=first.step + 1)
    sound, damaged = folder / "sound", folder / "damaged"
    sound.mkdir()
    checkpoints = Checkpoints(sound, config)
    checkpoints.save(first, 1.5, 0.25)
    checkpoints.save(last, 2.5, 0.5)
    checkpoints.close()
    files = sorted(path.relative_to(sound) for path in sound.rglob("*") if path.is_file())

    def door(name: Path) -> Callable[[bytes], None]:
        def read(content: bytes) -> None:
            shutil.rmtree(damaged, ignore_errors=True)
            shutil.copytree(sound, damaged)
            (damaged / name).write_bytes(content)
            checkpoints = Checkpoints(damaged, config)
            try:
                found = [checkpoints.restore(first), checkpoints.best(first)]
            finally:
                checkpoints.close()
                time.sleep(0.02)  # until reads end that a damaged array left to themselves: tracemalloc may crash them
            for one in filter(None, found):
                expected = (first, last)[one.steps]
                assert int(one.state.step) == one.steps
                np.testing.assert_array_equal(one.state.params["w"], expected.params["w"])
                assert one.seconds >= 0

        return read

    seeds = [bytes([door]) + (sound / name).read_bytes() for door, name in enumerate(files)]
    return Reader(seeds, [door(name) for name in files])


READERS: dict[str, Callable[[Path], Reader]] = {
    "idx": idx_reader,
    "picture": picture_reader,
    "npz": npz_reader,
    "config": config_reader,
    "metrics": metrics_reader,
    "params": params_reader,
    "checkpoint": checkpoint_reader,
}
"""Each takes an empty folder of its own."""
