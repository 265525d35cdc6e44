"""How windows are reduced: which cell wins, and in which order the cells of a window are brought together."""

import functools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._devices import divided, lies, of_maps
from jaxcnn._engine.platforms import names, platform_of, platforms
from jaxcnn._geometry import Axis, Geometry, refuse
from jaxcnn._padding import zero_pad
from jaxcnn._primitives import differentiated_as, linear_pair_of_one, primitive
from jaxcnn._reduce_xla import reduce_by_xla
from jaxcnn._windows import LONG, each_window, levels, tap_slices, taps
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


def limits(dtype: Any) -> tuple[Any, Any]:
    """The lowest and the highest number of a dtype: the identities of max and min."""
    if jnp.issubdtype(dtype, jnp.floating):
        return -jnp.inf, jnp.inf
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


def beside(x: jax.Array, index: jax.Array) -> Cells:
    """The cells of x and, for each of them, its index in its own map."""
    return x, jnp.broadcast_to(index.reshape((1,) * (x.ndim - index.ndim) + index.shape), x.shape)


def refuse_bool_sum(function: str, x: jax.Array) -> None:
    if jnp.issubdtype(x.dtype, jnp.bool_):
        raise TypeError(refuse(function, "x", "is bool, whose sums do not fit in a bool", "pass x.astype(jnp.int32)"))


def refuse_complex(function: str, x: jax.Array, mode: str = "max") -> None:
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        problem = f"is {x.dtype}, and complex numbers have no {mode}"
        raise TypeError(refuse(function, "x", problem, "pool their jnp.abs"))


def reduce_windows(cells: Cells, g: Geometry, combine: Combine) -> Cells:
    """Reduce the windows of padded maps one axis at a time."""
    if _may_be_differentiated(cells, combine):
        return (best_of_windows.bind(cells[0], laid=g, combine=combine),)
    return _in_order(cells, g, combine)


def _may_be_differentiated(cells: Cells, combine: Combine) -> bool:
    """Whether a gradient may go to the winners of these cells alone."""
    return len(cells) == 1 and combine in BEST and jnp.issubdtype(cells[0].dtype, jnp.inexact)


def _in_order(cells: Cells, g: Geometry, combine: Combine) -> Cells:
    """The last axis goes first, so that a tie still falls to the first cell in row-major order."""
    for axis in reversed(range(g.n)):
        cells = _reduce_along(cells, axis, g.axes[axis], g, combine)
    return cells


def _best_of_windows(x: jax.Array, *, laid: Geometry, combine: Combine, platform: str) -> jax.Array:
    """If only the best value is needed: a tie has one value, whoever wins it.

    The first axis goes first, whose strides XLA vectorises: 5x5 takes 0.9 ms, the other order 1.5 ms.
    """
    if platform_of(platform).reduces_by_xla(laid):
        return reduce_by_xla(x, laid, lowest=combine is first_min)
    cells: Cells = (x,)
    for axis in range(laid.n):
        cells = _reduce_along(cells, axis, laid.axes[axis], laid, BEST[combine])
    return cells[0]


def _of_windows(x: Any, *, laid: Geometry, **_: Any) -> Any:
    return (*x.shape[: x.ndim - laid.n], *laid.out), x.dtype


def _with_gradient(x: jax.Array, *, laid: Geometry, combine: Combine) -> jax.Array:
    """What has a gradient goes through the taps one axis at a time, or on some platforms through all taps at once."""

    def by_axes(x: jax.Array) -> jax.Array:
        return _in_order((x,), laid, combine)[0]

    def at_once(x: jax.Array) -> jax.Array:
        winner: jax.Array = first_winner(x, tuple(range(laid.n)), laid, combine)
        return winner

    where = {name: at_once for file in platforms() for name in file.NAMES if file.pools_at_once(laid)}
    return lax.platform_dependent(x, **where, default=by_axes) if where else by_axes(x)


def _with_series(x: jax.Array, *, laid: Geometry, combine: Combine) -> jax.Array:
    """With a second array beside x, since `jet` loses its way in functions that have derivatives of their own."""
    return _in_order((x, jnp.zeros(x.shape, jnp.int8)), laid, combine)[0]


best_of_windows = primitive("jaxcnn_best_of_windows", _of_windows, _best_of_windows, platforms=names())
differentiated_as(best_of_windows, _with_gradient, _with_series)


# Sums of windows, whose adjoint spreads each of them over its window. Padding is zeros, and is no array of its own, so
# that a device needs no more of its neighbours than its windows see.


def sum_windows(x: jax.Array, g: Geometry) -> jax.Array:
    """The sum of each window of maps with zeros around them."""
    total: jax.Array = sums_of_windows.bind(x, laid=g)
    return total


def _sum_windows(x: jax.Array, *, laid: Geometry, platform: str = "") -> jax.Array:
    padded = zero_pad(zero_pad(x, laid.padding), laid.overhang)  # a crop comes first
    return _in_order((padded,), laid.unpadded(), add)[0]


def _spread(y: jax.Array, *, laid: Geometry, platform: str) -> jax.Array:
    x = jax.ShapeDtypeStruct((*y.shape[: y.ndim - laid.n], *laid.size), y.dtype)
    laid_down: jax.Array = jax.linear_transpose(partial(_sum_windows, laid=laid), x)(y)[0]
    return laid_down


def _of_maps(y: Any, *, laid: Geometry) -> Any:
    return (*y.shape[: y.ndim - laid.n], *laid.size), y.dtype


def _one_of(operand: str, name: str, shape: Any, compute: Any) -> Any:
    def where(a: Any, *, laid: Geometry) -> Any:
        return lies(of_maps(operand, a.ndim, laid.n), laid, (a,))

    def divide(on_a_device: Any, ranks: Sequence[int], *, laid: Geometry) -> Any:
        return divided(lambda g, a: on_a_device(a, laid=g), of_maps(operand, ranks[0], laid.n), laid)

    return primitive(name, shape, compute, platforms=names(), lies=where, divide=divide)


sums_of_windows = _one_of("x", "jaxcnn_sums_of_windows", _of_windows, _sum_windows)
spread = _one_of("y", "jaxcnn_spread", _of_maps, _spread)
linear_pair_of_one(sums_of_windows, spread)


def _reduce_along(cells: Cells, axis: int, a: Axis, g: Geometry, combine: Combine) -> Cells:
    """Reduce the windows `a` along one axis; a long window is a window of windows, and a rest."""
    if a.window == a.stride == 1 and a.padded == a.out:  # an axis between those that are windowed
        return cells
    laid, has_gradient = g.but(axis, a), _may_be_differentiated(cells, combine)
    if a.window <= (LONG if has_gradient else SHORT):
        if has_gradient:
            return (first_winner(cells[0], (axis,), laid, combine),)
        return functools.reduce(combine, zip(*(tap_slices(array, axis, laid) for array in cells), strict=True))
    # A gradient goes back through one level after the other, so that fewer of them are faster.
    fine = levels(a.window)[1] if has_gradient else a.window // 2
    coarse, rest = divmod(a.window, fine)
    run = a._replace(size=a.padded, low=0, high=0, window=fine, stride=1)
    apart = fine * a.dilation
    long = a._replace(
        size=(a.out - 1) * a.stride + (coarse - 1) * apart + 1, low=0, high=0, window=coarse, dilation=apart
    )
    start, at = coarse * apart, cells[0].ndim - g.n + axis
    runs = tuple(
        lax.slice_in_dim(array, 0, long.size, axis=at) for array in _reduce_along(cells, axis, run, g, combine)
    )
    y = _reduce_along(runs, axis, long, g, combine)
    if not rest:
        return y
    after = tuple(lax.slice_in_dim(array, start, None, axis=at) for array in cells)
    last = a._replace(size=a.padded - start, low=0, high=0, window=rest)
    return combine(y, _reduce_along(after, axis, last, g, combine))


def reduce_each_window(padded: jax.Array, g: Geometry, reduce: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """The definition: `reduce` of one window at a time, for every window of every map."""
    lead, spatial = padded.shape[: padded.ndim - g.n], padded.shape[padded.ndim - g.n :]
    maps = padded.reshape(math.prod(lead), *spatial)
    y = jax.vmap(lambda one_map: each_window(reduce, one_map, g))(maps)
    return y.reshape(*lead, *y.shape[1:])


def flat_windows(padded: jax.Array, g: Geometry) -> jax.Array:
    """All windows of padded maps, the taps of each as one last axis in row-major order: (*lead, *out, taps)."""
    seen = jnp.moveaxis(taps(padded, g), range(g.n), range(-g.n, 0))
    return seen.reshape(*seen.shape[: seen.ndim - g.n], math.prod(g.window))
