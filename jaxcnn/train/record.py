"""The run directory. Each file is complete at every moment: it is written elsewhere and moved. metrics.jsonl grows."""

import io
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.arrays import read_npz
from jaxcnn.train.checkpoint import FOLDER, Checkpoints
from jaxcnn.train.config import LENGTH, Config, read_config
from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation
from jaxcnn.train.files import parse_json, read_text, temporary_path
from jaxcnn.train.known import Known, read_known
from jaxcnn.train.lock import Lock
from jaxcnn.train.loop import Plan
from jaxcnn.train.model import initial_params, make_optimizer, make_schedule
from jaxcnn.train.picture import PLAIN, STYLES, Preprocessing
from jaxcnn.train.step import new_state
from jaxcnn.train.tracker import EpochReport, Progress, StepReport

Params = dict[str, dict[str, NDArray[Any]]]
"""{"conv1": {"kernel": ..., "bias": ...}, ...}"""

RUNS = Path("runs")
METRICS = "metrics.jsonl"
FIRST = "first.npz"
SAVE_SECONDS = 2.0
"""While a run goes on, metrics.jsonl is at most this far behind."""


def write_atomically(
    path: Path, content: bytes, *, remedy: str = "make room for it, or choose another --run-dir"
) -> None:
    """Write a file so that a reader finds the old content or the new, nothing in between.

    Args:
      path: the file, in a folder that exists.
      content: all of it.
      remedy: what to do where it can't be written.

    Raises:
      InputError: no permission, no room.

    >>> write_atomically(Path("/nowhere/config.json"), b"")
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/config.json can't be written (No such file or directory):
    make room for it, or choose another --run-dir
    """
    with temporary_path(path, remedy) as temporary:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


class RunDirectory:
    """config.json, data.json, metrics.jsonl and, in the end, params.npz. A watcher of the loop.

    data.json has what the run knows of its data, {"image", "classes", "path", "counts", "preprocessing", "samples"}:
    the shape of an image, the names of the classes, where the data were, samples of each side, how a picture becomes
    an image, and a digest of each sample.

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
        """Cut metrics.jsonl off after a step, where a run is resumed.

        Args:
          plan: of the run.
          steps: done so far.
          seconds: that they took.

        Returns:
          What the loop continues from.

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
                    (self.path / "params.npz").unlink(missing_ok=True)
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

    def save_params(self, params: Any, name: str = "params.npz") -> None:
        """Write params.npz, {"conv1/kernel": ..., ...}.

        Args:
          params: nested dicts of arrays.
          name: of the file.

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


def read_metrics(run_dir: Path) -> list[dict[str, Any]]:
    """The records of a run's metrics.jsonl, of steps and epochs in their order, without an unfinished last line.

    Raises:
      InputError: no such file, or a damaged one.
    """
    path = run_dir / METRICS
    try:
        # A run that was killed, or that writes now, may have left half a line.
        *lines, _ = read_text(path, errors="replace").split("\n")
        records: list[dict[str, Any]] = [parse_json(line) for line in lines]
        if not all(map(_is_record, records)):
            raise ValueError("a line is no record")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read ({reason}): it is damaged, or no run's") from error
    return records


def _is_record(found: Any) -> bool:
    """Whether a line is that of a step or an epoch: its counters are integers, and all other numbers finite."""
    if not isinstance(found, dict) or not ({"step", "loss"} <= found.keys() or {"steps", "test_loss"} <= found.keys()):
        return False
    counts = [value for name, value in found.items() if name in ("step", "steps", "epoch")]
    numbers = [number for value in found.values() for number in (value if isinstance(value, list) else [value])]
    return all(type(value) is int for value in counts) and all(map(_is_finite, numbers))


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


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


def load_params(path: Path) -> Params:
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
    params: Params = {}
    try:
        for name, array in read_npz(path).items():
            layer, _, leaf = name.partition("/")
            params.setdefault(layer, {})[leaf] = array
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or no run's") from error
    return params


def _check_fit(path: Path, params: dict[str, Any], config: Config, image: tuple[int, ...], classes: int) -> None:
    """Refuse parameters that are not those of this run's network."""
    expected = jax.eval_shape(lambda: initial_params(config, image, classes))
    shapes = [{jax.tree_util.keystr(at): (leaf.shape, leaf.dtype) for at, leaf in
               jax.tree_util.tree_leaves_with_path(tree)} for tree in (params, expected)]  # fmt: skip
    if shapes[0] != shapes[1]:
        raise InputError(f"{path} holds other parameters than its run's, of {image} images: it is damaged")


def transferred(run: "Run", drawn: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """The parameters of a run as the start of another one; with other classes its last layer starts at random.

    Args:
      run: what `open_run` returns.
      drawn: the random parameters with which the other run would start.
      classes: of the other run.

    Raises:
      InputError: networks of other sizes.
    """
    *same, last = drawn
    for layer in same if run.classes != tuple(classes) else drawn:
        theirs, ours = (
            {name: tuple(leaf.shape) for name, leaf in tree.get(layer, {}).items()} for tree in (run.params, drawn)
        )
        if theirs != ours:
            raise InputError(
                f"--init-from {run.path}: its {layer} has the shapes {theirs}, and that of this run {ours}: its images "
                f"are of shape {run.image}; take the same size of images, --width and --dense-bias"
            )
    return {layer: run.params[layer] for layer in same} | {
        last: drawn[last] if run.classes != tuple(classes) else run.params[last]
    }


class Run(NamedTuple):
    """A run that is read back."""

    path: Path
    config: Config
    params: Params
    """NumPy arrays, as `lenet.apply` takes them."""

    image: tuple[int, ...]
    """Shape of one image, (channels, *spatial)."""

    classes: tuple[str, ...]

    known: Known | None = None
    """What data.json holds."""

    notes: tuple[str, ...] = ()
    """What the user should know about these parameters."""


def preprocessing_of(run: Run) -> Preprocessing:
    """How a picture becomes an image of a run."""
    return run.known.preprocessing if run.known else Preprocessing(run.image, STYLES.get(run.config.data, PLAIN))


def open_run(path: Path) -> Run:
    """Read a run directory: its settings, and the parameters it learnt.

    Args:
      path: the directory.

    Returns:
      Its config, its parameters (of an unfinished run those of the last checkpoint), the shape of an image and the
      names of the classes.

    Raises:
      InputError: no run directory, a run without a checkpoint yet, a damaged file.

    >>> open_run(Path("/nowhere"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere is no run directory: it has no config.json
    """
    config = read_config(path)
    file = path / "params.npz"
    finished = file.is_file()
    if not finished and not (path / FOLDER).is_dir():
        raise InputError(f"{path} has no params.npz yet, nor a checkpoint: go on with it by train --resume {path}")
    known = read_known(path, config.data)
    notes: tuple[str, ...] = ()
    if finished:
        params = load_params(file)
        _check_fit(file, params, config, known.image, len(known.classes))
    else:
        params, steps = _last_params(path, config, known)
        notes = (f"{path} hasn't ended: this is its last checkpoint, after {steps} steps",)
    return Run(path, config, params, known.image, known.classes, known, notes)


def _last_params(path: Path, config: Config, known: Known) -> tuple[dict[str, Any], int]:
    """The parameters of the last checkpoint and its step. A run that goes on may delete it meanwhile, so try again."""
    optimizer = make_optimizer(config, make_schedule(config, steps=1))
    like = new_state(initial_params(config, known.image, len(known.classes)), optimizer)
    for attempt in (1, 2, 3):
        checkpoints = Checkpoints(path, config, reads=True)
        try:
            found = checkpoints.restore(like)
        except InputError:
            if attempt == 3:
                raise
            time.sleep(0.2)
            continue
        finally:
            checkpoints.close()
        if found is None:
            break
        return jax.device_get(found.state.params), found.steps
    raise InputError(f"{path} has no params.npz yet, nor a checkpoint: go on with it by train --resume {path}")
