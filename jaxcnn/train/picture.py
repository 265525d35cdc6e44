"""Reads picture files as they are meant to be seen, to train on and to predict alike."""

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

FORMATS = {  # as Pillow calls them, and the endings of their files
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
ENDINGS = frozenset(ending for endings in FORMATS.values() for ending in endings)
LONGEST = 1024  # finer than most networks here see
GREY = ("1", "L", "LA", "La")


class NoPictureError(InputError):
    """A file in none of these formats."""


def read(path: Path, sides: Sequence[int] = ()) -> Pixels:
    """Read a picture file as it is meant to be seen: turned as its EXIF says, and what is transparent on white.

    Args:
      path: a file of one of `FORMATS`; of an animation the first picture.
      sides: of the image that it will become; a picture is shrunk to twice these, or to 1024 pixels a side.

    Returns:
      (height, width) if it is grey, else (height, width, 3), from 0 to 1.

    Raises:
      InputError: no such file, no picture, a damaged one, one of more pixels than Pillow accepts.

    >>> read(Path("/nowhere/seven.png"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/seven.png can't be read: No such file or directory
    """
    longest = max(LONGEST, *(2 * side for side in sides), 0)

    def shrunk(image: Any) -> NDArray[Any]:
        if image.mode == "P":
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")  # indices have no mean
        if max(image.size) > longest and not image.mode.startswith("I"):
            image.thumbnail((longest, longest))
        return values(image)

    return unit(decode(path, shrunk))


def values(image: Any) -> NDArray[Any]:
    """The values of a Pillow image, on white: (rows, columns) if its mode is a grey one, else (rows, columns, 3).

    Returns:
      uint8, or uint16 where the image has 16 bits.
    """
    if image.mode.startswith("I"):  # 16 bits, for which Pillow has several names
        return np.asarray(image).clip(0, 2**16 - 1).astype(np.uint16)
    if image.mode == "F":  # of a TIFF: from 0 to 1, or from 0 to 255
        floats = np.nan_to_num(np.asarray(image, np.float64))
        return (
            np.round(floats.clip(0, None) * (2**16 - 1) / (1 if floats.max(initial=0) <= 1 else 255))
            .clip(0, 2**16 - 1)
            .astype(np.uint16)
        )
    return np.asarray(on_white(image).convert("L" if image.mode in GREY else "RGB"))


def unit(array: NDArray[Any]) -> Pixels:
    """Whole numbers as float32 from 0 to 1."""
    return np.asarray(array / np.float32(np.iinfo(array.dtype).max), np.float32)


def decode(path: Path, convert: Callable[[Any], Decoded]) -> Decoded:
    """Decode a picture file with Pillow.

    Args:
      path: the file; of an animation the first picture counts.
      convert: called with the Pillow image, turned as its EXIF says.

    Returns:
      What `convert` returns.

    Raises:
      NoPictureError: none of these formats.
      InputError: no such file, a damaged one, one of more pixels than Pillow accepts.
    """
    with extra():
        from PIL import Image, ImageOps, UnidentifiedImageError
    bombs = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter("ignore")  # of damaged EXIF data and the like, where the pixels are whole
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # From memory: where a chunk claims a gigabyte, reading from a file would allocate it.
            with Image.open(io.BytesIO(file.read()), formats=tuple(FORMATS)) as image:
                return convert(ImageOps.exif_transpose(image))
    except bombs as error:
        raise InputError(f"{path} unpacks to more than {Image.MAX_IMAGE_PIXELS:,} pixels: shrink it first") from error
    except UnidentifiedImageError as error:
        names = list(FORMATS)
        raise NoPictureError(f"{path} is no picture: give a file of {', '.join(names[:-1])} or {names[-1]}") from error
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
