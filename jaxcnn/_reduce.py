"""How windows are reduced: which cell wins, and in which order the cells of a window are brought together."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._arrays import float_info
from jaxcnn._engine.platforms import platform_of
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._padding import Border
from jaxcnn._reduce_xla import reduce_by_xla
from jaxcnn._slices import LONG, each_window, levels, tap_slices
from jaxcnn._windowed import Share, linear, windowed
from jaxcnn._winner import first_winner

# Without a gradient, a longer window is halved: 15x15 with indices takes 2.1 s to compile by 15 taps, and 0.7 s so.
SHORT = 8

# Arrays that are reduced together: the values, and for indices where each of them stood.
Cells = tuple[jax.Array, ...]
Combine = Callable[[Cells, Cells], Cells]


def add(a: Cells, b: Cells) -> Cells:
    return (a[0] + b[0],)


def first_max(a: Cells, b: Cells) -> Cells:
    """The larger of two; a tie or a NaN in `a` keeps `a`: the value and the whole gradient of the first winner."""
    return _keep((a[0] >= b[0]) | (a[0] != a[0]), a, b)


def first_min(a: Cells, b: Cells) -> Cells:
    return _keep((a[0] <= b[0]) | (a[0] != a[0]), a, b)


def _keep(keep: jax.Array, a: Cells, b: Cells) -> Cells:
    if len(a) > 1:  # a place below 0 is padding, which never wins against a real cell
        keep = keep & ((a[1] >= 0) | (b[1] < 0))
    return tuple(jnp.where(keep, x, y) for x, y in zip(a, b, strict=True))


def _best(best: Callable[[jax.Array, jax.Array], jax.Array]) -> Combine:
    return lambda a, b: (best(a[0], b[0]),)


# What is asked of the winner where nobody asks which cell it is: its value, one instruction for three.
BEST: dict[Combine, Combine] = {first_max: _best(lax.max), first_min: _best(lax.min)}


def lowest_and_highest(dtype: Any) -> tuple[Any, Any]:
    """The lowest and the highest number of a dtype, infinite where it has infinities: the identities of max and min."""
    if jnp.issubdtype(dtype, jnp.floating):
        has_infinities = np.isinf(np.array(np.inf).astype(dtype))
        info = float_info(dtype)
        return (-np.inf, np.inf) if has_infinities else (float(info.min), float(info.max))
    if jnp.issubdtype(dtype, jnp.bool_):
        return False, True
    info = jnp.iinfo(dtype)  # type: ignore[no-untyped-call]
    return info.min, info.max


def places(spatial: Sequence[int]) -> jax.Array:
    """The flat index of each cell of a map."""
    index = jnp.zeros((), jnp.int32)
    for size in spatial:
        index = index[..., None] * size + jnp.arange(size, dtype=jnp.int32)[(None,) * index.ndim]
    return index


def with_indices(x: jax.Array, index: jax.Array) -> Cells:
    """The cells of x and, for each of them, its index in its own map."""
    return x, jnp.broadcast_to(index.reshape((1,) * (x.ndim - index.ndim) + index.shape), x.shape)


def reduce_windows(cells: Cells, g: Geometry, combine: Combine) -> Cells:
    """Reduce the windows of padded maps one axis at a time.

    The last axis goes first, so that a tie still falls to the first cell in row-major order.
    """
    for axis in reversed(range(g.n)):
        cells = _reduce_along(cells, axis, g.axes[axis], g, combine)
    return cells


@dataclass(frozen=True)
class Best:
    """The best cell of each window, a function of windows."""

    combine: Combine
    of_cells: bool  # whether what lies around the map is the identity, which never wins against a cell
    finds_winner: bool = False

    def __call__(self, share: Share, x: jax.Array) -> jax.Array:
        return self._winner(share, x) if self.finds_winner else self._value(share, x)

    def _value(self, share: Share, x: jax.Array) -> jax.Array:
        """If only the best value is needed: a tie has one value, whoever wins it.

        The first axis goes first, whose strides XLA vectorises: 5x5 takes 0.9 ms, the other order 1.5 ms.
        """
        if platform_of(share.platform).reduces_by_xla(share.g) and jnp.issubdtype(x.dtype, jnp.inexact):
            lowest = self.combine is first_min
            return reduce_by_xla(x, share.g, lowest_and_highest(x.dtype)[lowest], lowest=lowest)
        cells: Cells = (x,)
        for axis in range(share.g.n):
            cells = _reduce_along(cells, axis, share.g.axes[axis], share.g, BEST[self.combine])
        return cells[0]

    def _winner(self, share: Share, x: jax.Array) -> jax.Array:
        """What has a gradient goes through the taps one axis at a time, or on some platforms through all at once."""
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
        return partial(_with_second_array, self.combine)


def _with_second_array(combine: Combine, share: Share, x: jax.Array) -> jax.Array:
    """`jet` loses its way in functions that have derivatives of their own."""
    return reduce_windows((x, jnp.zeros(x.shape, jnp.int8)), share.g, combine)[0]


def best_of_windows(x: jax.Array, g: Geometry, border: Border, combine: Combine, *, of_cells: bool) -> jax.Array:
    return windowed(Best(combine, of_cells), x, g, border)


# Sums of windows, whose adjoint spreads each of them over its window.


@dataclass(frozen=True)
class Sums:
    def __call__(self, share: Share, x: jax.Array) -> jax.Array:
        return reduce_windows((x,), share.g, add)[0]

    @property
    def adjoint(self) -> "Spread":
        return Spread()


@dataclass(frozen=True)
class Spread:
    def __call__(self, share: Share, y: jax.Array) -> jax.Array:
        x = jax.ShapeDtypeStruct((*y.shape[: y.ndim - share.g.n], *share.g.size), y.dtype)
        spread: jax.Array = jax.linear_transpose(lambda x: reduce_windows((x,), share.g, add)[0], x)(y)[0]
        return spread

    @property
    def adjoint(self) -> Sums:
        return Sums()


def sum_windows(x: jax.Array, g: Geometry, border: Border) -> jax.Array:
    return linear(Sums(), x, g, border)


def _is_plain(a: Axis) -> bool:
    """An axis between those that are windowed, along which there is nothing to reduce."""
    return a.window == a.stride == 1 and a.padded == a.out


def _reduce_along(cells: Cells, axis: int, a: Axis, g: Geometry, combine: Combine) -> Cells:
    """Reduce the windows `a` along one axis; a long window is a window of windows, and a rest."""
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
    """The same for a gradient, which goes back through one level after the other, so that fewer of them are faster."""
    if _is_plain(a):
        return x
    if a.window <= LONG:
        return first_winner(x, (axis,), g.but(axis, a), {axis: origin}, combine)
    run, long, last = _split(a, levels(a.window)[1])
    (runs,) = _cells_of((_winner_along(x, axis, run, g, origin, combine),), axis, g, 0, long.size)
    # Of the cells of a run it is the last that shows whether one of them lies on the map.
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
    """The windows along an axis as runs of `fine` taps, windows of these, and what is left over behind them."""
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
    padded: jax.Array, g: Geometry, reduce: Callable[..., jax.Array], *others: jax.Array
) -> jax.Array:
    """The definition: `reduce` of one window at a time, for every window of every map, and of others for all maps."""
    of_maps: Callable[..., jax.Array] = lambda one_map: each_window(reduce, one_map, g, *others)
    for _ in range(padded.ndim - g.n):
        of_maps = jax.vmap(of_maps)
    return of_maps(padded)
