"""Slices of padded maps: one for each tap of all windows, or one for each window (the definition); and the adjoint.
Every n-th cell of an array, and zeros between its cells."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._arrays import plus
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._symbolic import at_least

# The definition ----------------------------------------------------------------------------------------------------


def window_at(x: jax.Array, start: Sequence[jax.Array], g: Geometry) -> jax.Array:
    """The window of one padded map whose first tap is at `start`."""
    cells = lax.dynamic_slice(x, start, [a.span for a in g.axes])
    return cells[tuple(slice(None, None, d) for d in g.dilation)]


def each_window(f: Callable[..., jax.Array], x: jax.Array, g: Geometry, *others: jax.Array) -> jax.Array:
    """f applied to every window of one padded map, and of others of its shape: `vmap` over the output positions."""

    def at(*start: jax.Array) -> jax.Array:
        return f(*(window_at(each, start, g) for each in (x, *others)))

    for axis in reversed(range(g.n)):  # one axis at a time: JAX can't tell that a product of symbolic sizes is a size
        at = jax.vmap(at, in_axes=[0 if each == axis else None for each in range(g.n)])
    y: jax.Array = at(*(jnp.arange(a.out, dtype=jnp.int32) * a.stride for a in g.axes))
    return y


# Faster: slices of the padded array, one axis at a time --------------------------------------------------------

# Along an axis, a window of more taps than this is taken as a window of windows, which compiles faster than a slice for
# each tap: 31x31 with stride 3 and its gradients compile in 1.1 s, by slices in 2.6 s.
LONG = 16


def tap_slices(x: jax.Array, axis: int, g: Geometry) -> list[jax.Array]:
    """One slice of the padded x for each tap of the windows along one spatial axis: the cells that it sees."""
    return [tap_slice(x, axis, tap, g) for tap in range(g.axes[axis].window)]


def tap_slice(x: jax.Array, axis: int, tap: int, g: Geometry) -> jax.Array:
    """The cells that one tap sees."""
    a, first = g.axes[axis], tap * g.axes[axis].dilation
    # In Auto mode XLA takes a wrong cell, or fails, where the stride to a cell that is not there crosses devices.
    stride = 1 if at_least(1, a.out) else a.stride
    return lax.slice_in_dim(x, first, first + (a.out - 1) * a.stride + 1, stride, x.ndim - g.n + axis)


def taps(x: jax.Array, g: Geometry, axes: Sequence[int] | None = None) -> jax.Array:
    """The windows of the padded x on some or all axes, taps first: (*lead, *spatial) to (*window, *lead, *out)."""
    for axis in reversed(range(g.n) if axes is None else axes):
        x = _stack_taps(x, axis, g)
    return x


def _stack_taps(x: jax.Array, axis: int, g: Geometry) -> jax.Array:
    a, at = g.axes[axis], x.ndim - g.n + axis
    coarse, fine = levels(a.window)
    if coarse == 1:
        return stack(tap_slices(x, axis, g), 0)
    # Tap i * fine + j of a window is tap j of the run of `fine` taps that starts at its tap i * fine.
    beyond, last = (coarse * fine - a.window) * a.dilation, (a.out - 1) * a.stride + 1
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, beyond if i == at else 0, 0) for i in range(x.ndim)])
    whole = a._replace(
        size=last + (coarse * fine - 1) * a.dilation, window=coarse, stride=1, dilation=fine * a.dilation
    )
    runs = _stack_taps(x, axis, g.but(axis, whole._replace(low=0, high=0)))
    run = a._replace(size=last + (fine - 1) * a.dilation, window=fine, low=0, high=0)
    seen = stack(tap_slices(runs, axis, g.but(axis, run)), 1)
    return seen.reshape(coarse * fine, *seen.shape[2:])[: a.window]


def stack(arrays: Sequence[jax.Array], axis: int) -> jax.Array:
    """`jnp.stack`, which takes five times as long to trace."""
    return lax.concatenate([lax.expand_dims(array, (axis,)) for array in arrays], axis)


def levels(window: int) -> tuple[int, int]:
    """Split a long window into a window of short ones: how many of them, and the taps of each."""
    depth = next(depth for depth in itertools.count(1) if LONG**depth >= window)
    fine = next(taps for taps in range(1, LONG + 1) if taps**depth >= window)
    return -(-window // fine), fine


def fold_taps(seen: jax.Array, g: Geometry) -> jax.Array:
    """The adjoint of `taps`: (*window, *lead, *out) to (*lead, *padded)."""
    for axis in range(g.n):
        seen = _fold_axis(seen, axis, g)
    return seen


def _fold_axis(seen: jax.Array, axis: int, g: Geometry) -> jax.Array:
    """The adjoint along one axis: (window, ...) to the padded map on this axis."""
    a, at = g.axes[axis], seen.ndim - 1 - g.n + axis
    coarse, fine = levels(a.window)
    if coarse == 1:
        around = [(0, 0, 0), *overlap_padding(a, at, seen.ndim - 1)]
        padded = lax.pad(seen, jnp.zeros((), seen.dtype), around)
        return overlap(lambda tap: padded[tap], a, at)
    beyond = coarse * fine - a.window
    seen = lax.pad(seen, jnp.zeros((), seen.dtype), [(0, beyond if i == 0 else 0, 0) for i in range(seen.ndim)])
    seen = seen.reshape(coarse, fine, *seen.shape[1:]).swapaxes(0, 1)
    run = a._replace(size=a.padded - (a.window - fine) * a.dilation, window=fine, low=0, high=0)
    runs = _fold_axis(seen, axis, g.but(axis, run))
    whole = a._replace(size=a.padded + beyond * a.dilation, window=coarse, stride=1, dilation=fine * a.dilation)
    y = _fold_axis(runs, axis, g.but(axis, whole._replace(low=0, high=0)))
    return lax.slice_in_dim(y, 0, a.padded, axis=at)


def overlap_padding(a: Axis, at: int, rank: int) -> list[tuple[int, int, int]]:
    """The padding that an axis of windows needs before `overlap` shifts them."""
    low = (a.window - 1) * a.dilation // a.stride
    return [(low, -(-a.padded // a.stride) - a.out, 0) if i == at else (0, 0, 0) for i in range(rank)]


def overlap(seen_by: Callable[[int], jax.Array], a: Axis, at: int) -> jax.Array:
    """Sum what each tap saw into the padded axis, as a sum of shifted slices and without a scatter.

    Cut the axis into blocks of `stride` cells. Tap t of window i sees cell i * stride + t * dilation: it is in block
    i + t * dilation // stride, at place t * dilation % stride.
    """
    blocks, most = -(-a.padded // a.stride), (a.window - 1) * a.dilation // a.stride
    places: dict[int, list[jax.Array]] = {}
    for tap in range(a.window):
        later, place = divmod(tap * a.dilation, a.stride)
        places.setdefault(place, []).append(
            lax.slice_in_dim(seen_by(tap), most - later, most - later + blocks, axis=at)
        )
    parts, filled = [], 0
    for place, shifts in sorted(places.items()):
        parts += _no_cells(shifts[0], at + 1, place - filled)
        parts.append(jnp.expand_dims(functools.reduce(plus, shifts), at + 1))
        filled = place + 1
    parts += _no_cells(parts[0][(slice(None),) * (at + 1) + (0,)], at + 1, a.stride - filled)
    y = parts[0] if len(parts) == 1 else lax.concatenate(parts, at + 1)
    y = y.reshape(*y.shape[:at], blocks * a.stride, *y.shape[at + 2 :])
    return lax.slice_in_dim(y, 0, a.padded, axis=at)


def _no_cells(like: jax.Array, at: int, count: int) -> list[jax.Array]:
    """Zeros for `count` neighbouring places of a block that no tap sees."""
    shape = (*like.shape[:at], count, *like.shape[at:])
    return [jnp.zeros(shape, like.dtype)] if count else []


# Between the cells of arrays that devices may divide ---------------------------------------------------------------
# By reshapes: where a whole array is padded between its cells and the result is divided in Auto mode, XLA's numbers are
# wrong or its compilation fails (`lax.pad`, and the gradient of `x[::2]`; jaxlib 0.10.2).


def dilate(x: jax.Array, steps: Sequence[int], fill: Any = 0) -> jax.Array:
    """x with step - 1 times `fill` behind each cell of an axis, behind the last one too."""
    for axis, step in enumerate(steps):
        if step > 1:
            blocks = jnp.expand_dims(x, axis + 1)
            around = [(0, step - 1 if at == axis + 1 else 0, 0) for at in range(blocks.ndim)]
            blocks = lax.pad(blocks, jnp.asarray(fill, x.dtype), around)
            x = blocks.reshape(*x.shape[:axis], x.shape[axis] * step, *x.shape[axis + 1 :])
    return x


def every(x: jax.Array, steps: Sequence[int]) -> jax.Array:
    """Every step-th cell of each axis: x[::step, ...]."""
    for axis, step in enumerate(steps):
        if step > 1:
            cells, size = -(-x.shape[axis] // step), x.shape[axis]
            around = [(0, cells * step - size if at == axis else 0, 0) for at in range(x.ndim)]
            blocks = lax.pad(x, jnp.zeros((), x.dtype), around)
            blocks = blocks.reshape(*x.shape[:axis], cells, step, *x.shape[axis + 1 :])
            x = lax.index_in_dim(blocks, 0, axis + 1, keepdims=False)
    return x
