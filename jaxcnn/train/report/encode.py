"""Arrays as pictures for a page: bytes in base64, with their size and the values of black and white."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def flat(array: NDArray[Any], spatial: int) -> NDArray[Any]:
    """Reduce the spatial axes to two: the middle slice of a volume, one row for a line.

    Args:
      array: (*lead, *spatial).
      spatial: how many spatial axes it has.

    Returns:
      (*lead, height, width).

    >>> flat(np.zeros((6, 1, 5, 7, 9)), spatial=3).shape
    (6, 1, 7, 9)
    """
    for _ in range(spatial - 2):
        array = np.take(array, array.shape[-spatial] // 2, axis=-spatial)
        spatial -= 1
    return array if spatial > 1 else array[..., None, :]


def shrunk(array: NDArray[Any], side: int) -> NDArray[Any]:
    """Means over square blocks, as large as it takes for the height and width to be at most `side`.

    Args:
      array: (*lead, height, width).
      side: the greatest height and width.

    Returns:
      (*lead, height // block, width // block); a picture that is small already stays as it is.

    >>> shrunk(np.arange(8.0).reshape(2, 4), side=2)
    array([[2.5, 4.5]])
    """
    *lead, height, width = array.shape
    block = -(-max(height, width) // side)
    if block <= 1:
        return array
    rows, columns = max(height // block, 1), max(width // block, 1)
    down, right = min(block, height), min(block, width)
    cut = array[..., : rows * down, : columns * right]
    blocks = cut.reshape(*lead, rows, down, columns, right)
    return np.asarray(blocks.mean(axis=(-3, -1)))


def colours(image: NDArray[Any]) -> NDArray[Any]:
    """The channels of an image as one or three: one and three stay, other numbers are averaged.

    >>> colours(np.ones((4, 2, 2))).shape
    (1, 2, 2)
    """
    return image if len(image) in (1, 3) else image.mean(axis=0, keepdims=True)


def value_range(arrays: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """The values of black and white: 0 and 1 for pixels that lie there, else the extremes.

    >>> value_range([np.array([0.25, 0.5])]), value_range([np.array([-1.0, 3.0])])
    ((0.0, 1.0), (-1.0, 3.0))
    """
    low, high = float(min(a.min() for a in arrays)), float(max(a.max() for a in arrays))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def encoded(array: NDArray[Any], low: float, high: float) -> dict[str, Any]:
    """A stack of maps as bytes, 0 for `low` and 255 for `high`.

    Args:
      array: (count, height, width).
      low, high: values of the darkest and the brightest byte; what lies beyond is cut off.

    Returns:
      {"count", "height", "width", "low", "high", "bytes"}, the bytes in row-major order, in base64.

    >>> encoded(np.array([[[0.0, 1.0]]]), 0, 1)["bytes"] == base64.b64encode(bytes([0, 255])).decode()
    True
    """
    count, height, width = array.shape
    levels = np.clip((array - low) / ((high - low) or 1) * 255, 0, 255).round().astype(np.uint8)
    encoded = base64.b64encode(levels.tobytes()).decode()
    return {"count": count, "height": height, "width": width, "low": low, "high": high, "bytes": encoded}
