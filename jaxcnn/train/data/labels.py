"""Labels in the forms that people save: whole numbers, names, true and false, a column, one-hot, probabilities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.errors import InputError


class Array(NamedTuple):
    """An array, and how an error names it."""

    values: NDArray[Any]
    name: str


def finite(array: Array) -> NDArray[np.float32]:
    """Floating values as float32; NaN and infinity are refused."""
    with np.errstate(over="ignore"):  # found below
        values = np.ascontiguousarray(array.values, np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"{array.name} has values that are NaN, infinite, or too great for float32: mend them")
    return values


def strings_of(labels: NDArray[Any]) -> list[str]:
    """The different labels, if labels are strings."""
    if labels.dtype.kind not in "US":
        return []
    return list(map(str, np.unique(_text(labels.ravel()))))


def _text(labels: NDArray[Any]) -> NDArray[np.str_]:
    return np.char.decode(labels, "utf-8", "replace") if labels.dtype.kind == "S" else labels


def targets_of(array: Array, names: Sequence[str]) -> NDArray[Any]:
    """Labels as class indices, or as rows of probabilities; strings are looked up in `names`."""
    labels = array.values
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    kind = labels.dtype.kind
    if labels.ndim == 2 and kind in "uib":
        return _one_hot(array.name, labels)
    if labels.ndim == 2 and kind == "f":
        return _probabilities(array)
    if labels.ndim == 1 and kind in "US":
        return _indices(array.name, _text(labels), names)
    if kind == "b":
        labels, kind = labels.astype(np.int32), "i"
    if labels.ndim == 1 and kind == "f" and np.isfinite(labels).all() and not np.any(labels % 1):
        labels, kind = np.clip(labels, -(2.0**40), 2.0**40).astype(np.int64), "i"
    if labels.ndim != 1 or kind not in "iu":
        raise InputError(
            f"{array.name} is of {labels.dtype} and shape {array.values.shape}: save (samples,) whole numbers from 0, "
            "or (samples, classes) probabilities"
        )
    if labels.min() < 0:
        first = int(np.argmax(labels < 0))
        raise InputError(f"{array.name}: sample {first} has {labels[first]}: number the classes from 0")
    if labels.max() > np.iinfo(np.int32).max:
        raise InputError(f"{array.name} goes up to {labels.max()}: number the classes from 0 without gaps")
    return labels.astype(np.int32)


def _one_hot(name: str, rows: NDArray[Any]) -> NDArray[np.int32]:
    wrong = (rows.astype(bool).sum(axis=1) != 1) | (rows.max(axis=1) != 1) | (rows.min(axis=1) < 0)
    if wrong.any():
        raise InputError(
            f"{name}: row {int(np.argmax(wrong))} has not exactly one 1: save one class a sample, or floats that add "
            "up to 1"
        )
    return np.asarray(rows.argmax(axis=1), np.int32)


def _indices(name: str, labels: NDArray[np.str_], names: Sequence[str]) -> NDArray[np.int32]:
    index = {each: i for i, each in enumerate(names)}
    if unknown := sorted(set(map(str, np.unique(labels))) - index.keys()):
        raise InputError(f"{name} has the label {unknown[0]}, which classes doesn't name: add it there")
    present, where = np.unique(labels, return_inverse=True)
    return np.asarray([index[str(each)] for each in present], np.int32)[np.asarray(where)]


def _probabilities(array: Array) -> NDArray[np.float32]:
    rows = finite(array)
    wrong = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1, dtype=np.float64) - 1) > 1e-3)
    if wrong.any():
        raise InputError(
            f"{array.name}: row {int(np.argmax(wrong))} is no probabilities: none may be negative, and they add up to 1"
        )
    return rows


def classes_of(
    array: Array | None, strings: Sequence[str], labels_name: str, targets: NDArray[Any], known: Sequence[str]
) -> tuple[str, ...]:
    """The names of the classes: those that the file gives, else the strings among the labels, else numbers."""
    if array is None and strings:
        if len(strings) < 2 and not known:
            raise InputError(f"{labels_name} has one class alone: there is nothing to learn; save two or more")
        return tuple(strings)
    if array is None:
        if known and targets.ndim == 1:
            return tuple(known) if int(targets.max()) < len(known) else tuple(map(str, range(int(targets.max()) + 1)))
        if known and targets.shape[1] == len(known):
            return tuple(known)
        return tuple(map(str, range(_count(labels_name, targets))))
    if array.values.ndim != 1 or array.values.dtype.kind not in "US":
        raise InputError(
            f"{array.name} is of {array.values.dtype} and shape {array.values.shape}: save a list of strings"
        )
    if len(array.values) < 2:
        raise InputError(f"{array.name} names one class: there is nothing to learn; save two or more")
    check_count(labels_name, targets, len(array.values))
    given = list(map(str, _text(array.values)))
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise InputError(f"{array.name} has the name {twice[0]} twice: name each class once")
    return tuple(given)


def _count(name: str, targets: NDArray[Any]) -> int:
    """The number of classes if nothing names them; then each must have a sample."""
    count = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    present = np.unique(targets)
    if count < 2 or (targets.ndim == 1 and len(present) < 2):
        raise InputError(f"{name} has one class alone: there is nothing to learn; save two or more")
    if targets.ndim == 1 and len(present) != count:
        absent = int(np.argmax(present != np.arange(len(present))))
        raise InputError(
            f"{name} goes up to {count - 1}, but no sample has {absent}: number the classes without gaps, or name "
            "all of them in an array classes"
        )
    return count


def check_count(name: str, targets: NDArray[Any], count: int) -> None:
    """Refuse targets of more classes than `count`."""
    given = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if given > count or (targets.ndim == 2 and given != count):
        raise InputError(f"{name} has {given} classes, but there are {count}: save labels of the same classes")
