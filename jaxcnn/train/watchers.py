"""Optional watchers of a run: TensorBoard events, and a profiler trace."""

from pathlib import Path

import jax

from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.tracker import EpochReport, StepReport

TRACED = (3, 13)
"""The first and the last step of the trace; the steps before compile."""


class TensorBoard:
    """Writes scalars of every step and of every epoch."""

    def __init__(self, run_dir: Path) -> None:
        """Open a file of events in the folder that TensorBoard is given.

        Raises:
          InputError: tensorboardX isn't installed.
        """
        with extra("tensorboard"):
            from tensorboardX import SummaryWriter
        self._writer = SummaryWriter(str(run_dir))

    def step(self, report: StepReport) -> None:
        scalars = {name: float(value) for name, value in report.metrics.items() if value.ndim == 0}
        for name, value in {"loss": report.loss, **scalars, "images_per_second": report.images_per_second}.items():
            self._writer.add_scalar(f"train/{name}", value, report.step)

    def epoch(self, report: EpochReport) -> None:
        for split, measured in (("test", report.test), ("validation", report.validation)):
            if measured is not None:
                self._writer.add_scalar(f"{split}/loss", measured.loss, report.steps)
                self._writer.add_scalar(f"{split}/accuracy", measured.accuracy, report.steps)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class Trace:
    """Traces some of the first steps with JAX's profiler, which writes into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seen, self._on = folder, 0, False

    def step(self, report: StepReport) -> None:
        self._seen += 1
        if self._seen == TRACED[0]:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"--profile {self._folder} can't be made ({error.strerror}): choose another"
                ) from error
            jax.profiler.start_trace(self._folder)
            self._on = True
        if self._seen == TRACED[1]:
            self.close()

    def epoch(self, report: EpochReport) -> None: ...

    def close(self) -> None:
        """End the trace, if it is on."""
        if self._on:
            self._on = False
            jax.profiler.stop_trace()
