"""The windows of adaptive pooling along one axis, and their adjoint, by a program whose length no size changes.

Window i of `out` on `size` cells sees the cells from floor(i * size / out) up to ceil((i + 1) * size / out). Cell c is
seen by the windows from floor(c * out / size) up to ceil((c + 1) * out / size): the same rule with the sizes exchanged.
So the adjoint is a gather too, and needs no scatter.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jaxcnn._arrays import accumulator, devices_along
from jaxcnn._primitives import linear_pair, primitive
from jaxcnn._symbolic import at_least, is_symbolic


def bounds(size: Any, out: Any) -> tuple[jax.Array, jax.Array]:
    """The range [first, end) of the cells of each window."""
    window = jnp.arange(out, dtype=jnp.int32)
    return _scaled(window, size, out), -_scaled(-1 - window, size, out)


def _scaled(i: jax.Array, size: Any, out: Any) -> jax.Array:
    """floor(i * size / out), also if i * size overflows an int32.

    Round the quotient first, then correct it by a difference of products. These may wrap around, but the difference is
    small, and so exact.
    """
    size, out = (jnp.asarray(number).astype(jnp.int32) for number in (size, out))
    near = (i.astype(jnp.float32) * (size.astype(jnp.float32) / out.astype(jnp.float32))).astype(jnp.int32)
    exact: jax.Array = near + (i * size - near * out) // out
    return exact


def spread(x: jax.Array, axis: int, out: Any) -> tuple[jax.Array, jax.Array | None]:
    """(..., cells, ...) to (..., windows, taps, ...), and a mask of the taps that see a cell, or None if all do.

    The other taps see 0. The axis is counted from the end, so that arrays may have any leading axes.
    """
    size, at = x.shape[axis], x.ndim + axis
    even, devices = size % out == 0, devices_along(x, at)[0]
    if even and (out == 1 or out % devices == 0):  # else a device has parts of windows
        return x.reshape(*x.shape[:at], out, size // out, *x.shape[at + 1 :]), None
    sees = None if even else _against(_cells(size, out)[1], x.ndim + 1, axis)
    return spread_cells.bind(x, axis=axis, size=size, out=out), sees


def _against(sees: jax.Array, rank: int, axis: int) -> jax.Array:
    """(windows, taps) with axes of size 1, so that it broadcasts against an array of that rank."""
    return jnp.expand_dims(sees, (*range(rank - 1 + axis), *range(rank + 1 + axis, rank)))


def _cells(size: Any, out: Any) -> tuple[jax.Array, jax.Array]:
    """The cell that each tap of each window sees, and whether it sees one."""
    first, end = bounds(size, out)
    cell = first[:, None] + jnp.arange(_longest(size, out), dtype=jnp.int32)[None]
    return cell, cell < end[:, None]


def _longest(size: Any, out: Any) -> Any:
    """The number of cells of the longest window, or an upper bound if a size is symbolic."""
    if at_least(out, size):
        return 2
    if is_symbolic(size, out):
        return size // out + 2
    return size // out + min(size % out // math.gcd(size, out), 2)


# The windows and their adjoint ---------------------------------------------------------------------------------------


def _spread(x: jax.Array, *, axis: int, size: Any, out: Any, platform: str) -> jax.Array:
    cell, sees = _cells(size, out)
    seen = jnp.take(x, cell, axis=axis, mode="clip")
    return jnp.where(_against(sees, seen.ndim, axis), seen, jnp.zeros((), x.dtype))


def _gather(y: jax.Array, *, axis: int, size: Any, out: Any, platform: str) -> jax.Array:
    """For each cell, sum over the windows that see it."""
    window, sees = _cells(out, size)
    taps, at = _longest(size, out), y.ndim - 1 + axis
    tap = jnp.arange(size, dtype=jnp.int32)[:, None] - jnp.take(bounds(size, out)[0], window, mode="clip")
    flat = y.reshape(*y.shape[:at], out * taps, *y.shape[at + 2 :])
    seen = jnp.take(flat, window * taps + tap, axis=axis, mode="clip")
    seen = jnp.where(_against(sees, seen.ndim, axis), seen, jnp.zeros((), y.dtype))
    return jnp.sum(seen, at + 1, dtype=accumulator(y.dtype)).astype(y.dtype)


def _spread_shape(x: Any, *, axis: int, size: Any, out: Any) -> Any:
    at = x.ndim + axis
    return (*x.shape[:at], out, _longest(size, out), *x.shape[at + 1 :]), x.dtype


def _gathered_shape(y: Any, *, axis: int, size: Any, out: Any) -> Any:
    at = y.ndim - 1 + axis
    return (*y.shape[:at], size, *y.shape[at + 2 :]), y.dtype


def _spread_spec(x: Any, *, axis: int, **_: Any) -> PartitionSpec:
    """Divided as x is, except on the windowed axis."""
    at, spec = x.ndim + axis, x.sharding.spec
    return PartitionSpec(*spec[:at], None, None, *spec[at + 1 :])


def _gathered_spec(y: Any, *, axis: int, **_: Any) -> PartitionSpec:
    at, spec = y.ndim - 1 + axis, y.sharding.spec
    return PartitionSpec(*spec[:at], None, *spec[at + 2 :])


spread_cells = primitive("jaxcnn_spread_cells", _spread_shape, _spread, result_spec=_spread_spec)
gather_cells = primitive("jaxcnn_gather_cells", _gathered_shape, _gather, result_spec=_gathered_spec)
linear_pair(spread_cells, gather_cells)
