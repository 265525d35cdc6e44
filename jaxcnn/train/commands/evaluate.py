"""The command that measures a model: accuracy over the whole test set, precision and recall of each class."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jaxcnn.train.commands import parse, refuse
from jaxcnn.train.data import load
from jaxcnn.train.errors import InputError
from jaxcnn.train.model import make_apply
from jaxcnn.train.record import Run, open_run
from jaxcnn.train.scores import Score, confusion, predictions, scores


@dataclass(frozen=True)
class Evaluate:
    """Measure a model over the whole test set: accuracy, and of each class precision, recall and F1."""

    run_dir: Path
    """Run directory of the model."""

    json: bool = False
    """Print one JSON object instead of a table."""


@dataclass(frozen=True)
class Measurement:
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
        command = parse(Evaluate, "evaluate", arguments)
        measured = measure(open_run(command.run_dir))
    except InputError as error:
        return refuse(error)
    lines = [json.dumps({"accuracy": measured.accuracy, **asdict(measured)})] if command.json else table(measured)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def measure(run: Run) -> Measurement:
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
    return Measurement(int(np.trace(matrix)), int(matrix.sum()), scores(matrix, run.classes))


def table(measured: Measurement) -> Iterator[str]:
    """Accuracy, and a line a class.

    >>> print(*table(Measurement(3, 4, [Score("cat", 1.0, 0.5, 2 / 3, 4)])), sep="\\n")
    accuracy 75.0% (3/4)
    class  precision  recall      F1  count
    cat       100.0%   50.0%   66.7%      4
    """
    yield f"accuracy {measured.accuracy:.1%} ({measured.correct}/{measured.count})"
    width = max(len("class"), *(len(score.name) for score in measured.classes))
    yield f"{'class':<{width}}  precision  recall      F1  count"
    for score in measured.classes:
        yield (
            f"{score.name:<{width}}  {score.precision:>9.1%}  {score.recall:>6.1%}  {score.f1:>6.1%}  {score.count:>5}"
        )
