"""The first winner of each window, along one axis or along all, and where its gradient goes: to that cell, whole."""

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import crop
from jaxcnn._primitives import linear_pair, primitive
from jaxcnn._windows import LONG, overlap, overlap_padding, tap_slice

Axes = tuple[int, ...]


def apart(g: Geometry) -> bool:
    """Whether each cell is seen by one window at most: then the taps of all axes are gone through at once."""
    return 0 < math.prod(g.window) <= LONG and all(a.dilation == 1 and a.window <= a.stride for a in g.axes)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def first_winner(x: jax.Array, axes: Axes, g: Geometry, combine: Callable[..., Any]) -> jax.Array:
    """The padded x reduced along some axes by `combine`, which keeps its first argument at a tie.

    They are one axis, or all axes of windows that lie apart.
    """
    winner: jax.Array = functools.reduce(combine, ((seen,) for seen in _seen_by_taps(x, axes, g)))[0]
    return winner


@first_winner.defjvp
def _(axes: Axes, g: Geometry, combine: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    seen = _seen_by_taps(primals[0], axes, g)
    taps = (jnp.full(seen[0].shape, tap, jnp.int8) for tap in range(len(seen)))
    value, tap = functools.reduce(combine, zip(seen, taps, strict=True))
    return value, pick.bind(tangents[0], tap, axes=axes, laid=g)


def _seen_by_taps(x: jax.Array, axes: Axes, g: Geometry) -> list[jax.Array]:
    """What each tap sees, in row-major order."""
    taps = itertools.product(*(range(g.axes[axis].window) for axis in axes))
    return [_seen_by(x, tap, axes, g) for tap in taps]


def _seen_by(x: jax.Array, tap: Sequence[int], axes: Axes, g: Geometry) -> jax.Array:
    for axis, place in zip(axes, tap, strict=True):
        x = tap_slice(x, axis, place, g)
    return x


# Given the tap that won in each window, the cell it saw, and the adjoint of that. JAX's own adjoint of a slice is a
# padding for each tap, which XLA computes cell by cell: for windows of 5x5 the gradient takes 25 ms so, 5 by shifts.


def _pick(x: jax.Array, tap: jax.Array, *, axes: Axes, laid: Geometry, platform: str) -> jax.Array:
    seen = (jnp.where(tap == i, cells, 0) for i, cells in enumerate(_seen_by_taps(x, axes, laid)))
    return functools.reduce(operator.add, seen)


def _drop(y: jax.Array, tap: jax.Array, *, axes: Axes, laid: Geometry, platform: str) -> jax.Array:
    if apart(laid) and len(axes) == laid.n:
        return _drop_apart(y, tap, laid)
    (axis,) = axes
    a, at = laid.axes[axis], y.ndim - laid.n + axis
    around = overlap_padding(a, at, y.ndim)
    y, tap = lax.pad(y, jnp.zeros((), y.dtype), around), lax.pad(tap, jnp.int8(-1), around)
    return overlap(lambda i: jnp.where(tap == i, y, 0), a, at)


def _drop_apart(y: jax.Array, tap: jax.Array, g: Geometry) -> jax.Array:
    """Each cell looks whether its own tap won its window: the map is written once, and by one loop."""
    lead, n = y.shape[: y.ndim - g.n], g.n
    blocks = [side for pair in zip(g.out, g.stride, strict=True) for side in pair]

    def over_blocks(array: jax.Array) -> jax.Array:
        kept = (*range(len(lead)), *range(len(lead), len(lead) + 2 * n, 2))
        return lax.broadcast_in_dim(array, (*lead, *blocks), kept)

    own = lax.broadcast_in_dim(_taps_of_a_block(g), (*lead, *blocks), range(len(lead) + 1, len(lead) + 2 * n, 2))
    cells = jnp.where(over_blocks(tap) == own, over_blocks(y), jnp.zeros((), y.dtype))
    cells = cells.reshape(*lead, *(out * stride for out, stride in zip(g.out, g.stride, strict=True)))
    return crop(cells, [(0, out * stride - a.padded) for out, stride, a in zip(g.out, g.stride, g.axes, strict=True)])


def _taps_of_a_block(g: Geometry) -> jax.Array:
    """For each cell of a block, whose sides are the strides, which tap sees it; -1 where the stride steps over it."""
    tap, seen = jnp.int32(0), jnp.bool_(True)
    for a in g.axes:
        place = jnp.arange(a.stride, dtype=jnp.int32)
        tap, seen = tap[..., None] * a.window + place, seen[..., None] & (place < a.window)
    return jnp.where(seen, tap, -1).astype(jnp.int8)


def _picked(x: Any, tap: Any, **_: Any) -> Any:
    return tap.shape, x.dtype


def _dropped(y: Any, tap: Any, *, axes: Axes, laid: Geometry) -> Any:
    first = y.ndim - laid.n
    sides = (laid.axes[axis].padded if axis in axes else y.shape[first + axis] for axis in range(laid.n))
    return (*y.shape[:first], *sides), y.dtype


pick = primitive("jaxcnn_pick", _picked, _pick)
drop = primitive("jaxcnn_drop", _dropped, _drop)
linear_pair(pick, drop)
