"""A trained model measured on its whole test set: accuracy, and precision, recall and F1 of each class."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxcnn.train.errors import InputError
from jaxcnn.train.run_data import evaluation_split, reload
from jaxcnn.train.saved import Run, logits_of
from jaxcnn.train.scores import Score, confusion, likeliest, logits_of_all, scores


@dataclass(frozen=True)
class Measurement:
    """A model measured over every sample of a test set."""

    correct: int
    count: int
    classes: list[Score]

    @property
    def accuracy(self) -> float:
        return self.correct / self.count

    @property
    def majority(self) -> float:
        """The accuracy of always predicting the commonest class."""
        return max(score.count for score in self.classes) / self.count

    def macro(self, name: str) -> float:
        """The mean of "precision", "recall" or "f1" over the classes that have samples, each counting the same."""
        return float(np.mean([getattr(score, name) for score in self.classes if score.count]))

    @property
    def never_right(self) -> list[str]:
        """Classes that have samples, none of which was recognized."""
        return [score.name for score in self.classes if score.count and not score.recall]


def measure(
    run: Run, *, data_dir: Path | None = None, data_file: Path | None = None
) -> tuple[Measurement, tuple[str, ...]]:
    """Predict every sample of a run's test split, and score the predictions.

    Args:
      run: what `open_run` returns.
      data_dir, data_file: where its data are now, or other data with the same classes.

    Returns:
      The scores, and notes about the data.

    Raises:
      InputError: data without a test split, or that can't be loaded.
    """
    other = data_dir is not None or data_file is not None
    if run.config.data == "synthetic" and not other:
        raise InputError(f"{run.path}: --data synthetic has no test images to evaluate on")
    test, notes = evaluation_split(reload(run.config, run.known, data_dir=data_dir, data_file=data_file), other=other)
    predicted = logits_of_all(logits_of(run), test).argmax(axis=-1)
    matrix = confusion(likeliest(test), predicted, len(run.classes))
    return Measurement(int(np.trace(matrix)), int(matrix.sum()), scores(matrix, run.classes)), notes


def as_json(measured: Measurement) -> dict[str, Any]:
    """Everything in the table, with all digits."""
    macro = {name: measured.macro(name) for name in ("precision", "recall", "f1")}
    return {
        "accuracy": measured.accuracy,
        "majority": measured.majority,
        "macro": macro,
        "never_right": measured.never_right,
        **asdict(measured),
    }


def table(measured: Measurement) -> Iterator[str]:
    """The accuracy next to that of the commonest class, and a line for each class.

    >>> cat, dog = Score("cat", 1.0, 0.5, 2 / 3, 2), Score("dog", 2 / 3, 1.0, 0.8, 2)
    >>> print(*table(Measurement(3, 4, [cat, dog])), sep="\\n")
    accuracy 75.0% (3/4); always saying the commonest class gives 50.0%
    class       precision  recall      F1  count
    cat            100.0%   50.0%   66.7%      2
    dog             66.7%  100.0%   80.0%      2
    macro mean      83.3%   75.0%   73.3%
    """
    baseline = f"always saying the commonest class gives {measured.majority:.1%}"
    yield f"accuracy {measured.accuracy:.1%} ({measured.correct}/{measured.count}); {baseline}"
    if measured.never_right:
        yield f"never recognized: {', '.join(measured.never_right)}"
    width = max(len("macro mean"), *(len(score.name) for score in measured.classes))
    yield f"{'class':<{width}}  precision  recall      F1  count"
    for score in measured.classes:
        yield (
            f"{score.name:<{width}}  {score.precision:>9.1%}  {score.recall:>6.1%}  {score.f1:>6.1%}  {score.count:>5}"
        )
    precision, recall, f1 = (measured.macro(name) for name in ("precision", "recall", "f1"))
    yield f"{'macro mean':<{width}}  {precision:>9.1%}  {recall:>6.1%}  {f1:>6.1%}"
