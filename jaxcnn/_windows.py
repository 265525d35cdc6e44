"""`windows`: every window of a map as an array; and `fold`, its adjoint, which sums overlapping windows."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxcnn._arrays import accumulator, as_array, spatial_shape
from jaxcnn._errors import integer_or_symbol, message, per_axis, rank_of
from jaxcnn._geometry import Geometry, geometry
from jaxcnn._padding import Border, none_if_zero, with_border, zeros
from jaxcnn._remember import remembered
from jaxcnn._slices import fold_taps, taps
from jaxcnn._types import Ints, Padding, PaddingMode
from jaxcnn._windowed import Linear, Share, linear


@remembered("x")
def windows(
    x: ArrayLike,
    size: Sequence[int],
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    padding_mode: PaddingMode = "constant",
    fill: ArrayLike = 0,
) -> jax.Array:
    """Every window that slides over the last n axes of x, where n = len(size).

    windows(x, size)[..., i, t] = padded(x)[..., i * stride + t * dilation], on each axis

    Args:
      x: (*lead, *spatial), of any dtype; the windows are exact copies of its cells.
      size: taps of the window, one int per axis.
      stride: cells from one window to the next: an int or one per axis.
      padding: an int, one int per axis, one (low, high) per axis (negative crops), "VALID", "SAME" (ceil(size / stride)
        windows), "SAME_LOWER", "FULL" or "CAUSAL".
      dilation: cells from one tap to the next: an int or one per axis.
      padding_mode: where the cells of the padding come from, one for all axes or one per axis: "constant"
        (1234 -> 001234000), "reflect" (321234321), "replicate" (111234444), "circular" (341234123) or "symmetric"
        (211234432).
      fill: what "constant" puts there, a scalar.

    Returns:
      (*lead, *out, *size).

    Raises:
      ValueError: a window larger than the padded map, a stride or dilation below 1, a wrong number of axes.
      TypeError: a stride, pad, dilation or size that is not an int, or is traced; a fill that x's dtype cannot hold.

    >>> x = jnp.arange(9.0).reshape(3, 3)
    >>> windows(x, (2, 2)).shape
    (2, 2, 2, 2)
    >>> windows(x, (2, 2))[0, 1]
    Array([[1., 2.],
           [4., 5.]], dtype=float32)

    PyTorch's columns (samples, channels * taps, windows) of an x (samples, channels, H, W) are one line away:

    >>> w = windows(jnp.ones((2, 3, 5, 5)), (2, 2))
    >>> jnp.moveaxis(w, (-2, -1), (2, 3)).reshape(2, 3 * 4, 4 * 4).shape
    (2, 12, 16)

    Source: `im2col` of Chellapilla, Puri and Simard, 2006, and `torch.nn.functional.unfold`, in any rank.
    """
    x = as_array("windows", "x", x)
    spatial = spatial_shape("windows", x, rank_of("windows", "size", size))
    g = geometry("windows", spatial, size, stride=stride, padding=padding, dilation=dilation, named="size")
    return windows_of(*with_border("windows", x, g, padding_mode, none_if_zero(fill)))


@remembered("w")
def fold(
    w: ArrayLike,
    spatial: Sequence[int],
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> jax.Array:
    """Overlapping windows summed back into the map they came from: the adjoint of `windows`.

    fold(w)[..., p] = sum of w[..., i, t] over all i, t with i * stride + t * dilation = p + low, on each axis

    Args:
      w: (*lead, *out, *size), as `windows` gives it.
      spatial: sides of the map, one int per axis.
      stride, padding, dilation: as they were for `windows`; what falls on the padding is dropped.

    Returns:
      (*lead, *spatial); sums of bfloat16 and float16 are kept in float32 until the end.

    Raises:
      ValueError: a w whose shape is not that of the windows of such a map.
      TypeError: a stride, pad, dilation or side that is not an int, or is traced.

    >>> x = jnp.ones((3, 3))
    >>> fold(windows(x, (2, 2)), (3, 3))
    Array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)

    Columns in PyTorch's order, which is that of ONNX's Col2Im too, are brought into ours by one line:

    >>> columns = jnp.ones((2, 3 * 4, 16))
    >>> fold(jnp.moveaxis(columns.reshape(2, 3, 2, 2, 4, 4), (2, 3), (-2, -1)), (5, 5)).shape
    (2, 3, 5, 5)

    Source: `torch.nn.functional.fold` and ONNX's Col2Im, in any rank.
    """
    w, n = as_array("fold", "w", w), rank_of("fold", "spatial", spatial)
    if w.ndim < 2 * n:
        problem = f"has shape {w.shape}, but {n} spatial axes need (*lead, *out, *size)"
        raise ValueError(message("fold", "w", problem, f"pass an array of at least {2 * n} axes"))
    size = w.shape[w.ndim - n :]
    spatial = per_axis("fold", "spatial", spatial, n, least=0, read=integer_or_symbol)
    g = geometry("fold", spatial, size, stride=stride, padding=padding, dilation=dilation)
    given = w.shape[w.ndim - 2 * n : w.ndim - n]
    if given != g.out:
        problem = f"has {given} windows of {size}, but a map of {tuple(spatial)} has {g.out} of them"
        raise ValueError(message("fold", "w", problem, "pass the stride, padding and dilation that made w"))
    return linear(WINDOWS.adjoint, w, g, zeros(n), "windows", "x")


def windows_of(x: jax.Array, g: Geometry, border: Border) -> jax.Array:
    """The windows of x: (*lead, *spatial) to (*lead, *out, *window)."""
    return linear(WINDOWS, x, g, border, "x", "windows")


def _windows(share: Share, x: jax.Array) -> jax.Array:
    n = share.g.n
    return jnp.moveaxis(taps(x, share.g), range(n), range(-n, 0))


def _fold(share: Share, w: jax.Array) -> jax.Array:
    n = share.g.n
    seen = jnp.moveaxis(w, range(-n, 0), range(n)).astype(accumulator(w.dtype))
    return fold_taps(seen, share.g).astype(w.dtype)


WINDOWS = Linear(_windows, _fold)
