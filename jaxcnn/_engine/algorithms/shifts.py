"""Shifted multiply-adds: the whole map times one tap, summed over the taps in one loop; for few channels."""

import functools
import itertools
import operator
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._engine.algorithms.algorithm import algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._padding import zero_pad

# One running sum stalls on its own latency; four keep the pipeline busy: depthwise 7x7 takes 1.1 ms, and 1.8 with one.
CHAINS = 4
# More terms than this take long to compile: each of them is an operation.
MOST_TERMS = 256
# At most 64 running sums per fused loop: larger loops compile slowly.
SUMS = 64


def correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    weights = kernel.astype(problem.summed).reshape(1, problem.groups, problem.outs, -1, *(1,) * problem.geometry.n)
    terms = [
        seen * lax.index_in_dim(weights, i, 3, keepdims=False)
        for i, seen in enumerate(_shifted(problem, x.astype(problem.summed)))
    ]
    chains = (functools.reduce(operator.add, terms[i::CHAINS]) for i in range(min(CHAINS, len(terms))))
    return functools.reduce(operator.add, chains)


def gather(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    """The sums of all taps run in one loop, which reads x and y once."""
    y, n = y.astype(problem.summed), problem.geometry.n
    products = [seen * y for seen in _shifted(problem, x.astype(problem.summed))]
    # The last axis, whose cells lie together, and then the rest: many short sums round less than a long one.
    zero, last, rest = np.zeros((), problem.summed), (2 + n,) if n else (), (0, *range(3, 2 + n))
    sums: list[jax.Array] = []
    for first in range(0, len(products), SUMS):
        some = products[first : first + SUMS]
        sums += lax.reduce(some, [zero] * len(some), _add_each, last)
    return jnp.stack([jnp.sum(row, rest) for row in sums], -1).reshape(problem.shape("kernel"))


def _shifted(problem: Problem, x: jax.Array) -> Iterator[jax.Array]:
    """For each channel of a group and each tap, what the tap sees of it: (samples, groups, 1, *out)."""
    g, padded = problem.geometry, zero_pad(x, problem.geometry.padding)
    seen = [(out - 1) * stride + 1 for out, stride in zip(g.out, g.stride, strict=True)]  # by a tap, on each axis
    for channel, *tap in itertools.product(range(problem.ins), *map(range, g.window)):
        starts = [i * dilation for i, dilation in zip(tap, g.dilation, strict=True)]
        stops = [start + cells for start, cells in zip(starts, seen, strict=True)]
        yield lax.slice(padded, (0, 0, channel, *starts), (*x.shape[:2], channel + 1, *stops), (1, 1, 1, *g.stride))


def _add_each(a: Any, b: Any) -> list[jax.Array]:
    return [p + q for p, q in zip(a, b, strict=True)]


def _can(problem: Problem) -> bool:
    return problem.ins * problem.taps <= MOST_TERMS


shifts = algorithm("shifts", correlate, kernel=gather, can=_can, in_blocks=True, one_loop=True)
