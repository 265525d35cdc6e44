"""Samples and their targets, and how some of them are held out for the test."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.errors import InputError

DIGITS = tuple("0123456789")
SPLIT_SEED = 0
TEST_PART = 5


class Split(NamedTuple):
    """Samples that belong together, on the host or on the device."""

    images: Any
    """(samples, channels, *spatial), floating."""

    targets: Any
    """(samples,) class indices, or (samples, classes) rows of probabilities."""


class Data(NamedTuple):
    """What a run trains on and, where there is something to be right about, what it is tested on."""

    train: Split
    test: Split | None
    classes: tuple[str, ...] = DIGITS
    """Their names, in the order of the indices."""

    validation: Split | None = None
    """Put aside from the training images, to judge by."""


def put_aside(data: Data, count: int, seed: int) -> Data:
    """Training samples become validation samples.

    Args:
      data: with arrays on the host.
      count: how many; which, the seed decides.
      seed: of the run.

    Returns:
      The same data with `validation`.

    Raises:
      InputError: there are not so many.

    >>> put_aside(Data(Split(np.zeros((10, 1, 2, 2)), np.arange(10)), None), 2, seed=0).validation.images.shape
    (2, 1, 2, 2)
    """
    samples = len(data.train.targets)
    if count >= samples:
        raise InputError(f"--validation {count}: there are {samples} training images: give fewer")
    order = np.random.default_rng((seed, samples)).permutation(samples)
    validation, train = (
        Split(*(array[np.sort(order[part])] for array in data.train)) for part in (slice(count), slice(count, None))
    )
    return data._replace(train=train, validation=validation)


def scaled(pixels: NDArray[Any], white: float) -> NDArray[np.float32]:
    """Values from 0 to `white` as float32 from 0 to 1.

    >>> scaled(np.array([0, 51, 255], np.uint8), 255)
    array([0. , 0.2, 1. ], dtype=float32)
    """
    values: NDArray[np.float32] = np.divide(pixels, np.float32(white), dtype=np.float32, casting="same_kind")
    return values


def hold_out(labels: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide samples into those to train with and those to test with, the same whatever the seed of the run.

    Args:
      labels: (samples,), the class of each.

    Returns:
      Indices to train with and indices to test with: a fifth of each class, at least one, is for the test.

    >>> train, test = hold_out(np.array([0] * 10 + [1] * 3))
    >>> len(train), test.tolist()
    (10, [8, 1, 11])
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in np.unique(labels)]
    counts = [len(indices) - max(1, len(indices) // TEST_PART) for indices in by_class]
    train = [indices[:count] for indices, count in zip(by_class, counts, strict=True)]
    test = [indices[count:] for indices, count in zip(by_class, counts, strict=True)]
    return np.concatenate(train), np.concatenate(test)


def divided(images: NDArray[Any], targets: NDArray[Any], labels: NDArray[Any]) -> tuple[Split, Split]:
    """The samples as `hold_out` divides them.

    Args:
      images: (samples, channels, *spatial).
      targets: (samples, ...).
      labels: (samples,), the class of each.

    Returns:
      To train with, and to test with.

    >>> train, test = divided(np.zeros((10, 1, 2, 2)), np.arange(10), np.zeros(10))
    >>> len(train.images), len(test.targets)
    (8, 2)
    """
    train, test = (Split(images[indices], targets[indices]) for indices in hold_out(labels))
    return train, test
