"""Classify pictures with a trained model."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
from numpy.typing import NDArray

from jaxcnn.train import picture
from jaxcnn.train.errors import InputError
from jaxcnn.train.model import make_apply
from jaxcnn.train.saved import Run


def make_classify(run: Run) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The model of a run as a function from one image, (channels, *spatial), to the probabilities of the classes."""
    apply, params = make_apply(run.config), jax.device_put(run.params)
    probabilities = jax.jit(lambda images: jax.nn.softmax(apply(params, images).astype(np.float32))[0])
    return lambda image: np.asarray(probabilities(image[None]))


def pictures_in(path: Path) -> Iterator[Path]:
    """The path itself, or all pictures in a folder and its subfolders, in alphabetical order.

    Raises:
      InputError: a folder that can't be looked at, or holds no picture.
    """
    if not path.is_dir():
        yield path
        return
    try:
        hidden = (
            file
            for file in sorted(path.rglob("*"))
            if not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        found = [file for file in hidden if file.suffix.lower() in picture.ENDINGS and not file.is_dir()]
    except OSError as error:
        raise InputError(f"{path} can't be looked at ({error.strerror})") from error
    if not found:
        raise InputError(f"{path} holds no picture: give a folder of {', '.join(picture.FORMATS)} files")
    yield from found


def top_classes(probabilities: NDArray[np.float32], classes: Sequence[str], count: int = 3) -> list[tuple[str, float]]:
    """The likeliest classes with their probabilities, the likeliest first.

    >>> top_classes(np.array([0.25, 0.75], np.float32), ("cat", "dog"))
    [('dog', 0.75), ('cat', 0.25)]
    """
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(classes[index], float(probabilities[index])) for index in order]
