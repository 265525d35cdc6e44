"""Shifted multiply-adds: the whole map times one tap, summed over the taps in one loop; for few channels.

Of arrays whose channels lie last the loop runs along the channels, and nothing is transposed.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._arrays import plus, times
from jaxcnn._engine.algorithms.algorithm import algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._padding import crop, zero_pad
from jaxcnn._slices import stack
from jaxcnn._symbolic import is_symbolic

# One running sum stalls on its own latency; four keep the pipeline busy: depthwise 7x7 takes 1.1 ms, and 1.8 with one.
CHAINS = 4
# More terms than this take long to compile: each of them is an operation.
MOST_TERMS = 256
# XLA on a CPU unrolls short sums while the taps of a loop have no more than so many products together, and then takes
# many cells of the last axis at a time: the gradient for the kernel of depthwise 7x7 (4,28,28,96) takes 1.3 ms so, and
# 3.9 ms with 49 sums over a whole axis.
SHORT, PRODUCTS = 8, 72
# At most 64 running sums per loop where the sums are long: larger loops compile slowly.
SUMS = 64


def correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    x, n = x.astype(problem.summed), problem.geometry.n
    if lies_last(problem):
        weights = _weights(problem, kernel)
        seen = _shifted(problem, problem.as_given("x", x), 1)
        return problem.as_ours("y", _sum([_times(cells, weights, i, [n + 1]) for i, cells in enumerate(seen)]))
    weights = kernel.astype(problem.summed).reshape(problem.groups, problem.outs, problem.terms)
    weights = lax.transpose(weights, (2, 0, 1))
    seen = _each_channel_shifted(problem, x)
    of_each_out = (
        lax.broadcast_in_dim(cells, (*cells.shape[:2], problem.outs, *cells.shape[3:]), range(n + 3)) for cells in seen
    )
    return _sum([_times(cells, weights, i, [1, 2]) for i, cells in enumerate(of_each_out)])


def _times(cells: jax.Array, weights: jax.Array, i: int, axes: Sequence[int]) -> jax.Array:
    """Cells times the weight i of each channel."""
    return times(cells, lax.broadcast_in_dim(lax.slice_in_dim(weights, i, i + 1), cells.shape, (0, *axes)))


def lies_last(problem: Problem) -> bool:
    """Whether the loop runs along the channels. Nobody has measured that on a GPU."""
    return problem.channels_last and problem.is_depthwise and not problem.on_gpu


def _weights(problem: Problem, kernel: jax.Array) -> jax.Array:
    """One for each tap and channel: (taps, channels)."""
    return problem.as_given("kernel", kernel.astype(problem.summed)).reshape(problem.taps, problem.groups)


def _sum(terms: Sequence[jax.Array]) -> jax.Array:
    chains = (functools.reduce(plus, terms[i::CHAINS]) for i in range(min(CHAINS, len(terms))))
    return functools.reduce(plus, chains)


def lay_down(problem: Problem, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """Cells of x that lie a stride apart are seen by the same taps: they are one sum of shifted maps, and these sums
    are interleaved."""
    g, weights = problem.geometry, _weights(problem, kernel)
    sides = [-(-a.padded // a.stride) for a in g.axes]  # of such a sum
    # Tap i lies i * dilation behind the first: so many whole strides, and a rest that says which cells it sees.
    places = [[divmod(i * a.dilation, a.stride) for i in range(a.window)] for a in g.axes]
    before = [max(strides for strides, _ in of_axis) for of_axis in places]
    around = [(low, side - a.out) for low, side, a in zip(before, sides, g.axes, strict=True)]
    given = zero_pad(problem.as_given("y", y.astype(problem.summed)), [*around, (0, 0)])

    def seen_from(rests: tuple[int, ...]) -> jax.Array:
        terms = []
        for i, tap in enumerate(itertools.product(*places)):
            if tuple(rest for _, rest in tap) == rests:
                starts = [low - strides for low, (strides, _) in zip(before, tap, strict=True)]
                stops = [start + side for start, side in zip(starts, sides, strict=True)]
                cells = lax.slice(given, (0, *starts, 0), (given.shape[0], *stops, given.shape[-1]))
                terms.append(_times(cells, weights, i, [g.n + 1]))
        return _sum(terms) if terms else jnp.zeros((given.shape[0], *sides, given.shape[-1]), given.dtype)

    parts = [seen_from(rests) for rests in itertools.product(*map(range, g.stride))]
    for axis, a in reversed(list(enumerate(g.axes))):
        parts = [stack(parts[i : i + a.stride], 2 + axis) for i in range(0, len(parts), a.stride)]
    whole = [side * a.stride for side, a in zip(sides, g.axes, strict=True)]
    interleaved = parts[0].reshape(given.shape[0], *whole, given.shape[-1])
    beyond = [(a.low, cells - a.low - a.size) for a, cells in zip(g.axes, whole, strict=True)]
    return problem.as_ours("x", crop(interleaved, [*beyond, (0, 0)]))


def gather(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    """The sums of several taps run in one loop, which reads x and y once."""
    x, y, n = x.astype(problem.summed), y.astype(problem.summed), problem.geometry.n
    if lies_last(problem):
        given = problem.as_given("y", y)
        products = [times(seen, given) for seen in _shifted(problem, problem.as_given("x", x), 1)]
        sums = _sums(problem, products, range(n + 1))
        return problem.as_ours("kernel", stack(sums, 0).reshape(*problem.geometry.window, 1, problem.groups))
    products = [seen * y for seen in _each_channel_shifted(problem, x)]
    return stack(_sums(problem, products, (0, *range(3, 3 + n))), 2).reshape(problem.shape("kernel"))


def _sums(problem: Problem, products: Sequence[jax.Array], axes: Sequence[int]) -> list[jax.Array]:
    """Each product summed over these axes: many short sums first, which round less than a long one."""
    shape, (*rest, last) = products[0].shape, axes
    axis, count = max(((axis, _short(shape[axis])) for axis in axes), key=lambda pair: pair[1])
    if problem.on_gpu or 2 * count <= SHORT:
        return [_total(some, rest) for some in _summed(products, last, SUMS)]
    # The cells of a sum lie apart, so that those along the last axis stay neighbours where it is the one that is split.
    split = (*shape[:axis], count, shape[axis] // count, *shape[axis + 1 :])
    short = _summed([product.reshape(split) for product in products], axis, PRODUCTS // count)
    return [_total(_total(some, [last]), rest) for some in short]


def _total(array: jax.Array, axes: Sequence[int]) -> jax.Array:
    add = lax.bitwise_or if array.dtype == bool else lax.add
    total: jax.Array = lax.reduce(array, np.zeros((), array.dtype), add, axes)
    return total


def _short(side: Any) -> int:
    """How many cells of an axis a short sum has."""
    return 1 if is_symbolic(side) else max(count for count in range(1, SHORT + 1) if side % count == 0)


def _summed(products: Sequence[jax.Array], axis: int, at_once: int) -> list[jax.Array]:
    zero = np.zeros((), products[0].dtype)
    sums: list[jax.Array] = []
    for first in range(0, len(products), at_once):
        some = products[first : first + at_once]
        sums += lax.reduce(some, [zero] * len(some), _add_each, (axis,))
    return sums


def _each_channel_shifted(problem: Problem, x: jax.Array) -> Iterator[jax.Array]:
    """For each channel of a group and each tap, what the tap sees of it: (samples, groups, 1, *out)."""
    for channel in range(problem.ins):
        yield from _shifted(problem, lax.slice_in_dim(x, channel, channel + 1, axis=2), 3)


def _shifted(problem: Problem, x: jax.Array, first: int) -> Iterator[jax.Array]:
    """What each tap sees of maps whose spatial axes begin with the one that is named."""
    g, behind = problem.geometry, x.ndim - first - problem.geometry.n
    padded = zero_pad(x, [*g.padding, *[(0, 0)] * behind])
    front, back = x.shape[:first], x.shape[x.ndim - behind :]
    seen = [(out - 1) * stride + 1 for out, stride in zip(g.out, g.stride, strict=True)]  # by a tap, on each axis
    for tap in itertools.product(*map(range, g.window)):
        starts = [i * dilation for i, dilation in zip(tap, g.dilation, strict=True)]
        stops = [start + cells for start, cells in zip(starts, seen, strict=True)]
        yield lax.slice(
            padded, (*(0,) * first, *starts, *(0,) * behind), (*front, *stops, *back),
            (*(1,) * first, *g.stride, *(1,) * behind),
        )  # fmt: skip


def _add_each(a: Any, b: Any) -> list[jax.Array]:
    return [plus(p, q) for p, q in zip(a, b, strict=True)]


def _can(problem: Problem) -> bool:
    return problem.ins * problem.taps <= MOST_TERMS


_transposed = algorithm("shifts", correlate).x


def _lay_down(problem: Problem, y: jax.Array, kernel: jax.Array) -> jax.Array:
    return (lay_down if interleaves(problem) else _transposed)(problem, y, kernel)


def interleaves(problem: Problem) -> bool:
    """Whether the adjoint in x is as many sums as a window has cells of a stride, none of which is empty."""
    few = all(a.stride <= a.window for a in problem.geometry.axes)
    return lies_last(problem) and few and not is_symbolic(math.prod(a.padded for a in problem.geometry.axes))


shifts = algorithm("shifts", correlate, _lay_down, gather, can=_can, in_blocks=True, one_loop=True)
