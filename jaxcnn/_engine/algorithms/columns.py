"""Windows as columns: the windows of all samples are contracted with all kernels by one matrix product a group.

A copy of x for every tap costs more than the product where there are many taps. On the axes that are `left` the
product leaves each tap's share standing where its cell stands, and the shares are shifted and summed afterwards. The
padding of these axes comes last, so that no product is made of it.
"""

import functools
import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._arrays import plus
from jaxcnn._engine.algorithms import columns_last
from jaxcnn._engine.algorithms.algorithm import Algorithm, Contraction
from jaxcnn._engine.problem import Problem
from jaxcnn._geometry import Geometry
from jaxcnn._padding import crop, zero_pad
from jaxcnn._slices import fold_taps, tap_slice, taps

# An axis of more taps than this is not left: one share for each of them takes long to compile.
MOST_SHARES = 32


def _left(problem: Problem, left: int) -> int:
    """How many axes are left to be summed afterwards."""
    g = problem.geometry
    return 0 if any(a.window > MOST_SHARES for a in g.axes[g.n - min(left, g.n) :]) else min(left, g.n)


def _columns(problem: Problem, x: jax.Array, unrolled: int) -> jax.Array:
    """(*window[:unrolled], groups, ins, samples, *out[:unrolled], *size[unrolled:])

    Channel-major: each tap is copied as one block, and what the product contracts lies in front.
    """
    g = problem.geometry
    padding = [*g.padding[:unrolled], *[(0, 0)] * (g.n - unrolled)]
    return taps(zero_pad(_samples_third(x), padding), g, range(unrolled))


def _samples_third(array: jax.Array) -> jax.Array:
    """(samples, groups, channels, *spatial) to (groups, channels, samples, *spatial)."""
    return lax.transpose(array, (1, 2, 0, *range(3, array.ndim)))


def _samples_first(array: jax.Array) -> jax.Array:
    return lax.transpose(array, (2, 0, 1, *range(3, array.ndim)))


def _lies_last(problem: Problem) -> bool:
    """Whether a product takes y as the caller has it. On one axis a WaveNet's step takes 1.03 times as long so.

    Nobody has measured that on a GPU, nor of groups.
    """
    return problem.channels_last and problem.groups == 1 and problem.geometry.n > 1 and not problem.on_gpu


def _correlate(problem: Problem, x: jax.Array, kernel: jax.Array, *, left: int) -> jax.Array:
    g, left = problem.geometry, _left(problem, left)
    unrolled = g.n - left
    # (groups, *window[unrolled:], outs, *window[:unrolled], ins)
    rows = jnp.moveaxis(kernel, (*range(3 + unrolled, 3 + g.n), 2), (*range(1, 1 + left), -1))
    contracted = (range(left + 2, left + 3 + unrolled), (*range(unrolled), unrolled + 1))
    y = _product(problem, rows, _columns(problem, x, unrolled), contracted, (0, unrolled))
    for axis in range(unrolled, g.n):
        shares = (lax.index_in_dim(y, tap, 1, keepdims=False) for tap in range(g.window[axis]))
        y = functools.reduce(plus, (_shifted(share, axis, tap, g) for tap, share in enumerate(shares)))
    return _samples_first(y)


def _shifted(share: jax.Array, axis: int, tap: int, g: Geometry) -> jax.Array:
    """A tap's share of each output along an axis: none where the tap sees the padding."""
    a, before = g.axes[axis], tap * g.axes[axis].dilation
    edges = (a.low - before, a.high - (a.span - 1 - before))
    return tap_slice(zero_pad(share, [edges, *[(0, 0)] * (g.n - 1 - axis)]), axis, 0, g)


def _lay_down(problem: Problem, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """Each cell of y lays its kernels down, and what overlaps is summed."""
    g = problem.geometry
    rows = jnp.moveaxis(kernel, (1, 2), (-1, -2))  # (groups, *window, ins, outs)
    if _lies_last(problem):
        shares = columns_last.times_each(problem, rows, y)
    else:
        shares = _product(problem, rows, _samples_third(y), ((g.n + 2,), (1,)), (0, 0))
    return crop(_samples_first(fold_taps(jnp.moveaxis(shares, 0, g.n), g)), g.padding)


def _gather(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    """Every kernel is what its outputs saw; y comes second, since the product transposes its second factor."""
    g = problem.geometry
    if _lies_last(problem):
        y, over_y = problem.as_given("y", y)[None], range(1, g.n + 2)
    else:
        y, over_y = _samples_third(y), range(2, g.n + 3)
    over_columns = range(g.n + 2, 2 * g.n + 3)
    rows = _product(problem, _columns(problem, x, g.n), y, (over_columns, over_y), (g.n, 0))
    return jnp.moveaxis(rows, (-1, -2), (1, 2))  # of (groups, *window, ins, outs)


def _product(
    problem: Problem, a: jax.Array, b: jax.Array, contracted: Sequence[Sequence[int]], groups: tuple[int, int]
) -> jax.Array:
    """One matrix product for each group, whose axis comes first in the result."""
    if problem.on_gpu and problem.exact and a.dtype.itemsize == 1:
        # XLA's product of int8 is wrong there where the contracted length is no multiple of 4 (jax 0.11.2).
        a, b, dtype = a.astype(jnp.int32), b.astype(jnp.int32), jnp.int32
    else:
        dtype = problem.summed
    over_a, over_b = map(tuple, contracted)
    numbers = (over_a, over_b), (groups[:1], groups[1:])
    return lax.dot_general(a, b, numbers, problem.precision, dtype)


def _cells(problem: Problem, *, left: int) -> int:
    g = problem.geometry
    if problem.wanted != "y":
        return problem.ins * math.prod(g.window) * math.prod(g.out)
    left = _left(problem, left)
    unrolled, left_standing = g.axes[: g.n - left], g.axes[g.n - left :]
    columns, shares = (math.prod(a.window for a in axes) for axes in (unrolled, left_standing))
    shares = shares if left else 0
    positions = math.prod(a.out for a in unrolled) * math.prod(a.size for a in left_standing)
    return (problem.ins * columns + problem.outs * shares) * positions


def _with(name: str, left: int) -> Algorithm:
    """Columns of all axes but the last `left`."""
    correlate, cells = partial(_correlate, left=left), partial(_cells, left=left)
    return Algorithm(name, correlate, _lay_down, _gather, cells=cells, in_blocks=left > 0)


def _unless_in_place(columns: Algorithm) -> Algorithm:
    def of(last: Contraction, first: Contraction) -> Contraction:
        return lambda problem, a, b: (last if columns_last.in_place(problem) else first)(problem, a, b)

    return columns._replace(
        y=of(columns_last.correlate, columns.y),
        x=of(columns_last.lay_down, columns.x),
        kernel=of(columns_last.gather, columns.kernel),
        cells=lambda problem: 0 if columns_last.in_place(problem) else columns.cells(problem),
    )


windows, rows = _unless_in_place(_with("windows", left=0)), _with("rows", left=1)
