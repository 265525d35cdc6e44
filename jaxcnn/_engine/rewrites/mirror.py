"""At stride 1 the adjoint in x is a correlation of y with the flipped kernel whose channels are swapped.

A kernel that a product takes as it lies in memory is not flipped: it is larger than the maps, or has one tap.

For integers it is so at any stride, with zeros between the cells of y: they have no NaN that zeros would spread, and
JAX transposes no function of theirs.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.algorithms.columns_last import in_place
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then
from jaxcnn._geometry import Geometry


def _applies(problem: Problem, _: Algorithm | None) -> bool:
    dense = all(s == 1 for s in problem.geometry.stride) and not in_place(problem)
    return problem.wanted == "x" and (problem.exact or dense)


def _leaves(problem: Problem, _: Algorithm | None) -> Problem:
    dense = _at_stride_1(problem.geometry)
    return problem.but(wanted="y", geometry=dense.mirrored(), ins=problem.outs, outs=problem.ins)


def _carry_out(problem: Problem, y: jax.Array, kernel: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    flipped = jnp.flip(kernel, range(3, kernel.ndim)).swapaxes(1, 2)
    return then(_leaves(problem, algorithm), _apart(y, problem.geometry), flipped)


def _at_stride_1(g: Geometry) -> Geometry:
    return Geometry(tuple(a._replace(stride=1) for a in g.axes))


def _apart(y: jax.Array, g: Geometry) -> jax.Array:
    """y as the windows at stride 1 would give it, with zeros where the stride steps over them."""
    if all(s == 1 for s in g.stride):
        return y
    columns = zip(g.axes, _at_stride_1(g).out, strict=True)
    apart = [(0, at_1 - 1 - (a.out - 1) * a.stride, a.stride - 1) for a, at_1 in columns]
    return lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0)] * 3 + apart)


mirror = Rewrite("correlate with the flipped kernel", _applies, _leaves, _carry_out)
