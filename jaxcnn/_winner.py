"""The maximum or minimum of each window with its gradient, which goes to the first winning cell alone."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._arrays import accumulator
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._primitives import linear_pair, primitive
from jaxcnn._slices import overlap, overlap_padding, tap_slices

Axes = tuple[int, ...]


def first_winner(
    x: jax.Array, axes: Axes, g: Geometry, origin: Mapping[int, Any], combine: Callable[..., Any]
) -> jax.Array:
    """Reduce the padded x along one axis, or along all axes (then without dilation), by `combine`.

    `combine` keeps its first argument at a tie. `origin` is the place of x's first cell on the map, by axis: cells
    before the map hold the identity, and never win.
    """
    before = [_windows_before(g.axes[axis], origin[axis]) for axis in axes]
    first = _first_taps(axes, g, origin) if any(count != 0 for count in before) else None
    slab = before[0] if len(axes) == 1 else None
    winner: jax.Array = _first_winner(x, first, slab, axes, g, combine)
    return winner


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5))
def _first_winner(
    x: jax.Array, first: jax.Array | None, slab: int | None, axes: Axes, g: Geometry, combine: Callable[..., Any]
) -> jax.Array:
    winner: jax.Array = functools.reduce(combine, ((seen,) for seen in _seen_by_taps(x, axes, g)))[0]
    return winner


@_first_winner.defjvp
def _(slab: int | None, axes: Axes, g: Geometry, combine: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    x, first = primals
    seen = _seen_by_taps(x, axes, g)
    taps = (jnp.full_like(seen[0], tap, jnp.int8) for tap in range(len(seen)))
    value, tap = functools.reduce(combine, zip(seen, taps, strict=True))
    if first is not None:
        tap = _at_least(tap, jnp.expand_dims(first, range(tap.ndim - g.n)), slab, tap.ndim - g.n + axes[0])
    return value, pick.bind(tangents[0], tap, axes=axes, geometry=g)


def _at_least(tap: jax.Array, first: jax.Array, slab: int | None, at: int) -> jax.Array:
    """Raise the winning taps to the first tap that sees a cell of the map.

    If only the first `slab` windows of an axis begin before the map, raise it in these only: in all windows it costs a
    seventh of the gradient's time on a CPU.
    """
    if slab is None:
        return jnp.maximum(tap, first)
    begin, first = (lax.slice_in_dim(array, 0, slab, axis=at) for array in (tap, first))
    raised: jax.Array = lax.dynamic_update_slice(tap, jnp.maximum(begin, first), (0,) * tap.ndim)
    return raised


def _windows_before(a: Axis, origin: Any) -> int | None:
    """The number of windows that begin before the map, or None if it is unknown."""
    if not isinstance(origin, int):
        return None
    begin = -(origin // a.stride) if origin < 0 else 0
    return min(begin, a.out) if isinstance(a.out, int) else None if begin else 0


def _first_taps(axes: Axes, g: Geometry, origin: Mapping[int, Any]) -> jax.Array:
    """The first tap of each window that sees a cell of the map."""
    flat = jnp.zeros((1,) * g.n, jnp.int32)
    for axis in axes:
        a = g.axes[axis]
        start = origin[axis] + jnp.arange(a.out, dtype=jnp.int32) * a.stride
        tap = jnp.clip(-(start // a.dilation), 0, a.window - 1)
        flat = flat * a.window + jnp.expand_dims(tap, [other for other in range(g.n) if other != axis])
    return flat.astype(jnp.int8)


def _seen_by_taps(x: jax.Array, axes: Axes, g: Geometry) -> list[jax.Array]:
    """The cells that each tap sees, taps in row-major order."""
    seen = [x]
    for axis in axes:
        seen = [cells for part in seen for cells in tap_slices(part, axis, g)]
    return seen


# `pick` takes from each window the cell that the winning tap saw; `drop` is its adjoint. JAX's own adjoint of a slice
# is a padding for each tap, which XLA computes cell by cell: the gradient of 5x5 windows takes 25 ms, by shifts 5 ms.


def _pick(x: jax.Array, tap: jax.Array, *, axes: Axes, geometry: Geometry, platform: str) -> jax.Array:
    seen = (_where_won(tap, i, cells) for i, cells in enumerate(_seen_by_taps(x, axes, geometry)))
    return functools.reduce(lax.add, seen)


def _where_won(tap: jax.Array, i: int, cells: jax.Array) -> jax.Array:
    """The cells of the windows that tap i won, and zeros."""
    return lax.select(lax.eq(tap, lax.full_like(tap, i)), cells, lax.full_like(cells, 0))


def _drop(y: jax.Array, tap: jax.Array, *, axes: Axes, geometry: Geometry, platform: str) -> jax.Array:
    wide = y.astype(accumulator(y.dtype))
    if len(axes) > 1:
        return _drop_on_blocks(wide, tap, geometry).astype(y.dtype)
    a, at = geometry.axes[axes[0]], y.ndim - geometry.n + axes[0]
    around = overlap_padding(a, at, y.ndim)
    wide, tap = lax.pad(wide, jnp.zeros((), wide.dtype), around), lax.pad(tap, jnp.int8(-1), around)
    return overlap(lambda i: _where_won(tap, i, wide), a, at).astype(y.dtype)


def _drop_on_blocks(y: jax.Array, tap: jax.Array, g: Geometry) -> jax.Array:
    """For each cell, sum over the windows that see it and that it won: one loop that writes the map once.

    Cut the map into blocks of `stride` cells. A window begins at the first cell of its block, so a cell is seen by the
    window of its own block and by those of a few blocks before.
    """
    at, lead = y.ndim - g.n, y.shape[: y.ndim - g.n]
    blocks = [-(-a.padded // a.stride) for a in g.axes]
    sides = (*lead, *(side for pair in zip(blocks, g.stride, strict=True) for side in pair))

    def of_windows_before(array: jax.Array, none: Any, before: Sequence[int]) -> jax.Array:
        around = [(0, 0, 0)] * at + [(i, b - i - o, 0) for i, b, o in zip(before, blocks, g.out, strict=True)]
        shifted = lax.pad(array, jnp.asarray(none, array.dtype), around)
        return lax.broadcast_in_dim(shifted, sides, (*range(at), *range(at, at + 2 * g.n, 2)))

    seen = []
    for before in itertools.product(*(range(-(-a.window // a.stride)) for a in g.axes)):
        own = lax.broadcast_in_dim(_taps_of_a_block(g, before), sides, range(at + 1, at + 2 * g.n, 2))
        won, cells = lax.eq(of_windows_before(tap, -1, before), own), of_windows_before(y, 0, before)
        seen.append(lax.select(won, cells, lax.full_like(cells, 0)))
    cells = functools.reduce(lax.add, seen)
    cells = cells.reshape(*lead, *(b * stride for b, stride in zip(blocks, g.stride, strict=True)))
    return cells[(..., *(slice(a.padded) for a in g.axes))]


def _taps_of_a_block(g: Geometry, before: Sequence[int]) -> jax.Array:
    """For each cell of a block, the tap with which the window this many blocks before sees it; -2 if none."""
    tap, seen = jnp.zeros(g.stride, jnp.int32), jnp.ones(g.stride, bool)
    for axis, (a, blocks) in enumerate(zip(g.axes, before, strict=True)):
        place = blocks * a.stride + lax.broadcasted_iota(jnp.int32, g.stride, axis)
        tap, seen = tap * a.window + place, seen & (place < a.window)
    return jnp.where(seen, tap, -2).astype(jnp.int8)


def _picked(x: Any, tap: Any, **_: Any) -> Any:
    return tap.shape, x.dtype


def _dropped(y: Any, tap: Any, *, axes: Axes, geometry: Geometry) -> Any:
    first = y.ndim - geometry.n
    sides = (geometry.axes[axis].padded if axis in axes else y.shape[first + axis] for axis in range(geometry.n))
    return (*y.shape[:first], *sides), y.dtype


pick = primitive("jaxcnn_pick", _picked, _pick)
drop = primitive("jaxcnn_drop", _dropped, _drop)
linear_pair(pick, drop)
