"""What a run looks like to someone who watches it: plain lines, and below them a progress bar on a terminal."""

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import jax
from jax.sharding import Mesh

from jaxcnn.train.commands.output import OutputError, output_error
from jaxcnn.train.errors import extra
from jaxcnn.train.evaluate import Evaluation
from jaxcnn.train.interrupt import signal_name
from jaxcnn.train.tracker import EpochReport, StepReport
from jaxcnn.train.training import Display, Outcome, Start

PRINT_STEPS = 100


class Terminal(Display):
    """A display that prints: lines to stdout, and a bar to stderr where that is a terminal.

    When it can't print any more, the run goes on in silence: the training is worth more than its output.
    """

    def __init__(self, *, quiet: bool = False, lost: OutputError | None = None) -> None:
        """Load tqdm.

        Args:
          quiet: print nothing, as in all processes of a run but the first.
          lost: why nothing can be printed, if that is known already.

        Raises:
          InputError: tqdm isn't installed.
        """
        with extra():
            from tqdm import tqdm
        self._tqdm, self._quiet = tqdm, quiet
        self._lost = lost
        self._bar_at: int | None = None
        """Where the bar begins, until it is there."""

        self._bar = tqdm(disable=True)
        self._latest: deque[StepReport] = deque(maxlen=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._going_on():
            self._bar.close()

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """An error of the output inside this block ends the output, not the run."""
        try:
            yield
        except (OSError, ValueError) as error:
            self._lost = self._lost or output_error(error)
            self._bar = self._tqdm(disable=True)

    def start(self, start: Start) -> None:
        """Print the device and the shapes, and draw the bar."""
        self._start = start
        self._print(*start_lines(start))
        self._bar_at = start.progress.steps
        with self._going_on():
            if sys.stderr.isatty() and self._lost is None:
                self._print("compiling ...")

    def step(self, report: StepReport) -> None:
        """Move the bar; print every hundredth step of a run without a test, which prints no epochs."""
        self._latest.append(report)
        with self._going_on():
            if self._bar_at is not None and self._lost is None:
                total, begun, self._bar_at = self._start.plan.steps, self._bar_at, None
                self._bar = self._tqdm(
                    total=total, initial=begun, unit="step", dynamic_ncols=True, leave=False, disable=None
                )
            self._bar.set_postfix(
                loss=f"{report.loss:.4g}", accuracy=f"{float(report.metrics['accuracy']):.1%}", refresh=False
            )
            self._bar.update()
        last = report.step == self._start.plan.steps - 1
        if self._start.data.test is None and (report.step % PRINT_STEPS == 0 or last):
            self._print(step_line(report, self._start.plan.steps))

    def epoch(self, report: EpochReport) -> None:
        """Print a line for an epoch."""
        self._print(epoch_line(report, self._start.plan.epochs))

    def end(self, outcome: Outcome) -> None:
        """Print the result, the time, and the run directory.

        Raises:
          OutputError: some of the lines could not be printed.
        """
        with self._going_on():
            self._bar.close()
        if self._quiet:
            return
        self._print(*end_lines(self._start, outcome, list(self._latest)))
        if self._lost is not None and not outcome.signal:  # a terminal that was closed is no fault of the output's
            reason = str(self._lost) or "nobody reads the output any more"
            raise OutputError(f"{reason}; the run went on, and is whole: {outcome.directory}")

    def _print(self, *lines: str) -> None:
        with self._going_on():
            if self._lost is None:
                with self._tqdm.external_write_mode(file=sys.stdout):
                    sys.stdout.writelines(f"{line}\n" for line in lines)
                    sys.stdout.flush()


def start_lines(start: Start) -> Iterator[str]:
    """Device, data, and for a run on one batch the shape of every layer."""
    yield f"device: {device_name(start.mesh)}"
    train, test, validation = start.data.train, start.data.test, start.data.validation
    validated = f", {len(validation.targets)} to validate" if validation is not None else ""
    held_out = f", {len(test.targets)} to test" if test is not None else ""
    yield f"data: {start.config.data}, {len(train.targets)} images to train{validated}{held_out}"
    yield from (f"note: {note}" for note in start.notes)
    if start.progress.steps:
        yield f"going on after {start.progress.steps} of {start.plan.steps} steps"
    if test is None:
        yield "layer shapes:"
        yield from (f"  {name:<6}  {shape}" for name, shape in start.shapes.items())


def device_name(mesh: Mesh) -> str:
    """The platform, and in brackets what kind of devices these are.

    >>> device_name(jax.make_mesh((1,), ("samples",), devices=jax.devices("cpu")[:1])).startswith("cpu (")
    True
    """
    device = mesh.devices.flat[0]
    kind = f"{os.cpu_count()} cores" if device.platform == "cpu" else device.device_kind
    return f"{device.platform} ({kind})" if mesh.size == 1 else f"{mesh.size} of {device.platform} ({kind})"


def step_line(report: StepReport, steps: int) -> str:
    """A step's loss, and the least value that it could have."""
    width = len(str(steps - 1))
    entropy = float(report.metrics["entropy"])
    return f"step {report.step:>{width}}  loss {report.loss:.3f}  entropy of the labels {entropy:.3f}"


def epoch_line(report: EpochReport, epochs: int) -> str:
    """An epoch's loss and accuracy."""
    number = f"{report.epoch:>{len(str(epochs))}}/{epochs}"
    judged = f"validation accuracy {report.validation.accuracy:.1%}  " if report.validation is not None else ""
    loss = f"train loss {report.train_loss:.4f}"
    return f"epoch {number}  {loss}  {judged}{accuracy(report.test)}  {report.seconds:.1f} s"


def accuracy(test: Evaluation) -> str:
    """The test accuracy in percent and in images.

    >>> accuracy(Evaluation(loss=0.1, correct=974, count=1000))
    'test accuracy 97.4% (974/1000)'
    """
    return f"test accuracy {test.accuracy:.1%} ({test.correct}/{test.count})"


def end_lines(start: Start, outcome: Outcome, latest: list[StepReport]) -> Iterator[str]:
    """The result, the time, and the run directory."""
    if outcome.steps < start.plan.steps and outcome.ended_early:
        yield f"no epoch was better for {start.config.patience}: ended after {outcome.steps} steps, with the best epoch"
    elif outcome.steps < start.plan.steps:
        yield (
            f"stopped by {signal_name(outcome.signal)} after {outcome.steps} of {start.plan.steps} steps; "
            f"what was trained so far is saved: --resume {outcome.directory} goes on"
        )
    if start.data.test is None and latest:
        yield "what sample 0 is taken for, and its label:"
        yield from (_row(f"step {report.step}", report.metrics["probabilities"]) for report in latest)
        yield _row("label", start.data.train.targets[0])
    if outcome.test is not None:
        yield accuracy(outcome.test)
    images = start.plan.images(outcome.steps)
    yield f"{outcome.seconds:.1f} s, {images / outcome.seconds:.0f} images/s"
    yield f"run directory: {outcome.directory}"


def _row(name: str, probabilities: jax.Array) -> str:
    return f"  {name:<10}" + " ".join(f"{float(p):.3f}" for p in probabilities)
