"""Columns whose channels lie last, and a product that takes the kernel as it lies in memory.

It serves windows of one tap, where the map is its own columns and nothing is copied: 1x1, 64 to 256 (4,56,56,64) takes
1.5 ms, the gradients 1.8 and 2.6 ms; XLA's convolution takes 3.1, 3.9 and 25 ms. And it serves small maps of many
channels, whose kernel is larger than the columns: 3x3, 512 to 512 (4,3,3,512) takes 2.1 ms, the gradients 1.7 and
1.5 ms; XLA's convolution takes 2.5, 7.2 and 3.2 ms, since it flips the kernel and transposes its gradient.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._engine.problem import Problem
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._padding import crop, zero_pad
from jaxcnn._slices import fold_taps, taps
from jaxcnn._symbolic import is_symbolic


def correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    n, matrix = problem.geometry.n, problem.as_given("kernel", kernel).reshape(problem.terms, problem.outs)
    return problem.as_ours("y", _product(problem, _columns(problem, x), matrix, ((n + 1,), (0,))))


def lay_down(problem: Problem, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """Each cell of y lays its kernels down, and what overlaps is summed."""
    g = problem.geometry
    kernel, y = problem.as_given("kernel", kernel), problem.as_given("y", y)
    shares = _product(problem, y, kernel, ((g.n + 1,), (g.n + 1,)))  # (samples, *out, *window, ins)
    if problem.taps == 1:
        cells = shares.reshape(*shares.shape[: g.n + 1], problem.ins)
        apart = [(0, a.padded - (a.out - 1) * a.stride - 1, a.stride - 1) for a in g.axes]
        spread = lax.pad(cells, jnp.zeros((), cells.dtype), [(0, 0, 0), *apart, (0, 0, 0)])
        return problem.as_ours("x", crop(spread, [*g.padding, (0, 0)]))
    shares = lax.transpose(shares, (*range(g.n + 1, 2 * g.n + 1), *range(g.n + 1), 2 * g.n + 1))
    laid = fold_taps(jnp.expand_dims(shares, g.n), _with_channels(problem))
    return problem.as_ours("x", crop(laid, [*g.padding, (0, 0)]))


def gather(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    """Every kernel is what its outputs saw."""
    positions = tuple(range(problem.geometry.n + 1))
    made = _product(problem, _columns(problem, x), problem.as_given("y", y), (positions, positions))
    return problem.as_ours("kernel", made.reshape(*problem.geometry.window, problem.ins, problem.outs))


def times_each(problem: Problem, rows: jax.Array, y: jax.Array) -> jax.Array:
    """rows (1, *window, ins, outs) times each cell of y: (1, *window, ins, samples, *out).

    Of two matrices, since XLA would transpose a y of more axes: 64 to 1, 3x3x3, stride 2 (1,32,32,16,64) takes 0.8 ms
    so, and 1.1 ms.
    """
    matrix = problem.as_given("y", y).reshape(problem.samples * math.prod(problem.geometry.out), problem.outs)
    kernels = rows.reshape(problem.terms, problem.outs)
    shares = _product(problem, kernels, matrix, ((1,), (1,)))
    return shares.reshape(*rows.shape[:-1], problem.samples, *problem.geometry.out)


def _columns(problem: Problem, x: jax.Array) -> jax.Array:
    """(samples, *out, taps * ins)"""
    g = problem.geometry
    if problem.taps == 1:
        padded = zero_pad(problem.as_given("x", x), [*g.padding, (0, 0)])
        return padded[(slice(None), *(slice(0, (a.out - 1) * a.stride + 1, a.stride) for a in g.axes))]
    padded = zero_pad(problem.as_given("x", x), [*g.padding, (0, 0)])
    seen = taps(padded, _with_channels(problem), range(g.n))  # (*window, samples, *out, ins)
    seen = lax.transpose(seen, (*range(g.n, 2 * g.n + 1), *range(g.n), 2 * g.n + 1))
    return seen.reshape(problem.samples, *g.out, problem.terms)


def _with_channels(problem: Problem) -> Geometry:
    """The windows with one more axis behind them, that of the channels, of one cell."""
    return Geometry((*problem.geometry.axes, Axis(problem.ins, 1, 1, 0, 0, 1)))


def _product(
    problem: Problem, a: jax.Array, b: jax.Array, contracted: tuple[Sequence[int], Sequence[int]]
) -> jax.Array:
    return lax.dot_general(a, b, (contracted, ((), ())), problem.precision, problem.summed)


def in_place(problem: Problem) -> bool:
    """Nobody has measured it on a GPU, and XLA slices no map of a symbolic size.

    On one axis XLA's own convolution of one tap is as fast, and goes better with what stands around it: a step of a
    WaveNet takes 0.96 times as long with it.
    """
    g = problem.geometry
    positions = (problem.samples, *g.out)
    if not problem.channels_last or problem.groups > 1 or problem.on_gpu or is_symbolic(*positions, *g.size):
        return False
    one_tap = problem.taps == 1 and (g.n != 1 or problem.wanted == "kernel")
    # The adjoint in x, mirrored, would be a correlation to `ins` channels.
    most = max(problem.ins, problem.outs) if problem.wanted == "x" else problem.outs
    return one_tap or math.prod(positions) <= most
