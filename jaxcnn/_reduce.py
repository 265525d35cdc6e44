"""Reduces windows to one number each: by a maximum or minimum with its winner, a sum, or any function of two cells."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._arrays import float_info, plus
from jaxcnn._engine.platforms import platform_of
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._padding import Border, bordered
from jaxcnn._reduce_xla import reduce_by_xla
from jaxcnn._slices import LONG, each_window, levels, tap_slices
from jaxcnn._windowed import Linear, Share, linear, windowed
from jaxcnn._winner import first_winner

# Along an axis, a window of more taps than this is reduced by halves, which compiles faster: max pooling of 15x15 with
# indices takes 0.7 s to compile by halves, and 2.1 s by 15 slices.
SHORT = 8

# Arrays that are reduced together: the values, and for pooling with indices the index of each value.
Cells = tuple[jax.Array, ...]
Combine = Callable[[Cells, Cells], Cells]


def add(a: Cells, b: Cells) -> Cells:
    return (plus(a[0], b[0]),)


def first_max(a: Cells, b: Cells) -> Cells:
    """The larger of two. A tie or a NaN in `a` keeps `a`, so the first winner gets the whole gradient."""
    return _keep(lax.bitwise_or(lax.ge(a[0], b[0]), lax.ne(a[0], a[0])), a, b)


def first_min(a: Cells, b: Cells) -> Cells:
    """The smaller of two, by the same rule."""
    return _keep(lax.bitwise_or(lax.le(a[0], b[0]), lax.ne(a[0], a[0])), a, b)


def _keep(keep: jax.Array, a: Cells, b: Cells) -> Cells:
    if len(a) > 1:  # an index below 0 is padding, which never wins against a cell
        keep = keep & ((a[1] >= 0) | (b[1] < 0))
    return tuple(lax.select(keep, x, y) for x, y in zip(a, b, strict=True))


def _best(best: Callable[[jax.Array, jax.Array], jax.Array]) -> Combine:
    return lambda a, b: (best(a[0], b[0]),)


# If only the winner's value is needed, `lax.max` gives it in one instruction instead of three.
BEST: dict[Combine, Combine] = {first_max: _best(lax.max), first_min: _best(lax.min)}


def extremes(dtype: Any) -> tuple[Any, Any]:
    """The lowest and the highest number of a dtype, infinities included: the identities of max and min."""
    if jnp.issubdtype(dtype, jnp.floating):
        has_infinities = np.isinf(np.array(np.inf).astype(dtype))
        info = float_info(dtype)
        return (-np.inf, np.inf) if has_infinities else (float(info.min), float(info.max))
    if jnp.issubdtype(dtype, jnp.bool_):
        return False, True
    info = jnp.iinfo(dtype)  # type: ignore[no-untyped-call]
    return info.min, info.max


def reduce_windows(cells: Cells, g: Geometry, combine: Combine) -> Cells:
    """Reduce the windows of padded maps one axis at a time.

    The last axis goes first, so that the first cell in row-major order wins a tie.
    """
    for axis in reversed(range(g.n)):
        cells = _reduce_along(cells, axis, g.axes[axis], g, combine)
    return cells


@dataclass(frozen=True)
class Best:
    """A function of windows: the largest or smallest cell of each."""

    combine: Combine
    of_cells: bool  # whether the padding is the identity, which never wins against a cell of the map
    finds_winner: bool = False

    def __call__(self, share: Share, x: jax.Array) -> jax.Array:
        return self._winner(share, x) if self.finds_winner else self._value(share, x)

    def _value(self, share: Share, x: jax.Array) -> jax.Array:
        """The best value only. A tie has the same value whichever cell wins, so the order of the axes is free.

        XLA vectorises the strides of the first axis if that goes first: 5x5 takes 0.9 ms, in the other order 1.5 ms.
        """
        if platform_of(share.platform).reduces_by_xla(share.g) and jnp.issubdtype(x.dtype, jnp.inexact):
            lowest = self.combine is first_min
            return reduce_by_xla(x, share.g, extremes(x.dtype)[lowest], lowest=lowest)
        cells: Cells = (x,)
        for axis in range(share.g.n):
            cells = _reduce_along(cells, axis, share.g.axes[axis], share.g, BEST[self.combine])
        return cells[0]

    def _winner(self, share: Share, x: jax.Array) -> jax.Array:
        """The value with its gradient: by the taps of one axis after the other, or of all axes at once where faster."""
        origin = share.origin if self.of_cells else (0,) * share.g.n
        if platform_of(share.platform).pools_at_once(share.g):
            return first_winner(x, tuple(range(share.g.n)), share.g, dict(enumerate(origin)), self.combine)
        for axis in reversed(range(share.g.n)):
            x = _winner_along(x, axis, share.g.axes[axis], share.g, origin[axis], self.combine)
        return x

    @property
    def in_derivative(self) -> "Best":
        return replace(self, finds_winner=True)

    @property
    def in_series(self) -> Any:
        return partial(_in_series, self.combine)


def _in_series(combine: Combine, share: Share, x: jax.Array) -> jax.Array:
    """The value without `custom_jvp`, which `jet` can't differentiate."""
    return reduce_windows((x,), share.g, combine)[0]


def best_of_windows(x: jax.Array, g: Geometry, border: Border, combine: Combine, *, of_cells: bool) -> jax.Array:
    return windowed(Best(combine, of_cells), x, g, border)


def _sum(share: Share, x: jax.Array) -> jax.Array:
    return reduce_windows((x,), share.g, add)[0]


def _spread(share: Share, y: jax.Array) -> jax.Array:
    """Each sum goes back to all cells of its window."""
    x = jax.ShapeDtypeStruct((*y.shape[: y.ndim - share.g.n], *share.g.size), y.dtype)
    spread: jax.Array = jax.linear_transpose(partial(_sum, share), x)(y)[0]
    return spread


SUMS = Linear(_sum, _spread)


def sum_windows(x: jax.Array, g: Geometry, border: Border) -> jax.Array:
    """The sum of each window."""
    return linear(SUMS, x, g, border)


def _is_plain(a: Axis) -> bool:
    """Whether each window is one cell, so that there is nothing to reduce."""
    return a.window == a.stride == 1 and a.padded == a.out


def _reduce_along(cells: Cells, axis: int, a: Axis, g: Geometry, combine: Combine) -> Cells:
    """Reduce the windows `a` along one axis. A long window is split into a window of short windows, and a rest."""
    if _is_plain(a):
        return cells
    if a.window <= SHORT:
        return functools.reduce(
            combine, zip(*(tap_slices(array, axis, g.but(axis, a)) for array in cells), strict=True)
        )
    run, long, last = _split(a, a.window // 2)
    runs = _cells_of(_reduce_along(cells, axis, run, g, combine), axis, g, 0, long.size)
    y = _reduce_along(runs, axis, long, g, combine)
    if last is None:
        return y
    after = _cells_of(cells, axis, g, a.padded - last.size, None)
    return combine(y, _reduce_along(after, axis, last, g, combine))


def _winner_along(x: jax.Array, axis: int, a: Axis, g: Geometry, origin: Any, combine: Combine) -> jax.Array:
    """The same for the winner. Its gradient passes every level of the split, so a window is split only above LONG."""
    if _is_plain(a):
        return x
    if a.window <= LONG:
        return first_winner(x, (axis,), g.but(axis, a), {axis: origin}, combine)
    run, long, last = _split(a, levels(a.window)[1])
    (runs,) = _cells_of((_winner_along(x, axis, run, g, origin, combine),), axis, g, 0, long.size)
    # A run has a cell of the map if its last cell is one.
    y = _winner_along(runs, axis, long, g, origin + run.span - 1, combine)
    if last is None:
        return y
    start = a.padded - last.size
    (after,) = _cells_of((x,), axis, g, start, None)
    rest = _winner_along(after, axis, last, g, origin + start, combine)
    both = combine((y,), (rest,))[0]
    if isinstance(origin, int) and origin >= 0:
        return both
    before = (
        origin + start - a.dilation + jnp.arange(a.out, dtype=jnp.int32) * a.stride
    )  # the last cell before the rest
    on_map = jnp.expand_dims(before >= 0, [at for at in range(x.ndim) if at != x.ndim - g.n + axis])
    return jnp.where(on_map, both, rest)


def _split(a: Axis, fine: int) -> tuple[Axis, Axis, Axis | None]:
    """Split windows into runs of `fine` taps, windows of these runs, and windows of the taps left over."""
    coarse, rest = divmod(a.window, fine)
    run = a._replace(size=a.padded, low=0, high=0, window=fine, stride=1)
    apart = fine * a.dilation
    size = (a.out - 1) * a.stride + (coarse - 1) * apart + 1
    long = a._replace(size=size, low=0, high=0, window=coarse, dilation=apart)
    last = a._replace(size=a.padded - coarse * apart, low=0, high=0, window=rest) if rest else None
    return run, long, last


def _cells_of(cells: Cells, axis: int, g: Geometry, first: int, end: int | None) -> Cells:
    return tuple(lax.slice_in_dim(array, first, end, axis=array.ndim - g.n + axis) for array in cells)


def reduce_each_window(
    reduce: Callable[..., jax.Array], x: jax.Array, g: Geometry, border: Border, *others: jax.Array
) -> jax.Array:
    """The definition: `reduce` each window of each map by itself; `others` are padded maps that go with each of x."""
    of_maps: Callable[..., jax.Array] = lambda one_map: each_window(reduce, one_map, g.unpadded(), *others)
    for _ in range(x.ndim - g.n):
        of_maps = jax.vmap(of_maps)
    return of_maps(bordered(x, g, border))
