"""A folder of pictures, in one subfolder for each class."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.config import NEEDS_DATA_DIR
from jaxcnn.train.data.split import SPLIT_NAMES, TEST, TRAIN, UNASSIGNED, VALIDATION, Samples
from jaxcnn.train.errors import InputError
from jaxcnn.train.picture import ENDINGS, NoPictureError, decode, read, unit, values
from jaxcnn.train.preprocessing import Preprocessing, prepare, read_as

LITTER = ("__MACOSX", "@eaDir")
"""Folders that archivers and file servers leave behind."""

MOST_NAMED = 8
"""An error names at most this many of the files that can't be used."""


class Picture(NamedTuple):
    """One picture as its file has it, or as the network takes it."""

    path: Path
    pixels: NDArray[Any]
    """(rows, columns) if it is grey, or (rows, columns, 3); 8 or 16 bits a value, or float32 from 0 to 1."""

    label: int
    split: int


def load(
    folder: Path | None,
    *,
    size: int | None = None,
    like: Preprocessing | None = None,
    known_classes: Sequence[str] = (),
) -> Samples:
    """Pictures whose classes are the subfolders in alphabetical order.

    What is transparent lies on white. Names that begin with a dot, and files that are no pictures, are left out.

    Args:
      folder: of the subfolders; or of folders train, val (valid, validation) and test that have the same subfolders, or
        of subfolders with val or test next to them. Where there is val and no test, val is the test.
      size: side of a square into which each picture is fitted; None takes pictures of one size as they are.
      like: prepares each picture as a run did, whatever its size.
      known_classes: classes of that run; then one subfolder is enough, and one picture in it.

    Returns:
      Images (samples, 1, rows, columns) if all of them are grey, else (samples, 3, rows, columns), from 0 to 1.

    Raises:
      InputError: no such folder, no classes, a class without pictures, a damaged file, pictures of two sizes.

    >>> load(Path("/nowhere"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere can't be looked at (No such file or directory): check --data-dir
    """
    if folder is None:
        raise InputError(NEEDS_DATA_DIR)
    of_run = bool(known_classes)
    groups, notes = _groups(folder, of_run)
    classes = _classes(folder, groups, of_run)
    convert = _converter(size, like)
    pictures: list[Picture] = []
    bad: list[tuple[Path, InputError]] = []
    others = 0
    for split, parent in groups:
        for label, name in enumerate(classes):
            if (parent / name).is_dir():
                found = list(_files(parent / name))
                before = len(pictures)
                for path in found:
                    try:
                        pictures.append(Picture(path, convert(path), label, split))
                    except NoPictureError as error:
                        if path.suffix.lower() in ENDINGS:
                            bad.append((path, error))
                        else:
                            others += 1
                    except InputError as error:
                        bad.append((path, error))
                if len(pictures) == before and not bad and not of_run:
                    raise InputError(f"{parent / name} has no pictures: put some there, or take the subfolder away")
    if bad:
        raise _unusable(folder, bad)
    if not pictures:
        raise InputError(f"{folder} has no pictures: put some into a subfolder for each class")
    if others:
        notes.append(
            f"{others} {'file that is no picture is' if others == 1 else 'files that are no pictures are'} left out"
        )
    if like is None:
        images = _unit_images(pictures)
    else:
        images = np.stack([picture.pixels for picture in pictures]).reshape(-1, *like.image)
    labels = np.array([picture.label for picture in pictures], np.int32)
    splits = np.array([picture.split for picture in pictures], np.int8)
    low, high = (like.low, like.high) if like else ((0.0,), (1.0,))
    return Samples(images, labels, classes, splits, low, high, notes=tuple(notes), place=str(folder))


def _groups(folder: Path, of_run: bool) -> tuple[list[tuple[int, Path]], list[str]]:
    """The folders that have the classes as subfolders, each with its split; and notes about them."""
    there = _subfolders(folder)
    splits: dict[int, str] = {}
    for name in there:
        split = SPLIT_NAMES.get(name.lower())
        if split is None or not _holds_classes(folder / name):
            continue
        if split in splits:
            raise InputError(f"{folder} has both {splits[split]} and {name}: which of them is meant? Rename the other")
        splits[split] = name
    plain = [name for name in there if name not in splits.values()]
    notes: list[str] = []
    if not splits:
        return [(UNASSIGNED, folder)], notes
    if TRAIN in splits and plain:
        inside = set(_subfolders(folder / splits[TRAIN]))
        if both := sorted(inside & set(plain)):
            raise InputError(
                f"{folder} has the class {both[0]} twice, by itself and in {splits[TRAIN]}: "
                f"give --data-dir {folder / splits[TRAIN]} to use {splits[TRAIN]} alone, or a folder that has it once"
            )
        notes.append(f"next to {splits[TRAIN]} the folder {', '.join(plain)} is left out")
    bare = TRAIN not in splits and not plain
    if bare and not of_run:
        raise InputError(
            f"{folder} has {' and '.join(splits.values())} and nothing to train on: add train, with the same subfolders"
        )
    if VALIDATION in splits and TEST not in splits:
        notes.append(f"there is no folder test: {splits[VALIDATION]} is taken as the test")
        splits[TEST] = splits.pop(VALIDATION)
    groups = [(split, folder / splits[split]) for split in (TRAIN, VALIDATION, TEST) if split in splits]
    # Subfolders next to a val or test are the classes to train on.
    return ([] if TRAIN in splits or bare else [(TRAIN, folder)]) + groups, notes


def _holds_classes(folder: Path) -> bool:
    """Whether a folder called test holds the test, rather than a class of that name: it has folders and no pictures."""
    entries = _entries(folder)
    return any(entries.values()) and not any(path.suffix.lower() in ENDINGS for path in entries)


def _entries(folder: Path) -> dict[Path, bool]:
    """The entries of a folder in alphabetical order, and whether each is a folder itself."""
    try:
        there = (path for path in sorted(folder.iterdir()) if not path.name.startswith((".", *LITTER)))
        return {path: path.is_dir() for path in there}
    except OSError as error:
        raise InputError(f"{folder} can't be looked at ({error.strerror}): check --data-dir") from error


def _subfolders(folder: Path) -> tuple[str, ...]:
    return tuple(path.name for path, is_folder in _entries(folder).items() if is_folder)


def _classes(folder: Path, groups: Sequence[tuple[int, Path]], of_run: bool) -> tuple[str, ...]:
    """The names of the classes: those of the first group; in a new run every other group must have the same."""
    own = {parent.name for _, parent in groups if parent != folder}
    each = [(parent, tuple(n for n in _subfolders(parent) if parent != folder or n not in own)) for _, parent in groups]
    (first, names), *rest = each
    if of_run:
        names, rest = tuple(sorted({name for _, there in each for name in there})), []
    if len(names) < (1 if of_run else 2):
        if len(names) == 1 and len(_subfolders(first / names[0])) > 1:
            raise InputError(f"{first} has one subfolder, which has the classes: give --data-dir {first / names[0]}")
        raise InputError(
            f"{first} has {'one subfolder' if names else 'no subfolders'}: "
            "give a folder of two or more, one for each class, by --data-dir"
        )
    for parent, there in rest:
        if unlike := sorted(set(names) ^ set(there)):
            here, lacks = (first, parent) if unlike[0] in names else (parent, first)
            raise InputError(f"{here} has the class {unlike[0]} and {lacks} hasn't: give both the same subfolders")
    return names


def _files(folder: Path) -> Iterator[Path]:
    for path, is_folder in _entries(folder).items():
        if is_folder:
            raise InputError(f"{path} is a folder inside a class: move its pictures up, and remove it")
        yield path


def _unusable(folder: Path, bad: Sequence[tuple[Path, InputError]]) -> InputError:
    """One error for all files that can't be used."""
    if len(bad) == 1:
        return bad[0][1]
    named = ", ".join(str(path.relative_to(folder)) for path, _ in bad[:MOST_NAMED])
    more = f" and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
    return InputError(
        f"{folder} has {len(bad)} files that can't be used: {named}{more}: mend them, or take them away "
        f"(the first one: {bad[0][1]})"
    )


def _converter(size: int | None, like: Preprocessing | None) -> Callable[[Path], NDArray[Any]]:
    """Make an image of each file as it is read, so that only small images stay in memory."""
    if like is not None:
        return lambda path: read_as(path, like)
    if size is not None:
        return lambda path: _fitted(path, size)
    return lambda path: decode(path, values)


def _fitted(path: Path, size: int) -> NDArray[np.float32]:
    """(rows, columns) or (rows, columns, 3), as `predict` will make of it."""
    pixels = read(path, (size, size))
    channels = 1 if pixels.ndim == 2 else 3
    made = prepare(pixels, (channels, size, size), style="plain")
    return made[0] if channels == 1 else np.moveaxis(made, 0, -1)


def _unit_images(pictures: list[Picture]) -> NDArray[np.float32]:
    """(samples, channels, rows, columns) from 0 to 1; a grey picture among coloured ones has three equal channels."""
    rows, columns = pictures[0].pixels.shape[:2]
    for picture in pictures:
        if picture.pixels.shape[:2] != (rows, columns):
            other_rows, other_columns = picture.pixels.shape[:2]
            side = max(28, min(128, int(np.median([min(each.pixels.shape[:2]) for each in pictures]))))
            raise InputError(
                f"{picture.path} is {other_columns}x{other_rows} and {pictures[0].path} {columns}x{rows} pixels: "
                f"scale all pictures to one size, for instance by --image-size {side}"
            )
    channels = max(1 if picture.pixels.ndim == 2 else 3 for picture in pictures)
    images = np.empty((len(pictures), channels, rows, columns), np.float32)
    for image, picture in zip(images, pictures, strict=True):
        pixels = picture.pixels if picture.pixels.dtype == np.float32 else unit(picture.pixels)
        image[:] = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return images
