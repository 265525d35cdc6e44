"""The logits of a whole split; from them the confusion matrix, and precision and recall of each class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.batches import over_batches
from jaxcnn.train.data import Split


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of one class."""

    name: str
    precision: float
    """The share of the samples predicted as this class that belong to it; 0 if there are none."""

    recall: float
    """The share of the samples of this class that were predicted as it; 0 if there are none."""

    f1: float
    """The harmonic mean of the two."""

    count: int
    """Samples of this class."""


def logits_of_all(model: Callable[[Any], Any], split: Split, *, batch_size: int = 500) -> NDArray[Any]:
    """The logits of every sample of a split, (samples, classes), computed on this many samples at a time.

    >>> logits_of_all(lambda images: 2 * images, Split(np.eye(2), np.arange(2)), batch_size=1).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    model, split = jax.jit(model), jax.device_put(split)
    return np.concatenate(over_batches(lambda batch: model(batch.images), split, batch_size))


def likeliest(split: Split) -> NDArray[Any]:
    """The class of each sample; of a row of probabilities the likeliest one.

    >>> likeliest(Split(np.zeros((2, 1)), np.array([[0.1, 0.9], [0.8, 0.2]]))).tolist()
    [1, 0]
    """
    targets = np.asarray(split.targets)
    return targets if targets.ndim == 1 else np.argmax(targets, axis=-1)


def confusion(targets: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """The confusion matrix: row i, column j counts the samples of class i that were predicted as class j.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = np.asarray(targets, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def scores(matrix: NDArray[np.int64], names: Sequence[str]) -> list[Score]:
    """Precision, recall and F1 of every class, from the confusion matrix.

    >>> scores(np.array([[1, 1], [0, 1]]), ("cat", "dog"))[0]
    Score(name='cat', precision=1.0, recall=0.5, f1=0.6666666666666666, count=2)
    """
    hits, taken, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return [
        Score(name, _share(hit, predicted), _share(hit, count), _share(2 * hit, predicted + count), int(count))
        for name, hit, predicted, count in zip(names, hits, taken, there, strict=True)
    ]


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else 0.0
