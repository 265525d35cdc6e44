"""Samples and their targets, and how some of them are held out for the test."""

from collections.abc import Sequence
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


OPEN, TRAIN, VALIDATION, TEST = range(4)
"""The sides of a sample; one that is open goes to the training or to the test when the samples are divided."""


class Pool(NamedTuple):
    """All samples of a source, before they are divided."""

    images: NDArray[Any]
    """(samples, channels, *spatial)."""

    targets: NDArray[Any]
    classes: tuple[str, ...]
    sides: NDArray[np.int8]
    """The side of each sample: `OPEN`, `TRAIN`, `VALIDATION` or `TEST`."""

    low: tuple[float, ...] = (0.0,)
    """The value of black."""

    high: tuple[float, ...] = (1.0,)
    """The value of white."""

    exact: bool = True
    """Whether black and white are known from the format, rather than read off the values that occur."""

    notes: tuple[str, ...] = ()
    """What a person should hear of how the data were read."""


def pool(*parts: tuple[NDArray[Any], NDArray[Any], int], classes: Sequence[str], **facts: Any) -> Pool:
    """Samples of several sides as one pool.

    Args:
      parts: images, targets and the side of each.
      classes: their names.
      facts: other fields of the pool.
    """
    sides = [np.full(len(targets), side, np.int8) for _, targets, side in parts]
    images = parts[0][0] if len(parts) == 1 else np.concatenate([part[0] for part in parts])
    targets = parts[0][1] if len(parts) == 1 else np.concatenate([part[1] for part in parts])
    return Pool(images, targets, tuple(classes), np.concatenate(sides), **facts)


def divide(samples: Pool) -> Data:
    """The samples by their sides; a fifth of each class of the open ones is for the test, if no other sample is.

    Raises:
      InputError: a class of one open sample, which can't be divided.
    """
    at = {side: np.flatnonzero(samples.sides == side) for side in (OPEN, TRAIN, VALIDATION, TEST)}
    train, test = at[TRAIN], at[TEST]
    if len(at[OPEN]) and not len(test):
        targets = samples.targets[at[OPEN]]
        labels = targets if targets.ndim == 1 else np.zeros(len(targets), np.int64)
        counts = np.bincount(labels)
        if (counts == 1).any():
            alone = samples.classes[int(np.argmax(counts == 1))]
            which = f"class {alone} has one sample" if targets.ndim == 1 else "there is one sample"
            raise InputError(f"the data can't be divided: {which}: give two or more, one of them is for the test")
        kept, test = hold_out_test(labels)
        train, test = np.concatenate([train, at[OPEN][kept]]), at[OPEN][test]
    else:
        train = np.sort(np.concatenate([train, at[OPEN]]))
    validation = at[VALIDATION]
    return Data(
        take(samples, train),
        take(samples, test) if len(test) else None,
        samples.classes,
        take(samples, validation) if len(validation) else None,
    )


def take(samples: Pool, indices: NDArray[np.intp]) -> Split:
    """Some samples of a pool; those that follow each other are not copied."""
    first, count = (int(indices[0]) if len(indices) else 0), len(indices)
    if count and np.array_equal(indices, np.arange(first, first + count)):
        return Split(samples.images[first : first + count], samples.targets[first : first + count])
    return Split(samples.images[indices], samples.targets[indices])


def hold_out_validation(data: Data, count: int, seed: int) -> Data:
    """Training samples become validation samples.

    Args:
      data: with arrays on the host.
      count: how many; which, the seed decides.
      seed: of the run.

    Returns:
      The same data with `validation`.

    Raises:
      InputError: there are not so many.

    >>> ten = Data(Split(np.zeros((10, 1, 2, 2)), np.arange(10)), None)
    >>> hold_out_validation(ten, 2, seed=0).validation.images.shape
    (2, 1, 2, 2)
    """
    samples = len(data.train.targets)
    if data.validation is not None:
        raise InputError(
            f"--validation {count}: the data have {len(data.validation.targets)} of their own: leave it out"
        )
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


def hold_out_test(labels: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide samples into those to train with and those to test with, the same whatever the seed of the run.

    Args:
      labels: (samples,), the class of each.

    Returns:
      Indices to train with and indices to test with: a fifth of each class, at least one, is for the test.

    >>> train, test = hold_out_test(np.array([0] * 10 + [1] * 3))
    >>> len(train), test.tolist()
    (10, [8, 1, 11])
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in np.unique(labels)]
    counts = [len(indices) - max(1, len(indices) // TEST_PART) for indices in by_class]
    train = [indices[:count] for indices, count in zip(by_class, counts, strict=True)]
    test = [indices[count:] for indices, count in zip(by_class, counts, strict=True)]
    return np.concatenate(train), np.concatenate(test)
