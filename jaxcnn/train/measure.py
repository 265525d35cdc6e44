"""A trained model measured on its whole test set: accuracy, and precision, recall and F1 of each class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxcnn.train.data import load
from jaxcnn.train.errors import InputError
from jaxcnn.train.model import make_apply
from jaxcnn.train.record import Run
from jaxcnn.train.scores import Score, confusion, predictions, scores


@dataclass(frozen=True)
class Measurement:
    """A model measured over every sample of a test set."""

    correct: int
    count: int
    classes: list[Score]

    @property
    def accuracy(self) -> float:
        return self.correct / self.count


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
