"""data.json: what a run knows of its data. Classes, place, counts, and a digest of each sample."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.config import MOST
from jaxcnn.train.data import Split
from jaxcnn.train.errors import InputError
from jaxcnn.train.files import parse_json, read_text
from jaxcnn.train.picture import PLAIN, STYLES, Preprocessing

SPLITS = ("train", "validation", "test")
DIGEST = np.dtype([("image", "<u8"), ("target", "<u8")])


class Known(NamedTuple):
    """What data.json holds."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    path: Path | None = None
    """Where the data were, absolute."""

    counts: dict[str, int] | None = None
    """Samples in each split; None in a run of an older version, which kept only shape and classes."""

    samples: dict[str, NDArray[Any]] | None = None
    """The digests of each split, in the order of its samples; None for drawn data."""

    @property
    def image(self) -> tuple[int, ...]:
        """Shape of one image, (channels, *spatial)."""
        return self.preprocessing.image

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        facts: dict[str, Any] = {"image": list(self.image), "classes": list(self.classes)}
        if self.counts is None:  # an older version kept no more
            return facts
        facts |= {"path": None if self.path is None else str(self.path), "counts": self.counts}
        facts |= {"preprocessing": self.preprocessing.to_json()}
        if self.samples is not None:
            facts["samples"] = {split: base64.b64encode(of.tobytes()).decode() for split, of in self.samples.items()}
        return facts


def from_json(facts: Any, data: str) -> Known:
    """What `Known.to_json` wrote, or an older version.

    Raises:
      ValueError, KeyError, TypeError: it is something else.
    """
    image, classes = facts["image"], facts["classes"]
    if not all(type(side) is int and 0 < side < MOST for side in image):
        raise ValueError(f"no image has the shape {image}")
    if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ValueError("classes are no names")
    if "preprocessing" not in facts:
        return Known(Preprocessing(tuple(image), STYLES.get(data, PLAIN)), tuple(classes))
    preprocessing = Preprocessing.from_json(facts["preprocessing"])
    path, counts, samples = facts["path"], facts["counts"], facts.get("samples")
    sound = (path is None or isinstance(path, str)) and list(counts) == list(SPLITS)
    if not (sound and preprocessing.image == tuple(image) and all(type(n) is int and n >= 0 for n in counts.values())):
        raise ValueError("it doesn't say where the data were, or how many")
    known = Known(preprocessing, tuple(classes), None if path is None else Path(path), counts)
    if samples is None:
        return known
    digests = {split: np.frombuffer(base64.b64decode(samples[split], validate=True), DIGEST) for split in SPLITS}
    if {split: len(of) for split, of in digests.items()} != counts:
        raise ValueError("its samples are not as many as it counts")
    return known._replace(samples=digests)


def read_known(run_dir: Path, data: str) -> Known:
    """data.json of a run.

    Raises:
      InputError: no such file, or a damaged one.
    """
    path = run_dir / "data.json"
    try:
        return from_json(parse_json(read_text(path)), data)
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
