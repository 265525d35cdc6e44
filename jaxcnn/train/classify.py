"""What a trained model takes pictures for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from numpy.typing import NDArray

from jaxcnn.train import picture
from jaxcnn.train.errors import InputError
from jaxcnn.train.model import make_apply
from jaxcnn.train.record import Run

TOP = 3


def make_classify(run: Run) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The model of a run as a function of one image.

    Args:
      run: what `open_run` returns.

    Returns:
      A function from (channels, *spatial) to the probabilities of the classes.
    """
    apply, params = make_apply(run.config), jax.device_put(run.params)
    probabilities = jax.jit(lambda images: jax.nn.softmax(apply(params, images).astype(np.float32))[0])
    return lambda image: np.asarray(probabilities(image[None]))


def look(path: Path, run: Run) -> NDArray[np.float32]:
    """A picture file as the image that a run's network takes.

    Args:
      path: the file.
      run: of which the data set and the shape of an image matter.

    Returns:
      (channels, *spatial).

    Raises:
      InputError: no picture, or nothing on it.
    """
    pixels = picture.read(path)
    try:
        return picture.prepare(pixels, run.image, data=run.config.data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def top(probabilities: NDArray[np.float32], classes: Sequence[str]) -> str:
    """The likeliest classes, the first first.

    >>> top(np.array([0.004, 0.982, 0.009, 0.005], np.float32), ("cat", "dog", "cow", "hen"))
    'dog 98.2%, cow 0.9%, hen 0.5%'
    """
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return ", ".join(f"{classes[index]} {probabilities[index]:.1%}" for index in best)
