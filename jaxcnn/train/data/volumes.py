"""Small 3-D volumes drawn by the program: a ball, a cube or a shell somewhere in noise."""

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.data.split import TEST, TRAIN, Samples, Split, join

CLASSES = ("ball", "cube", "shell")
SIDE = 16
TRAIN_COUNT, TEST_COUNT = 600, 150
RADII = (4.0, 6.0)
BRIGHTNESS = (0.7, 1.0)
NOISE = 0.1
THICKNESS = 1.5


def load(seed: int) -> Samples:
    """As many volumes of each class, at random places and in random sizes: 600 to train with and 150 to test with.

    >>> drawn = load(seed=0)
    >>> drawn.images.shape, drawn.classes
    ((750, 1, 16, 16, 16), ('ball', 'cube', 'shell'))
    """
    random = np.random.default_rng(seed)
    train, test = _draw(random, TRAIN_COUNT), _draw(random, TEST_COUNT)
    return join((*train, TRAIN), (*test, TEST), classes=CLASSES)


def _draw(random: np.random.Generator, samples: int) -> Split:
    labels = np.arange(samples, dtype=np.int32) % len(CLASSES)
    radius = random.uniform(*RADII, samples)
    center = random.uniform(radius[:, None], SIDE - 1 - radius[:, None], (samples, 3))
    brightness = random.uniform(*BRIGHTNESS, samples)
    volumes = np.empty((samples, 1, SIDE, SIDE, SIDE), np.float32)
    for i in range(samples):
        body = _body(CLASSES[labels[i]], center[i], radius[i])
        volumes[i, 0] = brightness[i] * body + NOISE * random.standard_normal(body.shape)
    return Split(volumes.clip(0, 1), labels)


def _body(name: str, center: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Which voxels belong to it."""
    offsets = np.indices((SIDE,) * 3) - center[:, None, None, None]
    distance = np.sqrt((offsets**2).sum(axis=0))
    body: NDArray[np.bool_] = distance <= radius
    if name == "shell":
        body &= distance > radius - THICKNESS
    if name == "cube":
        # Same volume as the ball, so counting bright voxels does not give the class away.
        body = np.abs(offsets).max(axis=0) <= radius * (np.pi / 6) ** (1 / 3)
    return body
