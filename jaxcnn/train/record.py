"""Writes a run directory. Each file is moved into it when it is complete; only metrics.jsonl grows."""

import io
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxcnn.train.config import LENGTH, Config, read_config
from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation
from jaxcnn.train.files import write_atomically
from jaxcnn.train.known import Known
from jaxcnn.train.lock import Lock
from jaxcnn.train.loop import Plan
from jaxcnn.train.saved import METRICS, PARAMS, read_metrics
from jaxcnn.train.tracker import EpochReport, Progress, StepReport

RUNS = Path("runs")
SAVE_SECONDS = 2.0
"""While a run goes on, metrics.jsonl is at most this far behind."""


class RunDirectory:
    """config.json, data.json, metrics.jsonl and, in the end, params.npz. A watcher of the loop.

    data.json has what the run knows of its data, {"classes", "path", "counts", "preprocessing", "samples"}: the names
    of the classes, where the data were, samples of each split, how a picture becomes an image of which shape, and a
    digest of each sample.

    metrics.jsonl has a line per step, {"step", "epoch", "loss", "accuracy", "learning_rate", ..., "seconds",
    "images_per_second"} with what else the step measured, and a line per epoch, {"epoch", "steps", "train_loss",
    "test_loss", "test_accuracy", "test_correct", "test_count", "learning_rate", "seconds", "images_per_second"}, with
    the same four of the validation if there is one. A seed decides all but the last two to the last bit.
    """

    def __init__(self, config: Config, *, resume: bool = False, leads: bool = True) -> None:
        """Make the folder and write config.json, or read back what is there.

        Until it is closed, or this process ends, no other process writes into the folder.

        Args:
          config: of the run; its run_dir is made if need be and must be empty.
          resume: the folder is that of the run to resume; only the length in config.json may have changed.
          leads: whether this process writes; the other processes of a run only read.

        Raises:
          InputError: the folder can't be made, holds something, or is in use by another process.
        """
        self._lines: list[str] = []
        """Lines of metrics.jsonl that are not in the file yet."""

        self._saved = time.monotonic()
        self._lock: Lock | None = None
        if resume:
            self.path = config.run_dir or Path()
            self._lock = Lock(self.path) if leads else None
            if leads and any(getattr(config, name) != getattr(read_config(self.path), name) for name in LENGTH):
                write_atomically(self.path / "config.json", config.to_json().encode())
            return
        self.path, self._lock = _folder(config)
        write_atomically(self.path / "config.json", config.to_json().encode())

    def close(self) -> None:
        """Let another process write into the folder."""
        if self._lock is not None:
            self._lock.release()

    def save_data(self, known: Known) -> None:
        """Write data.json: what one must know of the data to use the parameters."""
        write_atomically(self.path / "data.json", (json.dumps(known.to_json()) + "\n").encode())

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
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save_metrics()

    def resume_at(self, plan: Plan, steps: int, seconds: float) -> Progress:
        """Cut metrics.jsonl off after the steps that a checkpoint holds, and return what the loop continues from.

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
        of_steps = [record for record in records if "step" in record]
        if [record["step"] for record in of_steps] != list(range(steps)):
            raise InputError(
                f"{self.path / METRICS} lacks some of the first {steps} steps: it is damaged; start a new run"
            )
        begun = steps - steps % per_epoch
        if self._lock is not None:  # rewritten once; from here on lines are appended
            write_atomically(self.path / METRICS, "".join(f"{json.dumps(record)}\n" for record in records).encode())
            if steps < plan.steps:  # those of an earlier end, which its checkpoint holds too
                with suppress(OSError):
                    (self.path / PARAMS).unlink(missing_ok=True)
        losses = [(record["loss"], plan.batch_size) for record in of_steps[begun:]]
        epochs = [record for record in records if "steps" in record]
        return Progress(steps, seconds, losses, [r.get("validation_loss", r["test_loss"]) for r in epochs])

    def save_metrics(self) -> None:
        """Append the waiting lines to metrics.jsonl.

        Raises:
          InputError: no permission, no room.
        """
        path = self.path / METRICS
        try:
            with path.open("ab") as file:
                file.write("".join(self._lines).encode())
                file.flush()
                os.fsync(file.fileno())  # before the checkpoint of these steps
        except OSError as error:
            raise InputError(
                f"{path} can't be written ({error.strerror}): make room for it, or choose another --run-dir"
            ) from error
        self._lines, self._saved = [], time.monotonic()

    def save_params(self, params: Any, name: str = PARAMS) -> None:
        """Write nested dicts of arrays as params.npz, {"conv1/kernel": ..., ...}.

        Raises:
          InputError: no permission, no room.
        """
        arrays = {
            jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
            for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        }
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        write_atomically(self.path / name, file.getvalue())


def _pace(report: StepReport | EpochReport) -> dict[str, float]:
    return {"seconds": round(report.seconds, 3), "images_per_second": round(report.images_per_second, 1)}


def _measured(split: str, of: Evaluation | None) -> dict[str, float]:
    if of is None:
        return {}
    measured = {"loss": of.loss, "accuracy": of.accuracy, "correct": of.correct, "count": of.count}
    return {f"{split}_{name}": value for name, value in measured.items()}


def _folder(config: Config) -> tuple[Path, Lock]:
    """Make the folder of a run: that of --run-dir, or a new one named after the data set and the time."""
    path = config.run_dir or RUNS / f"{config.data}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        if config.run_dir is None:
            path = _unused(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = Lock(path)
        occupied = any(not file.name.startswith(".") for file in path.iterdir())  # a killed run leaves hidden ones
    except OSError as error:
        raise InputError(f"{path} can't be made ({error.strerror}): choose another --run-dir") from error
    if occupied:
        lock.release()
        raise InputError(f"--run-dir {path} isn't empty: choose a new folder, or go on with its run by --resume {path}")
    return path, lock


def _unused(path: Path) -> Path:
    """Make a folder of this name, with a number appended if another run began in the same second."""
    candidate, number = path, 1
    while True:
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            number += 1
            candidate = path.with_name(f"{path.name}-{number}")
        else:
            return candidate
