"""Load a run's data: for a new run, to resume, to evaluate, to report.

Each sample stays in the split that it had in training, whatever was added, removed or renamed since.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.train.config import NEEDS_VALIDATION, Config
from jaxcnn.train.data import Data, Samples, Split, divide, hold_out_validation, load_samples
from jaxcnn.train.data.split import TEST, take
from jaxcnn.train.errors import InputError
from jaxcnn.train.known import SPLITS, Known, digest
from jaxcnn.train.preprocessing import PLAIN, STYLES, Preprocessing

DRAWN = ("synthetic", "volumes")
"""Drawn from the seed each time, so they get no digests: another machine may round differently."""


class Loaded(NamedTuple):
    """The data of a run, and notes about them."""

    data: Data
    known: Known
    notes: tuple[str, ...]
    fresh: Split | None = None
    """Samples that the run has not seen."""

    missing: Mapping[str, int] = MappingProxyType({})
    """How many samples of each split are missing."""

    relabelled: Mapping[str, int] = MappingProxyType({})
    """How many samples of each split have a different class now."""


def load_new(config: Config) -> Loaded:
    """The data of a new run.

    Raises:
      InputError: anything wrong with them.
    """
    samples = load_samples(config)
    data = _divided(samples, config)
    if config.patience is not None and data.validation is None:
        raise InputError(NEEDS_VALIDATION)
    image = tuple(samples.images.shape[1:])
    preprocessing = Preprocessing(image, STYLES.get(config.data, PLAIN), samples.low, samples.high)
    path = _path(config)
    splits = {name: getattr(data, name) for name in SPLITS}
    counts = {name: 0 if split is None else len(split.targets) for name, split in splits.items()}
    known = Known(preprocessing, data.classes, None if path is None else path.absolute(), counts)
    notes = list(samples.notes)
    if config.data not in DRAWN:
        digests = {name: digest(split, data.classes) for name, split in splits.items()}
        known = known._replace(samples=digests)
        seen = np.concatenate([digests["train"]["image"], digests["validation"]["image"]])
        if both := int(np.isin(digests["test"]["image"], seen).sum()):
            notes.append(f"{_images(both)} of the test {_are(both)} among the training images too")
    return Loaded(data, known, tuple(notes))


def reload(config: Config, known: Known, *, data_dir: Path | None = None, data_file: Path | None = None) -> Loaded:
    """The data of an earlier run: its samples in the same splits and the same order.

    Args:
      config: of the run.
      known: what its data.json says.
      data_dir, data_file: where its data are now, or other data with the same classes.

    Returns:
      Those of its samples that are still there, and the new ones.

    Raises:
      InputError: they can't be loaded, or their shape is different.
    """
    config = _moved(config, known, data_dir, data_file)
    if (moved := data_dir or data_file) is not None:
        known = known._replace(path=moved.absolute())
    samples = load_samples(config, like=known.preprocessing, known_classes=known.classes)
    notes: list[str] = list(samples.notes)
    samples = _as_known(samples, known, notes)
    if known.samples is None:
        return Loaded(_divided(samples, config), known, tuple(notes))
    return _matched(samples, known, notes)


def _divided(samples: Samples, config: Config) -> Data:
    data = divide(samples)
    return hold_out_validation(data, config.validation, config.seed) if config.validation else data


def _moved(config: Config, known: Known, data_dir: Path | None, data_file: Path | None) -> Config:
    """The config with the place where the data are now."""
    if data_dir is not None and data_file is not None:
        raise InputError("--data-dir and --data-file both name data: give one of them")
    if data_file is not None:
        return replace(config, data="npz", data_dir=None, data_file=data_file, data_url=None)
    if data_dir is not None:
        idx = config.data in ("mnist", "fashion-mnist") and any(data_dir.glob("*-idx?-ubyte*"))
        data = config.data if idx else "folder"
        return replace(config, data=data, data_dir=data_dir, data_file=None, data_url=None)
    if known.path is None or _path(config) is None:
        return config
    if not known.path.exists():
        option = "--data-file" if config.data == "npz" else "--data-dir"
        raise InputError(
            f"the data of this run were in {known.path}, which is gone: say where they are now by {option}"
        )
    return replace(config, data_file=known.path) if config.data == "npz" else replace(config, data_dir=known.path)


def _path(config: Config) -> Path | None:
    return config.data_file if config.data == "npz" else config.data_dir


def _as_known(samples: Samples, known: Known, notes: list[str]) -> Samples:
    """Samples with a run's classes and its values of black and white; other classes are left out."""
    image = tuple(samples.images.shape[1:])
    if image != known.image:
        raise InputError(
            f"the run was trained on images of shape {known.image}, and these data are of shape {image} "
            f"with {len(samples.classes)} classes: give data of the run's shape"
        )
    if samples.classes != known.classes:
        samples = _with_classes(samples, known.classes, notes)
    ours = known.preprocessing
    if (samples.low, samples.high) != (ours.low, ours.high) and _is_certain(samples.low, exact=samples.exact):
        low, high = samples.low[0], samples.high[0]
        if _is_certain(ours.low, exact=samples.exact):
            images = ours.rescaled((samples.images - np.float32(low)) / np.float32(high - low))
            samples = samples._replace(images=images)
    return samples


def _is_certain(low: tuple[float, ...], *, exact: bool) -> bool:
    """Whether the value of black is certain: given by the format, or one that is in common use."""
    return exact or low in ((0.0,), (-0.5,), (-1.0,))


def _with_classes(samples: Samples, classes: Sequence[str], notes: list[str]) -> Samples:
    if samples.targets.ndim == 2:
        raise InputError(
            f"these data have the classes {_few(samples.classes)}, and the run {_few(classes)}: give rows of "
            f"{len(classes)} probabilities in its order"
        )
    index = {name: i for i, name in enumerate(classes)}
    new = np.array([index.get(name, -1) for name in samples.classes], np.int32)
    targets = new[samples.targets]
    keep = np.flatnonzero(targets >= 0)
    unknown = sorted({samples.classes[i] for i in np.unique(samples.targets[targets < 0])})
    if unknown:
        left = len(targets) - len(keep)
        notes.append(f"{_images(left)} {_are(left)} left out, of classes that the run doesn't know: {_few(unknown)}")
    if not len(keep):
        raise InputError(f"these data have the classes {_few(samples.classes)}, and none of the run's: {_few(classes)}")
    images = samples.images if len(keep) == len(targets) else samples.images[keep]
    return samples._replace(images=images, targets=targets[keep], splits=samples.splits[keep], classes=tuple(classes))


def _matched(samples: Samples, known: Known, notes: list[str]) -> Loaded:
    """Find each recorded sample: first one of the same content and class, else one of the same content."""
    records = {} if known.samples is None else known.samples
    there = digest(Split(samples.images, samples.targets), samples.classes)
    recorded = [records[split] for split in SPLITS]
    split_of = [split for split, of in zip(SPLITS, recorded, strict=True) for _ in of]
    wanted, free = np.concatenate(recorded), set(range(len(there)))
    place = _claim([mark.tobytes() for mark in wanted], [mark.tobytes() for mark in there], free)
    rest = [position for position in range(len(wanted)) if position not in place]
    again = _claim(wanted["image"][rest].tolist(), there["image"].tolist(), free)
    place |= {rest[i]: at for i, at in again.items()}
    relabelled = Counter(split_of[rest[i]] for i in again)
    missing = Counter(split_of[position] for position in rest if position not in place)
    splits: dict[str, Split | None] = {}
    for split in SPLITS:
        indices = [place[position] for position in sorted(place) if split_of[position] == split]
        splits[split] = take(samples, np.array(indices, np.intp)) if indices else None
    left = np.array(sorted(free), np.intp)
    new = left[~np.isin(there["image"][left], wanted["image"])]
    if (samples.splits == TEST).any():  # a new sample among the training images is no test
        new = new[samples.splits[new] == TEST]
    nothing = Split(samples.images[:0], samples.targets[:0])
    data = Data(splits["train"] or nothing, splits["test"], known.classes, splits["validation"])
    return Loaded(data, known, tuple(notes), take(samples, new) if len(new) else None, missing, relabelled)


def _claim(wanted: Sequence[Any], there: Sequence[Any], free: set[int]) -> dict[int, int]:
    """For each wanted mark the first free place that has it; that place is then taken.

    >>> free = {0, 1, 2}
    >>> _claim(["b", "c", "b", "b"], ["b", "a", "b"], free), free
    ({0: 0, 2: 2}, {1})
    """
    places: dict[Any, list[int]] = {}
    for at in sorted(free, reverse=True):
        places.setdefault(there[at], []).append(at)
    claimed = {i: places[mark].pop() for i, mark in enumerate(wanted) if places.get(mark)}
    free.difference_update(claimed.values())
    return claimed


def differences(loaded: Loaded, splits: Sequence[str] = SPLITS) -> Iterator[str]:
    """How many samples are missing or changed, a line each."""
    counts = loaded.known.counts
    names = {"train": "training", "validation": "validation", "test": "test"}
    for split in splits:
        if gone := loaded.missing.get(split, 0):
            yield f"{gone} of the {counts[split]} {names[split]} images {_are(gone)} gone or changed"
        if other := loaded.relabelled.get(split, 0):
            have = "has" if other == 1 else "have"
            yield f"{other} of the {counts[split]} {names[split]} images {have} another class now"


def check_unchanged(loaded: Loaded, run_dir: Path) -> Loaded:
    """The data of a run to resume, which must be the same as before.

    Raises:
      InputError: samples are missing or have a different class.
    """
    if changes := "; ".join(differences(loaded)):
        raise InputError(
            f"{run_dir} can't go on, its data have changed: {changes}: bring them back, or start a new run with "
            f"--init-from {run_dir}"
        )
    if loaded.fresh is not None:
        new = len(loaded.fresh.targets)
        note = f"{_images(new)} {_are(new)} new since the run began: left out"
        return loaded._replace(notes=(*loaded.notes, note))
    return loaded


def evaluation_split(loaded: Loaded, *, other: bool) -> tuple[Split, tuple[str, ...]]:
    """The test samples of a run, none of which it was trained on, and notes about them.

    Args:
      loaded: what `reload` returns.
      other: whether the user named these data; then their new samples count too.

    Raises:
      InputError: there are none.
    """
    notes = [*loaded.notes, *differences(loaded, ("test",) if other else SPLITS)]
    test, fresh = loaded.data.test, loaded.fresh
    new = 0 if fresh is None else len(fresh.targets)
    if fresh is not None and other:
        if test is not None:
            notes.append(f"{_images(new)} {_are(new)} new, with the {len(test.targets)} that were held out")
            test = Split(*(np.concatenate(both) for both in zip(test, fresh, strict=True)))
        else:
            notes = [note for note in notes if "gone or changed" not in note]
            test = fresh
        trained = sum(len(split.targets) for split in (loaded.data.train, loaded.data.validation) if split is not None)
        if trained and loaded.data.test is None:
            notes.append(f"{_images(trained)} {_are(trained)} left out: the run was trained on them")
    elif fresh is not None:
        notes.append(
            f"{_images(new)} {_are(new)} new since the run began: left out (--data-dir or --data-file counts them)"
        )
    if test is None or not len(test.targets):
        if not loaded.known.counts["test"]:
            raise InputError("the data of this run have no test images to evaluate on")
        raise InputError(
            f"none of the {loaded.known.counts['test']} test images is there any more, and every other image was "
            "trained on: bring them back, or give others by --data-dir or --data-file"
        )
    return test, tuple(notes)


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
