"""A problem to a plan: the rewrites in the order in which they are carried out, the algorithm behind them, and why.

A plan is made from a problem alone, so that any platform's can be printed, tested and run on any other: an algorithm is
plain JAX.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._arrays import accumulator, is_below_a_byte
from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.platforms import methods, platform_of
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.mirror import mirror
from jaxcnn._engine.rewrites.rewrite import Rewrite
from jaxcnn._engine.rewrites.stride_as_blocks import stride_as_blocks
from jaxcnn._errors import check_name, message
from jaxcnn._symbolic import known


@dataclass(frozen=True)
class Plan:
    problem: Problem
    rewrites: tuple[Rewrite, ...]
    algorithm: Algorithm
    left: Problem  # what the rewrites leave to the algorithm
    why: str


def plan(problem: Problem, method: str = "auto") -> Plan:
    """How a problem is solved: by the algorithm that the platform's rules choose, or by the one that is named."""
    platform, named = platform_of(problem.platform), methods().get(method)
    easier = platform.EASIER
    if named is not None:
        easier = [
            rewrite for rewrite in easier if rewrite is mirror or (rewrite is stride_as_blocks and named.in_blocks)
        ]
    rewrites, left = _applying(easier, problem, None)
    algorithm, why = _choice(left) if named is None else (named, f"method={method!r}")
    if not known(lambda: algorithm.can(left)):
        algorithm, why = _choice(left)
        why = f"method={method!r} cannot compute this, or not exactly, on {problem.platform}; {why}"
    pieces, left = _applying(platform.PIECES, left, algorithm)
    return Plan(problem, (*rewrites, *pieces), algorithm, left, why)


def _applying(
    rewrites: Sequence[Rewrite], problem: Problem, algorithm: Algorithm | None
) -> tuple[list[Rewrite], Problem]:
    """Those that apply, each to what the one before it leaves, and what they leave together."""
    taken = []
    for rewrite in rewrites:
        if rewrite.applies(problem, algorithm):
            taken.append(rewrite)
            problem = rewrite.leaves(problem, algorithm)
    return taken, problem


def _choice(problem: Problem) -> tuple[Algorithm, str]:
    """By the first of the platform's rules that applies."""
    rule = next(rule for rule in platform_of(problem.platform).RULES if rule.applies(problem))
    return rule.algorithm, rule.why


def carry_out(plan: Plan, a: jax.Array, b: jax.Array) -> jax.Array:
    """The third array of a problem, made of its two operands."""

    def go_on(rewrites: Sequence[Rewrite], problem: Problem, a: jax.Array, b: jax.Array) -> jax.Array:
        if not rewrites:
            return plan.algorithm(problem, a, b)
        first, *others = rewrites
        return first.carry_out(problem, a, b, partial(go_on, others), plan.algorithm)

    on_cpu = plan.problem.platform == "cpu"
    a, b = (_wide(array, 2 if on_cpu and plan.problem.wanted != "y" else 1) for array in (a, b))
    return go_on(plan.rewrites, plan.problem, a, b).astype(plan.problem.dtype)


def _wide(array: jax.Array, most: int) -> jax.Array:
    """Floats of at most this many bytes as wider ones: each platform has other products of those of a byte, or none.

    A CPU has none of half precisions, and XLA would widen the columns, which are many more than the cells: LeNet's
    second layer in bfloat16 takes 5.5 ms with gradients, 8.6 without this. Of values not all gain.
    """
    narrow = jnp.issubdtype(array.dtype, jnp.floating) and array.dtype.itemsize <= most
    return array.astype(accumulator(array.dtype)) if narrow or is_below_a_byte(array.dtype) else array


def check_method(function: str, method: str, dtype: Any) -> None:
    """Refuse an unknown algorithm, and a transform of numbers that it would round."""
    if method != "auto":
        check_name(function, "method", method, ("auto", *methods()))
    if method == "fft" and not jnp.issubdtype(dtype, jnp.inexact):
        problem = f"'fft' would round {jnp.dtype(dtype)}, which is exact otherwise"
        raise ValueError(message(function, "method", problem, "use another method, or convert to float32"))
