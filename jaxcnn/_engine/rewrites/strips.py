"""A large map cut across its first axis into overlapping strips, which are samples from then on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites import sample_blocks
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then
from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._slices import LONG
from jaxcnn._symbolic import is_symbolic


class _Cut(NamedTuple):
    """How many strips there are, and how many outputs each has on the first axis."""

    strips: int
    out: int


def _cut(problem: Problem, algorithm: Algorithm | None) -> _Cut:
    whole, cells = problem.geometry.axes[0].out, sample_blocks.laid_out(problem, algorithm)
    # A strip is put together from all the others that it reaches into: at most LONG of them.
    least = -(-problem.geometry.axes[0].span // (LONG * problem.geometry.axes[0].stride))
    fit = max(whole * sample_blocks.CELLS // cells, least)
    out = -(-whole // -(-whole // fit))
    return _Cut(-(-whole // out), out)


def _applies(problem: Problem, algorithm: Algorithm | None) -> bool:
    cells = sample_blocks.laid_out(problem, algorithm)
    if not problem.geometry.n or problem.wanted == "x" or is_symbolic(problem.samples, cells):
        return False
    return cells > sample_blocks.CELLS and _cut(problem, algorithm).strips > 1


def _leaves(problem: Problem, algorithm: Algorithm | None) -> Problem:
    (first, *others), cut = problem.geometry.axes, _cut(problem, algorithm)
    strip = first._replace(size=(cut.out - 1) * first.stride + first.span, low=0, high=0)
    return problem.but(geometry=Geometry((strip, *others)), samples=problem.samples * cut.strips)


def _carry_out(problem: Problem, a: jax.Array, b: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    (strips, out), left = _cut(problem, algorithm), _leaves(problem, algorithm)
    first, strip, whole_axes = problem.geometry.axes[0], left.geometry.axes[0], [(0, 0)] * (problem.geometry.n - 1)
    rows = strip.size + (strips - 1) * out * first.stride
    x = zero_pad(a, [(first.low, rows - first.size - first.low), *whole_axes])
    x = jnp.moveaxis(_overlapping(x, strips, strip.size, out * first.stride), 3, 1)
    x = x.reshape(a.shape[0] * strips, *x.shape[2:])
    if problem.wanted == "kernel":
        y = zero_pad(b, [(0, strips * out - first.out), *whole_axes])
        y = jnp.moveaxis(y.reshape(*y.shape[:3], strips, out, *y.shape[4:]), 3, 1)
        return then(left, x, y.reshape(x.shape[0], *y.shape[2:]))
    y = then(left, x, b)
    y = jnp.moveaxis(y.reshape(a.shape[0], strips, *y.shape[1:]), 1, 3)
    y = y.reshape(*y.shape[:3], strips * out, *y.shape[5:])
    return lax.slice_in_dim(y, 0, first.out, axis=3)


def _overlapping(x: jax.Array, count: int, size: int, step: int) -> jax.Array:
    """(_, _, _, rows, ...) to (_, _, _, count, size, ...): a strip is a block of `step` rows and some of the next."""
    blocks = -(-size // step)
    x = zero_pad(x, [(0, (count + blocks - 1) * step - x.shape[3]), *[(0, 0)] * (x.ndim - 4)])
    x = x.reshape(*x.shape[:3], count + blocks - 1, step, *x.shape[4:])
    parts = [x[:, :, :, i : i + count, : min(step, size - i * step)] for i in range(blocks)]
    return lax.concatenate(parts, 4)


strips = Rewrite("cut the map into strips", _applies, _leaves, _carry_out)
