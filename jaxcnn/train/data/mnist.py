"""MNIST and Fashion-MNIST: four IDX files in a folder, in Debian's package, or downloaded."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.data import idx
from jaxcnn.train.data.download import fetch
from jaxcnn.train.data.split import DIGITS, TEST, TRAIN, Samples, Split, join, scaled
from jaxcnn.train.errors import InputError

CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


class Source(NamedTuple):
    """Where a data set comes from when no folder is given."""

    url: str
    checksums: dict[str, str]
    """The MD5 of each file."""


SOURCES = {
    "mnist": Source(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": Source(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}


def load(name: Literal["mnist", "fashion-mnist"], folder: Path | None, url: str | None) -> Samples:
    """One of the two data sets.

    Args:
      name: which.
      folder: where its four files are, gzipped or not; None is Debian's folder, if it is there and no URL is given,
        else a download that is kept.
      url: of a mirror; None is a public one.

    Returns:
      Images (samples, 1, rows, columns) with the classes of digits or clothes.

    Raises:
      InputError: absent or damaged files, no network.
    """
    classes = CLOTHES if name == "fashion-mnist" else DIGITS
    folder = folder or _find(name, url)
    train, test = (_split(folder, prefix) for prefix in ("train", "t10k"))
    if train.images.shape[1:] != test.images.shape[1:]:
        raise InputError(
            f"{folder}: the training images are {train.images.shape[2:]} and the test images "
            f"{test.images.shape[2:]}: they belong to different data sets"
        )
    return join((*train, TRAIN), (*test, TEST), classes=classes)


def _find(name: str, url: str | None) -> Path:
    if name == "fashion-mnist" and url is None and DEBIAN.is_dir():
        return DEBIAN
    source = SOURCES[name]
    return fetch(name, url or source.url, source.checksums)


def _split(folder: Path, prefix: str) -> Split:
    image_path = idx.find(folder, f"{prefix}-images-idx3-ubyte")
    label_path = idx.find(folder, f"{prefix}-labels-idx1-ubyte")
    images, labels = idx.read(image_path, rank=3), idx.read(label_path, rank=1)
    if len(images) != len(labels):
        raise InputError(
            f"{image_path} holds {len(images)} images, but {label_path} holds {len(labels)} labels: "
            "they belong to different data sets"
        )
    if not images.size:
        raise InputError(f"{image_path} holds no pixels, shape {images.shape}: fetch it again")
    _check_labels(label_path, labels)
    return Split(scaled(images[:, None], 255), labels.astype(np.int32))


def _check_labels(path: Path, labels: NDArray[Any]) -> None:
    if labels.max() >= len(DIGITS):
        first = int(np.argmax(labels >= len(DIGITS)))
        raise InputError(
            f"{path}: label {first} is {labels[first]}, but the {len(DIGITS)} classes are 0 to {len(DIGITS) - 1}: "
            "is it the file of these images?"
        )
