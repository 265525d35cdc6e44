"""The run directory. Each file in it is whole at every moment: written beside its place, then moved there."""

import io
import json
import os
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcnn.train.config import Config
from jaxcnn.train.errors import InputError
from jaxcnn.train.ledger import EpochReport, StepReport

RUNS = Path("runs")
SAVE_STEPS = 100


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that readers find the old content or the new, and nothing between.

    Args:
      path: the file, in a folder that exists.
      content: all of it.

    Raises:
      InputError: no permission, no room.

    >>> write_whole(Path("/nowhere/config.json"), b"")
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/config.json can't be written (No such file or directory):
    make room for it, or choose another --run-dir
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} can't be written ({error.strerror}): make room for it, or choose another --run-dir"
        ) from error
    finally:
        with suppress(OSError):  # gone already where all went well
            beside.unlink()


class RunDirectory:
    """config.json, data.json, metrics.jsonl and, in the end, params.npz. A watcher of the loop.

    data.json has the shape of an image and the names of the classes, {"image", "classes"}.

    metrics.jsonl has a line a step, {"step", "epoch", "loss", ...} with what else the step measured, and a line an
    epoch, {"epoch", "steps", "train_loss", "test_loss", "test_accuracy", "test_correct", "test_count",
    "learning_rate", "seconds", "images_per_second"}; but for the last two, a seed decides them to the last bit.
    """

    def __init__(self, config: Config) -> None:
        """Make the folder and write config.json.

        Args:
          config: of the run; its run_dir is made if need be and must be empty.

        Raises:
          InputError: the folder can't be made, or holds something.
        """
        self.path = _folder(config)
        self._lines: list[str] = []
        write_whole(self.path / "config.json", config.to_json().encode())

    def save_data(self, image: Sequence[int], classes: Sequence[str]) -> None:
        """Write data.json: all that a reader of the parameters must know of the data.

        Args:
          image: shape of one image, (channels, *spatial).
          classes: their names.
        """
        facts = {"image": list(image), "classes": list(classes)}
        write_whole(self.path / "data.json", (json.dumps(facts) + "\n").encode())

    def step(self, report: StepReport) -> None:
        measured = {name: value.tolist() for name, value in report.metrics.items()}
        self._lines.append(json.dumps({"step": report.step, "epoch": report.epoch, "loss": report.loss, **measured}))
        if len(self._lines) % SAVE_STEPS == 0:
            self.save_metrics()

    def epoch(self, report: EpochReport) -> None:
        record = {
            "epoch": report.epoch,
            "steps": report.steps,
            "train_loss": report.train_loss,
            "test_loss": report.test.loss,
            "test_accuracy": report.test.accuracy,
            "test_correct": report.test.correct,
            "test_count": report.test.count,
            "learning_rate": report.learning_rate,
            "seconds": round(report.seconds, 3),
            "images_per_second": round(report.images_per_second, 1),
        }
        self._lines.append(json.dumps(record))
        self.save_metrics()

    def save_metrics(self) -> None:
        """Write metrics.jsonl with every line so far.

        Raises:
          InputError: no permission, no room.
        """
        write_whole(self.path / "metrics.jsonl", "".join(f"{line}\n" for line in self._lines).encode())

    def save_params(self, params: Any) -> None:
        """Write params.npz, {"conv1/kernel": ..., ...}.

        Args:
          params: nested dicts of arrays.

        Raises:
          InputError: no permission, no room.
        """
        arrays = {
            jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
            for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        }
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        write_whole(self.path / "params.npz", file.getvalue())


def _folder(config: Config) -> Path:
    """Make the folder of a run: the one that was asked for, or a new one named after the data set and the time."""
    path = config.run_dir or RUNS / f"{config.data}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        if config.run_dir is None:
            return _unused(path)
        path.mkdir(parents=True, exist_ok=True)
        occupied = any(path.iterdir())
    except OSError as error:
        raise InputError(f"{path} can't be made ({error.strerror}): choose another --run-dir") from error
    if occupied:
        raise InputError(f"--run-dir {path} isn't empty: choose a new folder")
    return path


def _unused(path: Path) -> Path:
    """Make a folder of this name, or of this name and a number where two runs begin in one second."""
    candidate, number = path, 1
    while True:
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            number += 1
            candidate = path.with_name(f"{path.name}-{number}")
        else:
            return candidate


def load_params(path: Path) -> dict[str, Any]:
    """Read params.npz back into nested dicts.

    Args:
      path: the file.

    Returns:
      {"conv1": {"kernel": ..., "bias": ...}, ...} of NumPy arrays, as `lenet.apply` takes them.
    """
    params: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name, array in arrays.items():
            layer, _, leaf = name.partition("/")
            params.setdefault(layer, {})[leaf] = array
    return params


class Run(NamedTuple):
    """A run that is read back."""

    path: Path
    config: Config
    params: dict[str, Any]
    """NumPy arrays, as `lenet.apply` takes them."""

    image: tuple[int, ...]
    """Shape of one image, (channels, *spatial)."""

    classes: tuple[str, ...]


def open_run(path: Path) -> Run:
    """Read a run directory back: what its command was, and what it learnt.

    Args:
      path: the directory.

    Returns:
      Its config, its parameters, the shape of an image and the names of the classes.

    Raises:
      InputError: no run directory, a run that has not ended yet, a damaged file.

    >>> open_run(Path("/nowhere"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere is no run directory: it has no config.json
    """
    if not (path / "config.json").is_file():
        raise InputError(f"{path} is no run directory: it has no config.json")
    if not (path / "params.npz").is_file():
        raise InputError(f"{path} has no params.npz yet: finish it with train --resume {path}")
    try:
        config = Config.from_json((path / "config.json").read_text())
        facts = json.loads((path / "data.json").read_text())
        image, classes = tuple(map(int, facts["image"])), tuple(map(str, facts["classes"]))
        params = load_params(path / "params.npz")
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or of another version") from error
    return Run(path, config, params, image, classes)
