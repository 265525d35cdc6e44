"""A whole run: takes settings and data, leaves a trained model and its run directory."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import jax
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from jaxcnn import lenet
from jaxcnn.train.augment import make_augment
from jaxcnn.train.checkpoint import FOLDER, Checkpoints, import_orbax
from jaxcnn.train.config import Config
from jaxcnn.train.data import Data, Split
from jaxcnn.train.devices import connect, exit_now, make_mesh, replicate
from jaxcnn.train.evaluate import Evaluation, make_evaluate
from jaxcnn.train.interrupt import Ended, interruptible
from jaxcnn.train.known import read_known
from jaxcnn.train.loop import Plan, fit, make_plan
from jaxcnn.train.loss import entropy
from jaxcnn.train.model import initial_params, layer_shapes, make_apply, make_optimizer, make_schedule
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.run_data import Loaded, check_unchanged, load_new, reload
from jaxcnn.train.saved import FIRST, PARAMS, load_params, open_run, transferred
from jaxcnn.train.step import Measure, Metrics, State, make_step, new_state, no_measure
from jaxcnn.train.tracker import EpochReport, Progress, StepReport, Watcher
from jaxcnn.train.watchers import TensorBoard, Trace


@dataclass(frozen=True)
class Start:
    """What is known before the first step."""

    config: Config
    plan: Plan
    mesh: Mesh
    data: Data
    """On its devices."""

    shapes: dict[str, tuple[int, ...]]
    """Of the output of each layer for one batch."""

    progress: Progress
    """What was done before."""

    notes: tuple[str, ...] = ()
    """What the user should know about the data."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run."""

    params: lenet.Params
    test: Evaluation | None
    """None without a test split, or without a step."""

    steps: int
    """Updates done: fewer than planned after a signal."""

    seconds: float
    """Of the loop, including compilation and evaluation."""

    directory: Path

    ended_early: bool
    """config.patience epochs passed without a better one; the parameters are those of the best epoch."""

    signal: int = 0
    """The signal that ended the run before its last step, or 0."""


class Display:
    """A watcher that also sees the start of a run, to show it to a person; this one shows nothing."""

    def start(self, start: Start) -> None: ...

    def step(self, report: StepReport) -> None: ...

    def epoch(self, report: EpochReport) -> None: ...


def run(
    config: Config,
    display: Display | None = None,
    *,
    resume: bool = False,
    from_step: int | None = None,
    data_dir: Path | None = None,
    data_file: Path | None = None,
) -> Outcome:
    """Train LeNet as a config says, and save the results in a run directory.

    The directory is made once the config is checked and the data are loaded. Ctrl-C, SIGTERM or SIGHUP ends the run
    after the current step, and saves what was trained so far. A resumed run ends exactly as it would have without the
    break, to the last bit.

    Args:
      config: the settings.
      display: told of the start, of every step and of every epoch.
      resume: go on with the run whose directory is config.run_dir.
      from_step: the step of the checkpoint to resume from; None is the last one.
      data_dir, data_file: where the data of a resumed run are now, if they have moved.

    Returns:
      The parameters, their test, and the run directory.

    Raises:
      InputError: anything that the user can mend.

    >>> import tempfile
    >>> from dataclasses import replace
    >>> from jaxcnn.train.config import preset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     config = replace(preset("synthetic"), samples=10, steps=2, run_dir=Path(folder) / "run")
    ...     outcome = run(config)
    ...     (outcome.directory / "params.npz").exists(), outcome.steps
    (True, 2)
    """
    display = display or Display()
    config.check()
    connect(config)
    mesh = make_mesh(config)
    with jax.default_device(mesh.local_devices[0]):
        loaded = _load(config, resume=resume, data_dir=data_dir, data_file=data_file)
        data = on_devices(loaded.data, mesh)
        plan = make_plan(config, len(data.train.targets))
        image = data.train.images.shape[1:]
        params, apply = _first_params(config, image, data.classes, resume=resume), make_apply(config)
        schedule = make_schedule(config, plan.steps)
        optimizer = make_optimizer(config, schedule)
        state = replicate(new_state(params, optimizer, config.seed), mesh)
        with interruptible() as stop, Recorder(config, display, resume=resume) as recorder:
            if config.init_from is not None and not resume:
                recorder.save_params(params, FIRST)  # those of another run, which may be deleted later
            progress = Progress()
            if resume:
                state, progress = recorder.restore(state, plan, mesh, from_step)
            shapes = layer_shapes(params, (plan.batch_size, *image))
            recorder.start(Start(config, plan, mesh, data, shapes, progress, loaded.notes), loaded)
            began = time.perf_counter()
            evaluate = make_evaluate(apply, mesh=mesh)
            state, test = fit(
                state,
                data,
                config,
                step=make_step(
                    apply,
                    optimizer,
                    reduction=config.loss,
                    measure=_measure(config),
                    augment=make_augment(config.shift, config.rotate),
                    rate=schedule,
                    mesh=mesh,
                ),
                evaluate=evaluate,
                rate=schedule,
                watchers=recorder.watchers,
                stop=stop,
                keep=recorder.save_checkpoint,
                start=progress,
            )
            steps = int(state.step)
            if config.patience is not None and data.test is not None:
                state = recorder.best_state(state, mesh)
                test = evaluate(state.params, data.test)
            recorder.save_params(state.params)
    seconds = progress.seconds + time.perf_counter() - began
    stopped = stop() if steps < plan.steps else 0
    return Outcome(state.params, test, steps, seconds, recorder.path, steps < plan.steps and not stopped, stopped)


class Recorder:
    """Everything that a run writes and reports. Process 0 writes; the other processes of a run only read."""

    def __init__(self, config: Config, display: Display, *, resume: bool) -> None:
        """Make the run directory, or open that of a run to resume.

        Raises:
          InputError: it can't be made, or is in use.
        """
        self._leads, self._display = jax.process_index() == 0, display
        self.watchers: list[Watcher] = []
        self.path = config.run_dir or Path()
        import_orbax()  # fails before a folder is made
        with ExitStack() as closing:
            if self._leads or resume:
                self._record = RunDirectory(config, resume=resume, leads=self._leads)
                closing.callback(self._record.close)
                self.path = self._record.path
                self._checkpoints = Checkpoints(self.path, config)
            if self._leads:
                self.watchers = [self._record, display]
                closing.callback(self._checkpoints.close)
                extras: list[TensorBoard | Trace] = [TensorBoard(self.path)] if config.tensorboard else []
                extras += [Trace(config.profile)] if config.profile is not None else []
                self.watchers += extras
                for watcher in extras:
                    closing.callback(watcher.close)
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, jax.errors.JaxRuntimeError) and jax.process_count() > 1:
            reason = str(error).splitlines()[0][:80]
            exit_now(f"a process of this run was lost ({reason}): start all again with --resume {self.path}")
        if isinstance(error, Ended):
            error.run_dir = self.path
        self._closing.close()

    def start(self, start: Start, loaded: Loaded) -> None:
        """Write data.json, and show the start."""
        if self._leads:
            self._closing.callback(self._record.save_metrics)  # only now does it hold the lines from before a resume
            self._record.save_data(loaded.known)
            self._display.start(start)

    def restore(self, state: State, plan: Plan, mesh: Mesh, from_step: int | None) -> tuple[State, Progress]:
        """The state of a checkpoint, and what was done before it."""
        found = self._checkpoints.restore(state, steps=from_step)
        progress = self._record.resume_at(plan, found.steps if found else 0, found.seconds if found else 0.0)
        if jax.process_count() > 1:  # nobody writes before all have read
            multihost_utils.sync_global_devices("read the checkpoint")
        return (replicate(found.state, mesh) if found else state), progress

    def save_checkpoint(self, state: State, seconds: float, loss: float | None) -> None:
        """Save a checkpoint, after the metrics of the steps that led to it."""
        if self._leads:
            self._record.save_metrics()
            self._checkpoints.save(state, seconds, loss)

    def best_state(self, state: State, mesh: Mesh) -> State:
        """The same state with the parameters of the best epoch."""
        best = self._checkpoints.best(state) if self._leads else None
        params = state.params if best is None else best.state.params
        if jax.process_count() > 1:
            params = multihost_utils.broadcast_one_to_all(params)
        return replace(state, params=replicate(params, mesh))

    def save_params(self, params: dict[str, Any], name: str = PARAMS) -> None:
        """Write the parameters after the last step, or others by another name."""
        if self._leads:
            self._record.save_params(params, name)


def _load(config: Config, *, resume: bool, data_dir: Path | None, data_file: Path | None) -> Loaded:
    """The data of a new run, or of one to resume."""
    run_dir = config.run_dir or Path()
    begun = (run_dir / "data.json").exists() or any((run_dir / FOLDER).glob("[0-9]*"))
    if not (resume and begun):  # a run that was killed before its first step starts anew
        return load_new(config)
    loaded = reload(config, read_known(run_dir), data_dir=data_dir, data_file=data_file)
    return check_unchanged(loaded, run_dir)


def _first_params(config: Config, image: tuple[int, ...], classes: Sequence[str], *, resume: bool) -> dict[str, Any]:
    """The parameters before the first step: random ones, or those of the run that config.init_from names."""
    drawn = initial_params(config, image, len(classes))
    if config.init_from is None:
        return drawn
    kept = (config.run_dir or Path()) / FIRST
    if resume and kept.is_file():
        return load_params(kept)
    return transferred(open_run(config.init_from), drawn, classes)


def on_devices(data: Data, mesh: Mesh) -> Data:
    """The same data, replicated on every device of a mesh."""
    return data._replace(**{split: replicate(getattr(data, split), mesh) for split in ("train", "test", "validation")})


def _measure(config: Config) -> Measure:
    """For random soft labels also their entropy, which is the least possible loss, and the prediction for sample 0."""
    if config.data != "synthetic":
        return no_measure

    def measure(logits: jax.Array, batch: Split) -> Metrics:
        bound = entropy(batch.targets, reduction=config.loss)
        return {"entropy": bound, "probabilities": jax.nn.softmax(logits[0])}

    return measure
