"""Samples with their targets, and which of them are for training, validation and test."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.errors import InputError

DIGITS = tuple("0123456789")
SPLIT_SEED = 0
TEST_PART = 5
"""One sample in this many is for the test, if the data don't say which."""


class Split(NamedTuple):
    """Images with their targets, on the host or on the device."""

    images: Any  # a NumPy or a JAX array: a union would need a cast at every use
    """(samples, channels, *spatial), floating."""

    targets: Any
    """(samples,) class indices, or (samples, classes) rows of probabilities."""


class Data(NamedTuple):
    """What a run trains on, and what it is tested on if there is a test."""

    train: Split
    test: Split | None
    classes: tuple[str, ...] = DIGITS
    """Their names, in the order of the indices."""

    validation: Split | None = None
    """Held out from the training images, to pick the best epoch."""


UNASSIGNED, TRAIN, VALIDATION, TEST = range(4)
"""The split of a sample; `divide` assigns those that have none to training or test."""

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""The split that people mean by a folder or an array of this name."""


class Samples(NamedTuple):
    """All samples of a data set, before `divide`."""

    images: NDArray[Any]
    """(samples, channels, *spatial)."""

    targets: NDArray[Any]
    classes: tuple[str, ...]
    splits: NDArray[np.int8]
    """The split of each sample: `UNASSIGNED`, `TRAIN`, `VALIDATION` or `TEST`."""

    low: tuple[float, ...] = (0.0,)
    """The value of black."""

    high: tuple[float, ...] = (1.0,)
    """The value of white."""

    exact: bool = True
    """Whether black and white follow from the format, rather than from the values that occur."""

    notes: tuple[str, ...] = ()
    """What the user should know about how the data were read."""

    place: str = "the data"
    """Where they were read, as an error names it."""


def join(*parts: tuple[NDArray[Any], NDArray[Any], int], classes: Sequence[str], **facts: Any) -> Samples:
    """Put the images, targets and splits of several parts together; `facts` are other fields of `Samples`."""
    splits = [np.full(len(targets), split, np.int8) for _, targets, split in parts]
    images = parts[0][0] if len(parts) == 1 else np.concatenate([part[0] for part in parts])
    targets = parts[0][1] if len(parts) == 1 else np.concatenate([part[1] for part in parts])
    return Samples(images, targets, tuple(classes), np.concatenate(splits), **facts)


def divide(samples: Samples) -> Data:
    """Divide samples by their splits. Without a test, a fifth of each class of the unassigned ones becomes it.

    Raises:
      InputError: a class with a single unassigned sample, which can't be divided.
    """
    at = {split: np.flatnonzero(samples.splits == split) for split in (UNASSIGNED, TRAIN, VALIDATION, TEST)}
    train, test = at[TRAIN], at[TEST]
    if len(at[UNASSIGNED]) and not len(test):
        targets = samples.targets[at[UNASSIGNED]]
        labels = targets if targets.ndim == 1 else np.zeros(len(targets), np.int64)
        counts = np.bincount(labels)
        if (counts == 1).any():
            name = samples.classes[int(np.argmax(counts == 1))]
            which = f"class {name} has one sample" if targets.ndim == 1 else "there is one sample"
            raise InputError(
                f"{samples.place} can't be divided: {which}: give two or more, one of them is for the test"
            )
        kept, test = hold_out_test(labels)
        train, test = np.concatenate([train, at[UNASSIGNED][kept]]), at[UNASSIGNED][test]
    else:
        train = np.sort(np.concatenate([train, at[UNASSIGNED]]))
    validation = at[VALIDATION]
    return Data(
        take(samples, train),
        take(samples, test) if len(test) else None,
        samples.classes,
        take(samples, validation) if len(validation) else None,
    )


def take(samples: Samples, indices: NDArray[np.intp]) -> Split:
    """Some of the samples; consecutive ones are not copied."""
    first, count = (int(indices[0]) if len(indices) else 0), len(indices)
    if count and np.array_equal(indices, np.arange(first, first + count)):
        return Split(samples.images[first : first + count], samples.targets[first : first + count])
    return Split(samples.images[indices], samples.targets[indices])


def hold_out_validation(data: Data, count: int, seed: int) -> Data:
    """Hold `count` training samples out for validation; the run's seed decides which.

    Raises:
      InputError: there are no more than these, or the data have a validation of their own.

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
    """Hold a fifth of each class out for the test, the same samples whatever the seed of the run.

    Returns:
      Indices to train with and indices to test with; at least one of each class is for the test.

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
