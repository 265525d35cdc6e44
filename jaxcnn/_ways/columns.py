"""Windows as columns: the windows of all samples are contracted with all kernels by one matrix product.

A copy of x for every tap costs more than the product where there are many taps. On the axes that are `left` the
product leaves each tap's share standing where its cell stands, and the shares are shifted and summed afterwards.
"""

import functools
import math
import operator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import crop, zero_pad
from jaxcnn._ways.way import Way
from jaxcnn._windows import fold_taps, tap_slices, taps


def _columns(x: jax.Array, g: Geometry, unrolled: int) -> jax.Array:
    """(*window[:unrolled], in_channels, samples, *out[:unrolled], *padded[unrolled:])

    Channel-major: each tap is copied as one block, and what the product contracts lies in front.
    """
    return taps(zero_pad(x.swapaxes(0, 1), g.padding), g, range(unrolled))


def _correlate(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any, left: int) -> jax.Array:
    left = min(left, g.n)
    unrolled = g.n - left
    rows = jnp.moveaxis(kernel, (*range(2 + unrolled, 2 + g.n), 1), (*range(left), -1))
    contracted = (tuple(range(left + 1, left + 2 + unrolled)), tuple(range(unrolled + 1)))
    y = lax.dot_general(rows, _columns(x, g, unrolled), (contracted, ((), ())), precision, dtype)
    for axis in range(unrolled, g.n):
        shares = (tap_slices(share, axis, g)[tap] for tap, share in enumerate(y))
        y = functools.reduce(operator.add, shares)
    return y.swapaxes(0, 1)


def _lay_down(y: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """Each cell of y lays its kernels down, and what overlaps is summed."""
    rows = jnp.moveaxis(kernel, (0, 1), (-1, -2))
    laid = lax.dot_general(rows, y.swapaxes(0, 1), (((g.n + 1,), (0,)), ((), ())), precision, dtype)
    return crop(fold_taps(laid, g).swapaxes(0, 1), g.padding)


def _gather(x: jax.Array, y: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """Every kernel is what its outputs saw; y comes second, since the product transposes its second factor."""
    columns = _columns(x, g, g.n)
    over_columns, over_y = tuple(range(g.n + 1, 2 * g.n + 2)), tuple(range(1, g.n + 2))
    rows = lax.dot_general(columns, y.swapaxes(0, 1), ((over_columns, over_y), ((), ())), precision, dtype)
    return jnp.moveaxis(rows, (-1, g.n), (0, 1))


def _cells(face: str, g: Geometry, ins: int, outs: int, *, left: int) -> int:
    if face != "y":
        return ins * math.prod(g.window) * math.prod(g.out)
    unrolled, left_standing = g.axes[: g.n - left], g.axes[max(g.n - left, 0) :]
    columns, shares = (math.prod(a.window for a in axes) for axes in (unrolled, left_standing))
    shares = shares if left else 0
    positions = math.prod(a.out for a in unrolled) * math.prod(a.padded for a in left_standing)
    return (ins * columns + outs * shares) * positions


def _way(left: int) -> Way:
    """Columns of all axes but the last `left`."""
    correlate, cells = partial(_correlate, left=left), partial(_cells, left=left)
    return Way(correlate, _lay_down, _gather, cells, in_blocks=left > 0)


windows, rows = _way(left=0), _way(left=1)
