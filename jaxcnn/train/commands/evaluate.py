"""The command that measures a model: accuracy over the whole test set, precision and recall of each class."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jaxcnn.train.commands import started_as
from jaxcnn.train.data import load
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.model import make_apply
from jaxcnn.train.record import Run, open_run
from jaxcnn.train.scores import Score, confusion, predictions, scores

USAGE_ERROR = 2


@dataclass(frozen=True)
class Evaluate:
    """Measure a model over the whole test set: accuracy, and of each class precision, recall and F1."""

    run_dir: Path
    """Run directory of the model."""

    json: bool = False
    """Print one JSON object instead of a table."""


@dataclass(frozen=True)
class Report:
    """A model measured over every sample of a test set."""

    correct: int
    count: int
    classes: list[Score]

    @property
    def accuracy(self) -> float:
        return self.correct / self.count


def main(arguments: Sequence[str]) -> int:
    """Print how good a run's model is on its test set.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code: 0, or 2 after an error that the user can mend.
    """
    try:
        with extra():
            import tyro
        config = (tyro.conf.PositionalRequiredArgs, tyro.conf.FlagCreatePairsOff)
        command = tyro.cli(Evaluate, args=arguments, prog=f"{started_as()} evaluate", config=config)
        report = measure(open_run(command.run_dir))
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    lines = [json.dumps({"accuracy": report.accuracy, **asdict(report)})] if command.json else table(report)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def measure(run: Run) -> Report:
    """Take every sample of a run's test split for a class, and count.

    Args:
      run: what `open_run` returns.

    Returns:
      What was counted.

    Raises:
      InputError: data without a test split, or that can't be loaded.
    """
    test = load(run.config).test
    if test is None or not len(test.targets):
        raise InputError(f"{run.path}: --data {run.config.data} has no test images to evaluate on")
    predicted = predictions(make_apply(run.config), run.params, test)
    matrix = confusion(np.asarray(test.targets), predicted, len(run.classes))
    return Report(int(np.trace(matrix)), int(matrix.sum()), scores(matrix, run.classes))


def table(report: Report) -> Iterator[str]:
    """Accuracy, and a line a class.

    >>> print(*table(Report(3, 4, [Score("cat", 1.0, 0.5, 2 / 3, 4)])), sep="\\n")
    accuracy 75.0% (3/4)
    class  precision  recall      F1  count
    cat       100.0%   50.0%   66.7%      4
    """
    yield f"accuracy {report.accuracy:.1%} ({report.correct}/{report.count})"
    width = max(len("class"), *(len(score.name) for score in report.classes))
    yield f"{'class':<{width}}  precision  recall      F1  count"
    for score in report.classes:
        yield (
            f"{score.name:<{width}}  {score.precision:>9.1%}  {score.recall:>6.1%}  {score.f1:>6.1%}  {score.count:>5}"
        )
