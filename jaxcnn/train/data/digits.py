"""The 1,797 handwritten digits inside scikit-learn, of 8x8 pixels from 0 to 16."""

import numpy as np

from jaxcnn.train.data.split import DIGITS, UNASSIGNED, Samples, join, scaled
from jaxcnn.train.errors import extra

WHITE = 16
ENLARGED = 3


def load() -> Samples:
    """8x8 is too small for LeNet, so each pixel becomes 3x3.

    Returns:
      Images (1797, 1, 24, 24); four fifths of each digit are to train with.

    Raises:
      InputError: scikit-learn isn't installed.
    """
    with extra():
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    bunch = load_digits()
    images = scaled(bunch.images[:, None].repeat(ENLARGED, axis=-1).repeat(ENLARGED, axis=-2), WHITE)
    return join((images, bunch.target.astype(np.int32), UNASSIGNED), classes=DIGITS)
