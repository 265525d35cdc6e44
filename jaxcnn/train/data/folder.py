"""A folder of pictures, in one subfolder for each class."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.data.split import Data, Split, divided
from jaxcnn.train.errors import InputError
from jaxcnn.train.picture import decode, on_white

FORMATS = ("PNG", "JPEG", "BMP", "GIF")
GREY = ("1", "L", "LA")


class Picture(NamedTuple):
    """One picture as its file has it."""

    path: Path
    pixels: NDArray[Any]
    """(rows, columns) if it is grey, or (rows, columns, 3); 8 or 16 bits a value."""

    label: int


def load(folder: Path | None) -> Data:
    """Pictures of one size, PNG, JPEG, BMP or GIF, whose classes are the subfolders in alphabetical order.

    What is transparent lies on white. Names that begin with a dot, and files beside the subfolders, are left out.

    Args:
      folder: of the subfolders; or of two folders, train and test, that have the same subfolders. Without these a
        fifth of each class is held out for the test, the same whatever the seed.

    Returns:
      Images (samples, 1, rows, columns) if all of them are grey, else (samples, 3, rows, columns), from 0 to 1.

    Raises:
      InputError: no such folder, no classes, a class without pictures, a file that is none, pictures of two sizes.

    >>> load(Path("/nowhere"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere can't be looked at (No such file or directory): check --data-dir
    """
    if folder is None:
        raise InputError("--data folder: give the folder of one subfolder of pictures for each class by --data-dir")
    top = _subfolders(folder)
    if {"train", "test"} <= set(top):
        return _given_split(folder, top)
    classes = _classes(folder)
    pictures = _pictures(folder, classes)
    labels = np.array([picture.label for picture in pictures], np.int32)
    for name, count in zip(classes, np.bincount(labels), strict=True):
        if count < 2:
            raise InputError(f"{folder / name} has one picture: put two or more there, one of them is for the test")
    return Data(*divided(_images(pictures), labels, labels), classes)


def _given_split(folder: Path, top: tuple[str, ...]) -> Data:
    if others := sorted(set(top) - {"train", "test"}):
        raise InputError(f"{folder} has train, test and {others[0]}: move {others[0]} away, it would be left out")
    train, test = folder / "train", folder / "test"
    classes = _classes(train)
    if unlike := sorted(set(classes) ^ set(_classes(test))):
        here, there = (train, test) if unlike[0] in classes else (test, train)
        raise InputError(f"{here} has the class {unlike[0]} and {there} hasn't: give both the same subfolders")
    to_train, to_test = _pictures(train, classes), _pictures(test, classes)
    pictures = to_train + to_test
    images = _images(pictures)
    labels = np.array([picture.label for picture in pictures], np.int32)
    first = len(to_train)
    return Data(Split(images[:first], labels[:first]), Split(images[first:], labels[first:]), classes)


def _entries(folder: Path) -> dict[Path, bool]:
    """What a folder holds, in alphabetical order, and whether it is a folder itself."""
    try:
        return {path: path.is_dir() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    except OSError as error:
        raise InputError(f"{folder} can't be looked at ({error.strerror}): check --data-dir") from error


def _subfolders(folder: Path) -> tuple[str, ...]:
    return tuple(path.name for path, is_folder in _entries(folder).items() if is_folder)


def _classes(folder: Path) -> tuple[str, ...]:
    names = _subfolders(folder)
    if len(names) < 2:
        raise InputError(
            f"{folder} has {'one subfolder' if names else 'no subfolders'}: "
            "give a folder of two or more, one for each class, by --data-dir"
        )
    return names


def _pictures(folder: Path, classes: tuple[str, ...]) -> list[Picture]:
    pictures = []
    for label, name in enumerate(classes):
        paths = _entries(folder / name)
        if not paths:
            raise InputError(f"{folder / name} has no pictures: put some there, or take the subfolder away")
        for path, is_folder in paths.items():
            if is_folder:
                raise InputError(f"{path} is a folder inside a class: put its pictures beside it, and take it away")
            pictures.append(Picture(path, decode(path, FORMATS, _values), label))
    return pictures


def _values(picture: Any) -> NDArray[Any]:
    """The values of a Pillow image, on white: (rows, columns) if its mode is a grey one, else (rows, columns, 3)."""
    grey = picture.mode in GREY
    if picture.mode.startswith("I"):  # 16 bits, for which Pillow has several names
        return np.asarray(picture).astype(np.uint16)
    return np.asarray(on_white(picture).convert("L" if grey else "RGB"))


def _images(pictures: list[Picture]) -> NDArray[np.float32]:
    """(samples, channels, rows, columns) from 0 to 1; a grey picture among coloured ones has three equal channels."""
    rows, columns = pictures[0].pixels.shape[:2]
    for picture in pictures:
        if picture.pixels.shape[:2] != (rows, columns):
            other_rows, other_columns = picture.pixels.shape[:2]
            raise InputError(
                f"{picture.path} is {other_columns}x{other_rows} and {pictures[0].path} {columns}x{rows} pixels: "
                "scale all pictures to one size"
            )
    channels = max(1 if picture.pixels.ndim == 2 else 3 for picture in pictures)
    images = np.empty((len(pictures), channels, rows, columns), np.float32)
    for image, picture in zip(images, pictures, strict=True):
        pixels = picture.pixels[None] if picture.pixels.ndim == 2 else np.moveaxis(picture.pixels, -1, 0)
        image[:] = pixels / np.float32(np.iinfo(pixels.dtype).max)
    return images
