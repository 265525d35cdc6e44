"""`max_pool_with_indices`, max pooling with the index of each winner, and `max_unpool`, which puts values back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jaxcnn._arrays import as_array, devices_along, spatial_shape
from jaxcnn._errors import integer_or_symbol, message, per_axis, rank_of, require_at_least
from jaxcnn._geometry import Geometry, geometry
from jaxcnn._layout import spatial_axes, spatial_back, spatial_last
from jaxcnn._padding import zeros
from jaxcnn._pool_modes import refuse_complex
from jaxcnn._reduce import Best, extremes, first_max, reduce_windows
from jaxcnn._remember import remembered
from jaxcnn._symbolic import is_symbolic
from jaxcnn._types import Ints, Padding
from jaxcnn._windowed import Share, winners


@remembered("x")
def max_pool_with_indices(
    x: ArrayLike,
    window: Sequence[int],
    *,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    axes: Sequence[int] | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Max pooling, and for each window the flat index of its winner in the unpadded map.

    values[..., i] = x[...].ravel()[indices[..., i]]

    Args:
      x: (*lead, *spatial), or any order with `axes`.
      window, stride, padding, dilation, ceil_mode, axes: as in `pool`; the padding never wins.

    Returns:
      (values, indices), both (*lead, *out) in the order of x; indices are int32 and count through the map of each
      channel by itself, in row-major order. The first of equal winners is named, and the first NaN before all numbers.
      ONNX counts through samples and channels as well: for x of (samples, channels, *spatial) its indices are
      `indices + math.prod(spatial) * jnp.arange(samples * channels).reshape(samples, channels, *[1] * len(spatial))`.

    Raises:
      ValueError: a window that lies wholly in the padding, and whatever `pool` raises.
      TypeError: complex numbers, or a window that is an int.

    >>> max_pool_with_indices(jnp.array([[1.0, 5.0, 2.0, 2.0]]), (2,))
    (Array([[5., 2.]], dtype=float32), Array([[1, 2]], dtype=int32))

    Source: `torch.nn.functional.max_pool2d(return_indices=True)`, in any rank.
    """
    function = "max_pool_with_indices"
    x = as_array(function, "x", x)
    refuse_complex(function, x)
    n = rank_of(function, "window", window)
    axes = spatial_axes(function, x, axes, n)
    x = spatial_last(x, axes)
    spatial, stride = spatial_shape(function, x, n), window if stride is None else stride
    g = geometry(function, spatial, window, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    g = g.trimmed()
    _check_no_window_is_padding(function, g)
    border = zeros(n)._replace(fill=extremes(x.dtype)[0], beyond=extremes(x.dtype)[0])
    values, indices = winners(Winner(g.size), x, g, border)
    return spatial_back(values, axes), spatial_back(indices, axes)


@dataclass(frozen=True)
class Winner:
    """A function of windows: the first largest cell of the map in each, as its value and its flat index."""

    size: tuple[int, ...]  # of the whole map, of which a device may have a share

    def __call__(self, share: Share, x: jax.Array) -> Any:
        at = x.ndim - share.g.n
        index = jnp.zeros(x.shape[at:], jnp.int32)
        on_map = jnp.ones(x.shape[at:], bool)
        for axis, (first, size) in enumerate(zip(share.origin, self.size, strict=True)):
            place = first + lax.broadcasted_iota(jnp.int32, index.shape, axis)
            index, on_map = index * size + place, on_map & (place >= 0) & (place < size)
        return reduce_windows((x, jnp.broadcast_to(jnp.where(on_map, index, -1), x.shape)), share.g, first_max)

    @property
    def in_derivative(self) -> Best:
        return Best(first_max, of_cells=True, finds_winner=True)


def _check_no_window_is_padding(function: str, g: Geometry) -> None:
    for i, a in enumerate(g.axes):
        low, high = a.on_map
        if is_symbolic(low, high, a.out):
            # The first window and the last one reach the map, and none between steps over it.
            reach = (a.span - low, high - (a.out - 1) * a.stride, high - low - min(a.dilation, a.span) + 1)
            problem = f"({a.low}, {a.high}) on axis {i} leaves windows without a cell of a map of {a.size}"
            for cells in reach:
                if is_symbolic(cells):
                    require_at_least(function, "padding", problem, cells, 1)
                elif cells < 1:
                    raise ValueError(message(function, "padding", problem, f"pad less than a window spans: {a.span}"))
            continue
        start = np.arange(a.out) * a.stride
        taps = a.taps_before(start, high) - a.taps_before(start, low)
        if not taps.all():
            problem = (
                f"({a.low}, {a.high}) on axis {i} leaves window {taps.argmin()} of {a.out} without a cell of the map"
            )
            raise ValueError(message(function, "padding", problem, f"pad less than the window, which spans {a.span}"))


def max_unpool(x: ArrayLike, indices: ArrayLike, spatial: Sequence[int]) -> jax.Array:
    """Put each value back where its index points on a map of zeros.

    max_unpool(x, indices, spatial)[...].ravel()[indices[..., i]] = x[..., i]

    Args:
      x: (*lead, *out).
      indices: (*lead, *out), flat indices into the map of each channel, as `max_pool_with_indices` gives them.
      spatial: sides of the map, one int per axis.

    Returns:
      (*lead, *spatial). It sets, it does not add: where a place is named twice, the last in row-major order wins and
      gets the gradient.

    Raises:
      ValueError: shapes that differ, an index outside the map (where it is known; under jit such a value is dropped).
      TypeError: indices that are not integers, a `spatial` that is an int.

    >>> max_unpool(jnp.array([5.0, 2.0]), jnp.array([1, 2]), (4,))
    Array([0., 5., 2., 0.], dtype=float32)

    Source: `torch.nn.functional.max_unpool2d`, in any rank.
    """
    function = "max_unpool"
    x, indices = as_array(function, "x", x), as_array(function, "indices", indices)
    n = rank_of(function, "spatial", spatial)
    spatial = per_axis(function, "spatial", spatial, n, least=1, read=integer_or_symbol)
    spatial_shape(function, x, n)
    if x.shape != indices.shape:
        problem = f"has shape {indices.shape}, but x has {x.shape}"
        raise ValueError(message(function, "indices", problem, "pass one index per value"))
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise TypeError(message(function, "indices", f"is {indices.dtype}, but must be integers"))
    for axis in range(x.ndim - n, x.ndim):
        devices, division = devices_along(x, axis)
        if devices > 1:
            problem = f"is divided on axis {axis} among {devices} devices along {division!r}"
            remedy = "an index may name any cell of its map: reshard x and indices so that their maps are whole"
            raise ValueError(message(function, "x", problem, remedy))
    cells = math.prod(spatial)
    _check_inside(function, indices, cells)
    lead, taken = x.shape[: x.ndim - n], math.prod(x.shape[x.ndim - n :])
    if is_symbolic(taken):
        require_at_least(function, "x", f"has {taken} values on a map", taken, 1)
    put = partial(_set, cells=cells)
    for _ in lead:  # one by one, since devices may divide each leading axis
        put = jax.vmap(put)
    return put(*(array.reshape(*lead, taken) for array in (x, indices))).reshape(*lead, *spatial)


def _set(values: jax.Array, index: jax.Array, cells: int) -> jax.Array:
    """A flat map of `cells` zeros with the values put in.

    Find the last value of each place first, then move it: so result and gradient are the same on every platform.
    """
    count = values.shape[0]
    outside = jnp.where((index < 0) | (index >= cells), cells, index)
    last = jnp.full(cells, -1, jnp.int32).at[outside].max(jnp.arange(count, dtype=jnp.int32), mode="drop")
    return jnp.where(last >= 0, values[last], jnp.zeros((), values.dtype))


def _check_inside(function: str, indices: jax.Array, cells: int) -> None:
    if isinstance(indices, jax.core.Tracer) or not indices.size:
        return
    known = np.asarray(indices)
    low, high = known.min(), known.max()
    if low < 0 or high >= cells:
        problem = f"run from {low} to {high}, but the map has {cells} cells"
        raise ValueError(message(function, "indices", problem, "pass the sides of the map that was pooled as spatial"))
