"""data.json: what a run knows of its data. Classes, place, counts, and a digest of each sample."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.data import Split
from jaxcnn.train.errors import InputError
from jaxcnn.train.files import parse_json, read_text
from jaxcnn.train.preprocessing import Preprocessing

SPLITS = ("train", "validation", "test")
DIGEST = np.dtype([("image", "<u8"), ("target", "<u8")])


class Known(NamedTuple):
    """What data.json holds."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    path: Path | None
    """Where the data were, absolute; None for data that come with a package or are drawn."""

    counts: dict[str, int]
    """Samples in each split."""

    samples: dict[str, NDArray[Any]] | None = None
    """The digests of each split, in the order of its samples; None for drawn data."""

    @property
    def image(self) -> tuple[int, ...]:
        """Shape of one image, (channels, *spatial)."""
        return self.preprocessing.image

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        facts: dict[str, Any] = {
            "classes": list(self.classes),
            "path": None if self.path is None else str(self.path),
            "counts": self.counts,
            "preprocessing": self.preprocessing.to_json(),
        }
        if self.samples is not None:
            facts["samples"] = {split: base64.b64encode(of.tobytes()).decode() for split, of in self.samples.items()}
        return facts


def from_json(facts: Any) -> Known:
    """What `Known.to_json` wrote.

    Raises:
      ValueError, KeyError, TypeError: it is something else.
    """
    classes, path, counts, samples = facts["classes"], facts["path"], facts["counts"], facts.get("samples")
    if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ValueError("classes are no names")
    sound = (path is None or isinstance(path, str)) and list(counts) == list(SPLITS)
    if not (sound and all(type(count) is int and count >= 0 for count in counts.values())):
        raise ValueError("it doesn't say where the data were, or how many")
    preprocessing = Preprocessing.from_json(facts["preprocessing"])
    known = Known(preprocessing, tuple(classes), None if path is None else Path(path), counts)
    if samples is None:
        return known
    digests = {split: np.frombuffer(base64.b64decode(samples[split], validate=True), DIGEST) for split in SPLITS}
    if {split: len(of) for split, of in digests.items()} != counts:
        raise ValueError("its samples are not as many as it counts")
    return known._replace(samples=digests)


def read_known(run_dir: Path) -> Known:
    """data.json of a run.

    Raises:
      InputError: no such file, or a damaged one.
    """
    path = run_dir / "data.json"
    try:
        return from_json(parse_json(read_text(path)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or no run's") from error


def digest(split: Split | None, classes: Sequence[str]) -> NDArray[Any]:
    """A digest of each image and of each target, the same on every machine and in any order.

    >>> digest(Split(np.zeros((2, 1, 2, 2), np.float32), np.array([0, 1])), ("cat", "dog"))["image"].tolist()
    [1041621211125469266, 1041621211125469266]
    """
    if split is None:
        return np.empty(0, DIGEST)
    made = np.empty(len(split.targets), DIGEST)
    images = np.ascontiguousarray(split.images)
    made["image"] = [_hash(image) for image in images]
    targets = np.asarray(split.targets)
    if targets.ndim == 1:
        names = np.array([_hash(name.encode()) for name in classes], np.uint64)
        made["target"] = names[targets]
    else:
        made["target"] = [_hash(row) for row in np.ascontiguousarray(targets)]
    return made


def _hash(content: Any) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
