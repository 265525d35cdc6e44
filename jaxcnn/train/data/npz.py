"""An .npz file of images and labels, by the names that NumPy users, Keras and MedMNIST give them.

images: (samples, rows, columns), (samples, channels, rows, columns) or (samples, channels, planes, rows, columns), or
with the channels last. Whole numbers run from 0 to 255 (or to 65,535) and are divided by that, as are floating values
that clearly do; other floating values are taken as they are.

labels: (samples,) or (samples, 1) whole numbers from 0, names, or true and false; or (samples, classes), one-hot or
rows of probabilities.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn import lenet
from jaxcnn.train.arrays import read_npz
from jaxcnn.train.data.labels import Array, check_count, classes_of, finite, strings_of, targets_of
from jaxcnn.train.data.split import SPLIT_NAMES, TEST, TRAIN, UNASSIGNED, VALIDATION, Samples, join, scaled
from jaxcnn.train.errors import InputError

FEW = 4
"""An axis of at most this length may be that of the channels."""

DARK = 64
"""Floats up to 255 with a maximum of at least this run from 0 to 255. Whole numbers with a smaller one look dark."""

IMAGES, LABELS, CLASSES = "images", "labels", "classes"
KINDS = {
    **dict.fromkeys(("images", "image", "imgs", "x", "data"), IMAGES),
    **dict.fromkeys(("labels", "label", "y", "target", "targets"), LABELS),
}
"""x_train, train_images, X, test_labels, valid_y, ...: a split and a kind, in any order and case."""

PARTNERS = {"images": "labels", "labels": "images", "x": "y", "y": "x", "image": "label", "label": "image"}
"""The other word of a pair of arrays."""

NAMES_OF_CLASSES = ("classes", "class_names", "label_names", "names")


class Images(NamedTuple):
    """Images as float32, and the values of black and white."""

    values: NDArray[np.float32]
    low: tuple[float, ...]
    high: tuple[float, ...]
    exact: bool
    note: str = ""


def load(
    path: Path | None,
    *,
    channels: str | None = None,
    known_classes: Sequence[str] = (),
    scale: tuple[float, float] | None = None,
) -> Samples:
    """The arrays of images and labels, with those of a validation and a test if they are there.

    Args:
      path: the file; nothing in it is unpickled.
      channels: "first" or "last", where the shape doesn't tell.
      known_classes: the classes of a run that the labels are of; then not each needs a sample.
      scale: the least and the greatest value that this run was trained on.

    Returns:
      float32 images with int32 classes or float32 probabilities. Without a test a validation is the test.

    Raises:
      InputError: an absent or damaged file, an array that is absent or not as this module's text says.

    >>> load(Path("/nowhere.npz"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere.npz can't be read ([Errno 2] No such file or directory: '/nowhere.npz'):
    give an .npz file by --data-file
    """
    if path is None:
        raise InputError("--data npz: give the .npz file by --data-file")
    found, names = _read(path)
    parts = _parts(path, found)
    notes = []
    if VALIDATION in parts and TEST not in parts:
        notes.append(f"{path} has no test images: the validation images are taken as the test")
        parts[TEST] = parts.pop(VALIDATION)
    first = next(iter(parts.values()))
    images = {split: _images(part[IMAGES], channels, scale) for split, part in parts.items()}
    ends = _ends(list(images.values()))
    classes = names.values.tolist() if names is not None else None
    strings = sorted({name for part in parts.values() for name in strings_of(part[LABELS].values)})
    targets = {split: targets_of(part[LABELS], classes or strings) for split, part in parts.items()}
    all_classes = classes_of(names, strings, first[LABELS].name, next(iter(targets.values())), known_classes)
    shape = next(iter(images.values())).values.shape[1:]
    for split, part in parts.items():
        if images[split].values.shape[1:] != shape:
            raise InputError(
                f"{path}: an image of {_short(first[IMAGES])} is {shape} and one of {_short(part[IMAGES])} "
                f"{images[split].values.shape[1:]} (channels, then sides): save images of one shape"
            )
        check_count(part[LABELS].name, targets[split], len(all_classes))
    notes += dict.fromkeys(made.note for made in images.values() if made.note)
    if len(parts) == 1 and TRAIN in parts:
        parts, images, targets = ({UNASSIGNED: each[TRAIN]} for each in (parts, images, targets))  # type: ignore[assignment]
    return join(
        *((images[split].values, targets[split], split) for split in parts),
        classes=all_classes,
        low=ends.low,
        high=ends.high,
        exact=ends.exact,
        notes=tuple(notes),
        place=str(path),
    )


def _short(array: Array) -> str:
    return array.name.rpartition(": ")[2]


def _kind(name: str) -> tuple[int, str] | None:
    """The split and the kind of an array, by its name.

    >>> _kind("x_train") == (TRAIN, "images"), _kind("Val_Labels") == (VALIDATION, "labels"), _kind("mean")
    (True, True, None)
    """
    words = name.lower().replace("-", "_").split("_")
    kinds = [KINDS[word] for word in words if word in KINDS]
    parts = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
    if len(kinds) != 1 or len(parts) > 1 or len(kinds) + len(parts) != len(words):
        return None
    return (parts[0] if parts else TRAIN), kinds[0]


def _is_read(name: str) -> bool:
    """Whether `load` reads an array of this name; the others stay packed."""
    return _kind(name) is not None or name.lower() in NAMES_OF_CLASSES or name in ("arr_0", "arr_1")


def _read(path: Path) -> tuple[dict[tuple[int, str], Array], Array | None]:
    """The arrays of images and labels, by split and kind; and the names of the classes."""
    try:
        arrays = read_npz(path, _is_read)
    except OSError as error:
        raise InputError(f"{path} can't be read ({error}): give an .npz file by --data-file") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged, or no .npz file ({error}): save it again with np.savez") from error
    if set(arrays) == {"arr_0", "arr_1"}:  # np.savez(file, images, labels)
        arrays = {IMAGES: arrays["arr_0"], LABELS: arrays["arr_1"]}
    found: dict[tuple[int, str], Array] = {}
    names = None
    for name, values in arrays.items():
        if not (values.ndim and values.size):
            raise InputError(f"{path}: {name}.npy has the shape {values.shape}: save an array of two or more samples")
        array = Array(values, f"{path}: {name}")
        if name.lower() in NAMES_OF_CLASSES:
            names = array
        elif (kind := _kind(name)) is not None:
            if kind in found:
                raise InputError(f"{path} has both {_short(found[kind])} and {name}: save one of them")
            found[kind] = array
    return found, names


def _parts(path: Path, found: dict[tuple[int, str], Array]) -> dict[int, dict[str, Array]]:
    """The images and labels of each split, a label for each image."""
    parts: dict[int, dict[str, Array]] = {}
    for (split, kind), array in found.items():
        parts.setdefault(split, {})[kind] = array
    for kind in (IMAGES, LABELS):
        if kind not in parts.get(TRAIN, {}) and not any(
            len(part) == 2 for split, part in parts.items() if split != TRAIN
        ):
            raise InputError(f"{path} has no array {kind}: save it with np.savez(file, images=..., labels=...)")
    for part in parts.values():
        if len(part) == 1:
            ((kind, array),) = part.items()
            name = _short(array)
            other = "_".join(PARTNERS.get(word.lower(), word) for word in name.split("_"))
            images, labels = (name, other) if kind == IMAGES else (other, name)
            raise InputError(f"{path} has {name} alone: save both of {images} and {labels}, or neither")
        counts = [len(part[kind].values) for kind in (IMAGES, LABELS)]
        if counts[0] != counts[1]:
            raise InputError(
                f"{part[IMAGES].name} has {counts[0]} samples and {_short(part[LABELS])} {counts[1]}: save one for one"
            )
    return {split: parts[split] for split in (TRAIN, VALIDATION, TEST) if split in parts}


def _images(array: Array, channels: str | None, scale: tuple[float, float] | None) -> Images:
    values = array.values
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim not in (4, 5):
        raise InputError(
            f"{array.name} has the shape {values.shape}: save (samples, rows, columns), (samples, channels, rows, "
            "columns) or (samples, channels, planes, rows, columns)"
        )
    elif (channels or _which_axis(array)) == "last":
        values = np.moveaxis(values, -1, 1)
    kind = values.dtype.kind
    if kind == "f":
        return _floats(Array(values, array.name), scale)
    if kind not in "uib":
        raise InputError(f"{array.name} is of {array.values.dtype}: save floats, or whole numbers from 0 to 255")
    least, greatest = int(values.min()), int(values.max())
    white = 1 if kind == "b" else 255 if values.dtype == np.uint8 or greatest <= 255 else 2**16 - 1
    if least < 0 or greatest > white:
        raise InputError(
            f"{array.name} is of {array.values.dtype} from {least} to {greatest}: save floats, or whole numbers from 0 "
            "to 255"
        )
    dark = f"{_short(array)} has whole numbers up to {greatest} only, of {white}: it is divided by {white}, and dark"
    note = dark if white == 255 and greatest < DARK else ""
    return Images(np.ascontiguousarray(scaled(values.astype(np.uint16), white)), (0.0,), (1.0,), exact=True, note=note)


def _which_axis(array: Array) -> str:
    """Where the channels are; asks the user if the shape does not tell."""
    shape = array.values.shape
    few = [1 <= shape[axis] <= FEW for axis in (1, -1)]
    if few[0] != few[1]:
        return "first" if few[0] else "last"
    large = [min(sides) >= lenet.LEAST_SIDE for sides in (shape[2:], shape[1:-1])]
    if large[0] != large[1]:
        return "first" if large[0] else "last"
    first, last = ("x".join(map(str, sides)) for sides in (shape[2:], shape[1:-1]))
    raise InputError(
        f"{array.name} has the shape {shape}: are these {shape[1]} channels of {first} or {shape[-1]} of {last}? "
        "Say --channels first or --channels last"
    )


def _floats(array: Array, scale: tuple[float, float] | None) -> Images:
    """Floating images; those that clearly run from 0 to 255 are divided by 255."""
    values = finite(array)
    low, high = float(values.min()), float(values.max())
    if scale is not None and scale[0] <= low and high <= scale[1]:
        return Images(values, (scale[0],), (scale[1],), exact=False)  # as those that the run was trained on
    if low >= 0 and high <= 1:
        return Images(values, (0.0,), (1.0,), exact=False)
    if low >= 0 and DARK <= high <= 255:
        note = f"{_short(array)} has floats from {low:g} to {high:g}: they are divided by 255"
        return Images(scaled(values, 255), (0.0,), (1.0,), exact=True, note=note)
    for end in (0.5, 1.0):
        if low >= -end and high <= end:
            return Images(values, (-end,), (end,), exact=False)
    axes = (0, *range(2, values.ndim))
    lows, highs = (tuple(map(float, ends)) for ends in (values.min(axes), values.max(axes)))
    highs = tuple(high if high > low else low + 1 for low, high in zip(lows, highs, strict=True))
    ends = f"from {low:g} to {high:g}"
    note = f"{_short(array)} has values {ends}, taken as they are: the least is black, the greatest white"
    return Images(values, lows, highs, exact=False, note=note)


def _ends(all_images: Sequence[Images]) -> Images:
    """Black and white for all splits: those of the training, or a wider range that another split has."""
    first = all_images[0]
    for other in all_images[1:]:
        named = {(0.0,): 0, (-0.5,): 1, (-1.0,): 2}
        if first.low in named and other.low in named and named[other.low] > named[first.low]:
            first = other
    return first
