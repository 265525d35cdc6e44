"""Normal noise with soft labels: nothing to learn but the labels themselves."""

import numpy as np

from jaxcnn.train.data.split import DIGITS, TRAIN, Samples, join

SIDES = (28, 28)


def load(samples: int, seed: int) -> Samples:
    """Normal noise, (samples, 1, 28, 28), and the softmax of normal noise as rows of ten probabilities; no test.

    >>> load(3, seed=0).targets.sum(axis=1).round(5).tolist()
    [1.0, 1.0, 1.0]
    """
    random = np.random.default_rng(seed)
    images = random.standard_normal((samples, 1, *SIDES), np.float32)
    weights = np.exp(random.standard_normal((samples, len(DIGITS)), np.float32))
    return join((images, weights / weights.sum(axis=1, keepdims=True), TRAIN), classes=DIGITS)
