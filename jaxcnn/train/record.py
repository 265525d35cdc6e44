"""The run directory. Each file in it is whole at every moment: written beside its place, then moved there."""

import io
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcnn.train.arrays import read_npz
from jaxcnn.train.config import MOST, Config, read_config
from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation
from jaxcnn.train.files import beside, parse_json, read_text
from jaxcnn.train.ledger import EpochReport, Progress, StepReport
from jaxcnn.train.lock import Lock
from jaxcnn.train.loop import Plan
from jaxcnn.train.model import initial_params

RUNS = Path("runs")
METRICS = "metrics.jsonl"
SAVE_SECONDS = 2.0
"""How old what a reader finds in it may be while a run goes on."""


def write_whole(path: Path, content: bytes, *, remedy: str = "make room for it, or choose another --run-dir") -> None:
    """Write a file so that readers find the old content or the new, and nothing between.

    Args:
      path: the file, in a folder that exists.
      content: all of it.
      remedy: what to do where it can't be written.

    Raises:
      InputError: no permission, no room.

    >>> write_whole(Path("/nowhere/config.json"), b"")
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/config.json can't be written (No such file or directory):
    make room for it, or choose another --run-dir
    """
    with beside(path, remedy) as place:
        with place.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        place.replace(path)


class RunDirectory:
    """config.json, data.json, metrics.jsonl and, in the end, params.npz. A watcher of the loop.

    data.json has the shape of an image and the names of the classes, {"image", "classes"}.

    metrics.jsonl has a line a step, {"step", "epoch", "loss", "accuracy", "learning_rate", ..., "seconds",
    "images_per_second"} with what else the step measured, and a line an epoch, {"epoch", "steps", "train_loss",
    "test_loss", "test_accuracy", "test_correct", "test_count", "learning_rate", "seconds", "images_per_second"}, with
    the same four of the validation where there is one; but for the last two, a seed decides them to the last bit.
    """

    def __init__(self, config: Config, *, resume: bool = False, leads: bool = True) -> None:
        """Make the folder and write config.json, or read back what is there.

        Until it is closed, or this process ends, no other process writes into the folder.

        Args:
          config: of the run; its run_dir is made if need be and must be empty.
          resume: it is the folder of the run, which goes on; config.json stays as it is.
          leads: whether this process writes; of a run of several the others only read.

        Raises:
          InputError: the folder can't be made, holds something, or is in use by another process.
        """
        self._lines: list[str] = []
        self._saved = (0, time.monotonic())  # how many lines, and when
        self._lock: Lock | None = None
        if resume:
            self.path = config.run_dir or Path()
            self._lock = Lock(self.path) if leads else None
            return
        self.path, self._lock = _folder(config)
        write_whole(self.path / "config.json", config.to_json().encode())

    def close(self) -> None:
        """Let another process write into the folder."""
        if self._lock is not None:
            self._lock.release()

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
        record = {"step": report.step, "epoch": report.epoch, "loss": report.loss, **measured}
        self._add(record | _pace(report))

    def epoch(self, report: EpochReport) -> None:
        record = {
            "epoch": report.epoch,
            "steps": report.steps,
            "train_loss": report.train_loss,
            **_measured("test", report.test),
            **_measured("validation", report.validation),
            "learning_rate": report.learning_rate,
        }
        self._add(record | _pace(report))

    def _add(self, record: dict[str, Any]) -> None:
        self._lines.append(f"{json.dumps(record)}\n")
        if time.monotonic() - self._saved[1] > SAVE_SECONDS:
            self.save_metrics()

    def go_on(self, plan: Plan, steps: int, seconds: float) -> Progress:
        """Take metrics.jsonl up to a step, and forget what came after it.

        Args:
          plan: of the run.
          steps: done so far.
          seconds: that they took.

        Returns:
          What the ledger of the loop goes on from.

        Raises:
          InputError: a metrics.jsonl that is damaged or lacks some of these steps.
        """
        there = read_metrics(self.path) if steps else []
        per_epoch = plan.steps_per_epoch

        def done(record: dict[str, Any]) -> bool:
            if "step" in record:
                return bool(record["step"] < steps)
            return bool(record["steps"] <= steps and record["steps"] % per_epoch == 0)

        records = list(filter(done, there))
        self._lines = [f"{json.dumps(record)}\n" for record in records]
        of_steps = [record for record in records if "step" in record]
        if [record["step"] for record in of_steps] != list(range(steps)):
            raise InputError(
                f"{self.path / METRICS} lacks some of the first {steps} steps: it is damaged; start a new run"
            )
        begun = steps - steps % per_epoch
        losses = [(record["loss"], plan.batch_size) for record in of_steps[begun:]]
        epochs = [record for record in records if "steps" in record]
        return Progress(steps, seconds, losses, [r.get("validation_loss", r["test_loss"]) for r in epochs])

    def save_metrics(self) -> None:
        """Write metrics.jsonl with every line so far, if there are new ones.

        Raises:
          InputError: no permission, no room.
        """
        if not self._lines or len(self._lines) > self._saved[0]:
            write_whole(self.path / METRICS, "".join(self._lines).encode())
        self._saved = len(self._lines), time.monotonic()

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


def _pace(report: StepReport | EpochReport) -> dict[str, float]:
    return {"seconds": round(report.seconds, 3), "images_per_second": round(report.images_per_second, 1)}


def _measured(split: str, of: Evaluation | None) -> dict[str, float]:
    if of is None:
        return {}
    measured = {"loss": of.loss, "accuracy": of.accuracy, "correct": of.correct, "count": of.count}
    return {f"{split}_{name}": value for name, value in measured.items()}


def read_metrics(run_dir: Path) -> list[dict[str, Any]]:
    """The records of a run's metrics.jsonl, of steps and of epochs, in their order.

    Raises:
      InputError: no such file, or a damaged one.
    """
    path = run_dir / METRICS
    try:
        records: list[dict[str, Any]] = [parse_json(line) for line in read_text(path).splitlines()]
        if not all(map(_is_record, records)):
            raise ValueError("a line is no record")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read ({reason}): it is damaged, or no run's") from error
    return records


def _is_record(found: Any) -> bool:
    """Whether a line is of a step or of an epoch: what counts them is whole, and all else finite."""
    if not isinstance(found, dict) or not ({"step", "loss"} <= found.keys() or {"steps", "test_loss"} <= found.keys()):
        return False
    counts = [value for name, value in found.items() if name in ("step", "steps", "epoch")]
    numbers = [number for value in found.values() for number in (value if isinstance(value, list) else [value])]
    return all(type(value) is int for value in counts) and all(map(_is_finite, numbers))


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _folder(config: Config) -> tuple[Path, Lock]:
    """Make the folder of a run: the one that was asked for, or a new one named after the data set and the time."""
    path = config.run_dir or RUNS / f"{config.data}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        if config.run_dir is None:
            path = _unused(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = Lock(path)
        occupied = any(not file.name.startswith(".") for file in path.iterdir())  # a killed run leaves no more
    except OSError as error:
        raise InputError(f"{path} can't be made ({error.strerror}): choose another --run-dir") from error
    if occupied:
        lock.release()
        raise InputError(f"--run-dir {path} isn't empty: choose a new folder, or go on with its run by --resume {path}")
    return path, lock


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

    Raises:
      InputError: no such file, or a damaged one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "params.npz", **{"dense3/bias": np.zeros(10)})
    ...     params = load_params(Path(folder) / "params.npz")
    >>> params["dense3"]["bias"].shape
    (10,)
    """
    params: dict[str, Any] = {}
    try:
        for name, array in read_npz(path).items():
            layer, _, leaf = name.partition("/")
            params.setdefault(layer, {})[leaf] = array
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or no run's") from error
    return params


def _load_facts(path: Path) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The shape of an image and the names of the classes, of data.json."""
    try:
        facts = parse_json(read_text(path))
        image, classes = facts["image"], facts["classes"]
        if not all(type(side) is int and 0 < side < MOST for side in image):
            raise ValueError(f"no image has the shape {image}")
        if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
            raise ValueError("classes are no names")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or no run's") from error
    return tuple(image), tuple(classes)


def _check_fit(path: Path, params: dict[str, Any], config: Config, image: tuple[int, ...], classes: int) -> None:
    """Refuse parameters of another network than a run's."""
    expected = jax.eval_shape(lambda: initial_params(config, image, classes))
    shapes = [{jax.tree_util.keystr(at): (leaf.shape, leaf.dtype) for at, leaf in
               jax.tree_util.tree_leaves_with_path(tree)} for tree in (params, expected)]  # fmt: skip
    if shapes[0] != shapes[1]:
        raise InputError(f"{path} holds other parameters than its run's, of {image} images: it is damaged")


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
    config = read_config(path)
    file = path / "params.npz"
    if not file.is_file():
        raise InputError(f"{path} has no params.npz yet: finish it with train --resume {path}")
    image, classes = _load_facts(path / "data.json")
    params = load_params(file)
    _check_fit(file, params, config, image, len(classes))
    return Run(path, config, params, image, classes)
