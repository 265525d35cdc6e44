"""Track a run: collect losses as the device returns them, and report steps and epochs to watchers."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax

from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation
from jaxcnn.train.step import Metrics

IN_FLIGHT = 8
"""At most this many calls wait on the device: enough that it never idles, few enough that Ctrl-C ends a run soon."""


@dataclass(frozen=True)
class StepReport:
    """One step, reported as soon as its loss has come back from the device."""

    step: int
    """From 0; the loss is the one before this step's update."""

    epoch: int
    """From 1."""

    loss: float
    metrics: dict[str, Any]
    """What else the step measured."""

    seconds: float = 0.0
    """Since the loop began."""

    images_per_second: float = 0.0
    """In this epoch so far."""


@dataclass(frozen=True)
class EpochReport:
    """The evaluation at the end of an epoch, or where a run ended inside one."""

    epoch: int
    steps: int
    """Updates done so far."""

    train_loss: float
    """Mean over this epoch's samples, each at the time of its step."""

    learning_rate: float
    """Of the last update."""

    test: Evaluation
    validation: Evaluation | None
    seconds: float
    """Since the loop began."""

    images_per_second: float
    """In this epoch's training, without the evaluation."""


class Watcher(Protocol):
    """A callback: told of every step and every epoch of a run."""

    def step(self, report: StepReport) -> None: ...

    def epoch(self, report: EpochReport) -> None: ...


class _Pending(NamedTuple):
    step: int
    """The first of the call."""

    steps: int | None
    """Length of the first axis of the metrics; None is a single step, whose metrics have no such axis."""

    epoch: int
    samples: int
    """Of each step."""

    metrics: Metrics


class Progress(NamedTuple):
    """Where a run begins, or goes on."""

    steps: int = 0
    seconds: float = 0.0
    losses: Sequence[tuple[float, int]] = ()
    """Of the unfinished epoch: the loss and the number of samples of each step."""

    validations: Sequence[float] = ()
    """The loss by which each finished epoch was judged."""


FROM_THE_START = Progress()


class Tracker:
    """Counts steps, holds their losses until the device has computed them, and calls the watchers."""

    def __init__(
        self, loss: str, rate: Callable[[int], Any], watchers: Sequence[Watcher], start: Progress = FROM_THE_START
    ) -> None:
        """Start with the first epoch, or where a run stopped.

        Args:
          loss: whether losses are the "mean" or the "sum" over a batch.
          rate: the learning rate of a step.
          watchers: called for every step and epoch.
          start: what was done before.
        """
        self.steps = start.steps
        self._loss = loss
        self._rate = rate
        self._watchers = watchers
        self._pending: deque[_Pending] = deque()
        self._began = time.perf_counter() - start.seconds
        self._samples = self._entered = self._before = 0
        self._open_epoch()
        for value, samples in start.losses:
            self._enter(value, samples)
        self._samples = self._before = self._entered

    @property
    def seconds(self) -> float:
        """Since the loop began, including the time before a resume."""
        return time.perf_counter() - self._began

    @property
    def epoch_is_open(self) -> bool:
        """Whether steps were done since the last epoch ended."""
        return self._samples > 0

    def add(self, epoch: int, samples: int, metrics: Metrics, steps: int | None = None) -> None:
        """Add a call that was given to the device, and report older ones."""
        self._pending.append(_Pending(self.steps, steps, epoch, samples, metrics))
        self.steps += steps or 1
        self._samples += samples * (steps or 1)
        self.settle(leave=IN_FLIGHT)

    def settle(self, leave: int = 0) -> None:
        """Wait for all pending losses but the newest few, and report their steps.

        Raises:
          InputError: a loss that isn't finite.
        """
        while len(self._pending) > leave:
            call = self._pending.popleft()
            metrics = jax.device_get(call.metrics)
            each = [metrics] if call.steps is None else [
                {name: values[i] for name, values in metrics.items()} for i in range(call.steps)
            ]  # fmt: skip
            for step, measured in enumerate(each, start=call.step):
                self._settle_step(step, call, measured)
        self._settled = time.perf_counter()

    def _settle_step(self, step: int, call: _Pending, metrics: dict[str, Any]) -> None:
        loss = float(metrics.pop("loss"))
        self._check_finite(loss, step)
        self._enter(loss, call.samples)
        self._epoch, self._settled = call.epoch, time.perf_counter()
        report = StepReport(step, call.epoch, loss, metrics, self.seconds, self._images_per_second())
        for watcher in self._watchers:
            watcher.step(report)

    def close_epoch(self, test: Evaluation, validation: Evaluation | None = None) -> None:
        """Report an epoch whose steps are all settled, and begin the next.

        Raises:
          InputError: a loss that isn't finite.
        """
        for measured in (validation, test):
            if measured is not None:
                self._check_finite(measured.loss, self.steps - 1)
        report = EpochReport(
            epoch=self._epoch,
            steps=self.steps,
            train_loss=self._total / self._samples,
            learning_rate=float(self._rate(self.steps - 1)),
            test=test,
            validation=validation,
            seconds=self.seconds,
            images_per_second=self._images_per_second(),
        )
        for watcher in self._watchers:
            watcher.epoch(report)
        self._open_epoch()

    def _open_epoch(self) -> None:
        self._total, self._samples, self._entered, self._epoch, self._before = 0.0, 0, 0, 0, 0
        self._opened = self._settled = time.perf_counter()

    def _enter(self, loss: float, samples: int) -> None:
        self._total += loss * (samples if self._loss == "mean" else 1)
        self._entered += samples

    def _images_per_second(self) -> float:
        return float((self._entered - self._before) / (self._settled - self._opened))

    def _check_finite(self, loss: float, step: int) -> None:
        """Stop a run whose loss is NaN or infinite."""
        if not math.isfinite(loss):
            rate = float(self._rate(step))
            raise InputError(
                f"the loss is {loss} at step {step} with learning rate {rate:.3g}: "
                f"lower it, for instance --learning-rate {float(self._rate(0)) / 10:.3g}"
            )
