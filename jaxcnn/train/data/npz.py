"""An .npz file of images and labels.

images: (samples, rows, columns), (samples, channels, rows, columns) or (samples, channels, planes, rows, columns).
From four axes on, the last one holds the channels instead if its length is 1, 3 or 4 and the second one's is not.
uint8 runs from 0 to 255 and is divided by 255; floating values are taken as they are.

labels: (samples,) whole numbers from 0, or (samples, classes) rows of probabilities.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.arrays import read_npz
from jaxcnn.train.data.split import Data, Split, divided, scaled
from jaxcnn.train.errors import InputError

CHANNELS = (1, 3, 4)
NAMES = ("images", "labels", "test_images", "test_labels", "classes")


class Array(NamedTuple):
    """An array, and how an error names it."""

    values: NDArray[Any]
    name: str


def load(path: Path | None) -> Data:
    """The arrays images and labels, and if they are there test_images, test_labels and classes (strings).

    Args:
      path: the file; nothing in it is unpickled.

    Returns:
      float32 images with int32 classes or float32 probabilities. Without test_images a fifth of each class (of all, if
      the labels are probabilities) is held out for the test, the same whatever the seed.

    Raises:
      InputError: an absent or damaged file, an array that is absent or not as this module's text says.

    >>> load(Path("/nowhere.npz"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere.npz can't be read ([Errno 2] No such file or directory: '/nowhere.npz'):
    give an .npz file by --data-file
    """
    if path is None:
        raise InputError("--data npz: give the .npz file by --data-file")
    arrays = {name: Array(values, f"{path}: {name}") for name, values in _read(path).items()}
    for name in ("images", "labels"):
        if name not in arrays:
            raise InputError(f"{path} has no array {name}: save it with np.savez(file, images=..., labels=...)")
    given_test = [name for name in ("test_images", "test_labels") if name in arrays]
    if len(given_test) == 1:
        raise InputError(f"{path} has {given_test[0]} alone: save both of test_images and test_labels, or neither")

    train = _split(arrays["images"], arrays["labels"])
    classes = _classes(arrays.get("classes"), arrays["labels"].name, train.targets)
    if not given_test:
        return Data(*_held_out(train, arrays["images"].name, classes), classes)
    test = _split(arrays["test_images"], arrays["test_labels"])
    if test.images.shape[1:] != train.images.shape[1:]:
        raise InputError(
            f"{path}: an image of images is {train.images.shape[1:]} and one of test_images {test.images.shape[1:]} "
            "(channels, then sides): save images of one shape"
        )
    _check_count(arrays["test_labels"].name, test.targets, len(classes))
    return Data(train, test, classes)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of `NAMES` that there are."""
    try:
        arrays = read_npz(path, NAMES)
    except OSError as error:
        raise InputError(f"{path} can't be read ({error}): give an .npz file by --data-file") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged, or no .npz file ({error}): save it again with np.savez") from error
    for name, array in arrays.items():
        if not (array.ndim and array.size):
            raise InputError(f"{path}: {name}.npy has the shape {array.shape}: save an array of two or more samples")
    return arrays


def _split(images: Array, labels: Array) -> Split:
    if len(images.values) != len(labels.values):
        raise InputError(
            f"{images.name} has {len(images.values)} samples and {labels.name} {len(labels.values)}: save one for one"
        )
    return Split(_images(images), _targets(labels))


def _images(array: Array) -> NDArray[np.float32]:
    images = array.values
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim not in (4, 5):
        raise InputError(
            f"{array.name} has the shape {images.shape}: save (samples, rows, columns), (samples, channels, rows, "
            "columns) or (samples, channels, planes, rows, columns)"
        )
    elif images.shape[-1] in CHANNELS and images.shape[1] not in CHANNELS:
        images = np.moveaxis(images, -1, 1)
    if images.dtype == np.uint8:
        return np.ascontiguousarray(scaled(images, 255))
    return _floats(Array(images, array.name), "floats or uint8")


def _floats(array: Array, allowed: str) -> NDArray[np.float32]:
    if array.values.dtype.kind != "f":
        raise InputError(f"{array.name} is of {array.values.dtype}: save {allowed}")
    with np.errstate(over="ignore"):  # found below
        values = np.ascontiguousarray(array.values, np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"{array.name} has values that are NaN, infinite, or too great for float32: mend them")
    return values


def _targets(array: Array) -> NDArray[Any]:
    labels = array.values
    if labels.ndim == 2:
        return _probabilities(array)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{array.name} is of {labels.dtype} and shape {labels.shape}: save (samples,) whole numbers from 0, or "
            "(samples, classes) probabilities"
        )
    if labels.min() < 0:
        first = int(np.argmax(labels < 0))
        raise InputError(f"{array.name}: sample {first} has {labels[first]}: number the classes from 0")
    if labels.max() > np.iinfo(np.int32).max:
        raise InputError(f"{array.name} goes up to {labels.max()}: number the classes from 0 without gaps")
    return labels.astype(np.int32)


def _probabilities(array: Array) -> NDArray[np.float32]:
    rows = _floats(array, "floats, (samples, classes) probabilities, or (samples,) whole numbers")
    wrong = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1, dtype=np.float64) - 1) > 1e-3)
    if wrong.any():
        raise InputError(
            f"{array.name}: row {int(np.argmax(wrong))} is no probabilities: none may be negative, and they add up to 1"
        )
    return rows


def _classes(array: Array | None, labels_name: str, targets: NDArray[Any]) -> tuple[str, ...]:
    if array is None:
        return tuple(map(str, range(_count(labels_name, targets))))
    if array.values.ndim != 1 or array.values.dtype.kind != "U":
        raise InputError(
            f"{array.name} is of {array.values.dtype} and shape {array.values.shape}: save a list of strings"
        )
    if len(array.values) < 2:
        raise InputError(f"{array.name} names one class: there is nothing to learn; save two or more")
    _check_count(labels_name, targets, len(array.values))
    return tuple(map(str, array.values))


def _count(name: str, targets: NDArray[Any]) -> int:
    """How many classes there are, when nothing names them: each must have a sample."""
    count = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if count < 2:
        raise InputError(f"{name} has one class alone: there is nothing to learn; save two or more")
    present = np.unique(targets)
    if targets.ndim == 1 and len(present) != count:
        absent = int(np.argmax(present != np.arange(len(present))))
        raise InputError(
            f"{name} goes up to {count - 1}, but no sample has {absent}: number the classes without gaps, or name "
            "all of them in an array classes"
        )
    return count


def _check_count(name: str, targets: NDArray[Any], count: int) -> None:
    given = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if given > count or (targets.ndim == 2 and given != count):
        raise InputError(f"{name} has {given} classes, but there are {count}: save labels of the same classes")


def _held_out(split: Split, name: str, classes: tuple[str, ...]) -> tuple[Split, Split]:
    if len(split.targets) < 2:
        raise InputError(f"{name} has one sample: save two or more, a fifth of them is for the test")
    if split.targets.ndim == 2:
        return divided(*split, labels=np.zeros(len(split.targets)))
    counts = np.bincount(split.targets)
    if (counts == 1).any():
        alone = classes[int(np.argmax(counts == 1))]
        raise InputError(f"{name} has one sample of class {alone}: save two or more, one of them is for the test")
    return divided(*split, labels=split.targets)
