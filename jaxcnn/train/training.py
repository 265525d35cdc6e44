"""A whole run: settings and data in, a trained model and its record out."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

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
from jaxcnn.train.record import FIRST, RunDirectory, fitted, load_params, open_run
from jaxcnn.train.run_data import Loaded, check_unchanged, load_new, reload
from jaxcnn.train.step import Measure, Metrics, State, make_step, new_state, no_measure
from jaxcnn.train.tracker import BEGINNING, EpochReport, Progress, StepReport, Watcher
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
    """Of what each layer makes of one batch."""

    progress: Progress
    """What was done before."""

    notes: tuple[str, ...] = ()
    """What a person should hear of the data."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run."""

    params: lenet.Params
    test: Evaluation | None
    """None without a test split, or without a step."""

    steps: int
    """Updates done: fewer than planned after a signal."""

    seconds: float
    """Of the loop, compilation and evaluation included."""

    directory: Path

    ended_early: bool
    """No epoch was better for config.patience of them; the parameters are the best epoch's."""

    signal: int = 0
    """The signal that ended the run before its last step, or 0."""


class Audience(Watcher, Protocol):
    """A watcher who is there from the start."""

    def start(self, start: Start) -> None: ...


class Silent:
    """An audience that says nothing."""

    def start(self, start: Start) -> None: ...

    def step(self, report: StepReport) -> None: ...

    def epoch(self, report: EpochReport) -> None: ...


def run(
    config: Config,
    audience: Audience | None = None,
    *,
    resume: bool = False,
    from_step: int | None = None,
    data_dir: Path | None = None,
    data_file: Path | None = None,
) -> Outcome:
    """Train LeNet as a config says, and keep what came of it in a run directory.

    The directory is made once the config is checked and the data are loaded. Ctrl-C, SIGTERM or SIGHUP ends the run
    after the step at hand, with what was trained so far saved. A run that goes on from a checkpoint ends as it would
    have without the break, to the last bit.

    Args:
      config: the settings.
      audience: told of the start, of every step and of every epoch.
      resume: go on with the run whose directory is config.run_dir.
      from_step: the checkpoint from which to go on; None is the last one.
      data_dir, data_file: where the data of a run that goes on are now, if they have moved.

    Returns:
      The parameters, and where their record is.

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
    audience = audience or Silent()
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
        with interruptible() as stop, Recorder(config, audience, resume=resume) as recorder:
            if config.init_from is not None and not resume:
                recorder.save_first(params)
            progress = BEGINNING
            if resume:
                state, progress = recorder.go_on(state, plan, mesh, from_step)
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
                keep=recorder.keep,
                start=progress,
            )
            steps = int(state.step)
            if config.patience is not None and data.test is not None:
                state = recorder.best(state, mesh)
                test = evaluate(state.params, data.test)
            recorder.end(state)
    seconds = progress.seconds + time.perf_counter() - began
    stopped = stop() if steps < plan.steps else 0
    return Outcome(state.params, test, steps, seconds, recorder.path, steps < plan.steps and not stopped, stopped)


class Recorder:
    """What a run leaves behind and tells. Process 0 does that; the others of a run only read."""

    def __init__(self, config: Config, audience: Audience, *, resume: bool) -> None:
        """Make the run directory, or open that of a run that goes on.

        Raises:
          InputError: it can't be made, or is in use.
        """
        self._leads, self._audience = jax.process_index() == 0, audience
        self.watchers: list[Watcher] = []
        self.path = config.run_dir or Path()
        import_orbax()  # before there is a folder
        with ExitStack() as closing:
            if self._leads or resume:
                self._record = RunDirectory(config, resume=resume, leads=self._leads)
                closing.callback(self._record.close)
                self.path = self._record.path
                self._checkpoints = Checkpoints(self.path, config)
            if self._leads:
                self.watchers = [self._record, audience]
                closing.callback(self._checkpoints.close)
                beside: list[TensorBoard | Trace] = [TensorBoard(self.path)] if config.tensorboard else []
                beside += [Trace(config.profile)] if config.profile is not None else []
                self.watchers += beside
                for one in beside:
                    closing.callback(one.close)
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, jax.errors.JaxRuntimeError) and jax.process_count() > 1:
            reason = str(error).splitlines()[0][:80]
            exit_now(f"a process of this run was lost ({reason}): start all again with --resume {self.path}")
        if isinstance(error, Ended):
            error.run_dir = self.path
        self._closing.close()

    def start(self, start: Start, loaded: Loaded) -> None:
        """Write what is known of the data, and tell the audience of the start."""
        if self._leads:
            self._closing.callback(self._record.save_metrics)  # not before it holds what was there
            self._record.save_data(loaded.known)
            self._audience.start(start)

    def go_on(self, state: State, plan: Plan, mesh: Mesh, from_step: int | None) -> tuple[State, Progress]:
        """The state of a checkpoint in place of a new one, and what was done before."""
        found = self._checkpoints.restore(state, steps=from_step)
        progress = self._record.go_on(plan, found.steps if found else 0, found.seconds if found else 0.0)
        if jax.process_count() > 1:  # nobody writes before all have read
            multihost_utils.sync_global_devices("read the checkpoint")
        return (replicate(found.state, mesh) if found else state), progress

    def keep(self, state: State, seconds: float, loss: float | None) -> None:
        """Save a checkpoint, once the record holds the steps that it comes from."""
        if self._leads:
            self._record.save_metrics()
            self._checkpoints.save(state, seconds, loss)

    def best(self, state: State, mesh: Mesh) -> State:
        """The state of the epoch that was judged best."""
        best = self._checkpoints.best(state) if self._leads else None
        params = state.params if best is None else best.state.params
        if jax.process_count() > 1:
            params = multihost_utils.broadcast_one_to_all(params)
        return replace(state, params=replicate(params, mesh))

    def save_first(self, params: lenet.Params) -> None:
        """Write the parameters before the first step, where they come from another run that may be gone tomorrow."""
        if self._leads:
            self._record.save_params(params, FIRST)

    def end(self, state: State) -> None:
        """Write the parameters."""
        if self._leads:
            self._record.save_params(state.params)


def _load(config: Config, *, resume: bool, data_dir: Path | None, data_file: Path | None) -> Loaded:
    """The data of a run that begins, or of one that goes on."""
    run_dir = config.run_dir or Path()
    begun = (run_dir / "data.json").exists() or any((run_dir / FOLDER).glob("[0-9]*"))
    if not (resume and begun):  # one that was killed before its first step begins again
        return load_new(config)
    loaded = reload(config, read_known(run_dir, config.data), data_dir=data_dir, data_file=data_file)
    return check_unchanged(loaded, run_dir)


def _first_params(config: Config, image: tuple[int, ...], classes: Sequence[str], *, resume: bool) -> lenet.Params:
    """The parameters before the first step: random ones, or those of the run that config.init_from names."""
    drawn = initial_params(config, image, len(classes))
    if config.init_from is None:
        return drawn
    kept = (config.run_dir or Path()) / FIRST
    if resume and kept.is_file():
        return load_params(kept)
    return fitted(open_run(config.init_from), drawn, classes)


def on_devices(data: Data, mesh: Mesh) -> Data:
    """The same data, with its arrays on every device of a mesh."""
    return data._replace(**{split: replicate(getattr(data, split), mesh) for split in ("train", "test", "validation")})


def _measure(config: Config) -> Measure:
    """For random soft labels, what tells learning from oscillation: their entropy and what sample 0 is taken for."""
    if config.data != "synthetic":
        return no_measure

    def measure(logits: jax.Array, batch: Split) -> Metrics:
        bound = entropy(batch.targets, reduction=config.loss)
        return {"entropy": bound, "probabilities": jax.nn.softmax(logits[0])}

    return measure
