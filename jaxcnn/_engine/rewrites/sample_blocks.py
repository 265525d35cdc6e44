"""A large batch in blocks of samples, each done before the next begins, so that what is laid out stays in the cache."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.isolate import without_ones
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then
from jaxcnn._symbolic import is_symbolic

# Cells laid out at a time: 8 MiB of float32. It stays in the cache, and below the size from which the allocator takes
# fresh pages from the system at each call: LeNet's second layer at batch 1024, the gradient for the data, takes 87 ms
# at once and 13 ms in blocks.
CELLS = 2**21


def laid_out(problem: Problem, algorithm: Algorithm | None) -> int:
    """Cells that an algorithm lays out in memory for each sample."""
    return problem.groups * algorithm.cells(problem) if algorithm else 0


def _block(problem: Problem, algorithm: Algorithm | None) -> Any:
    """The most samples that fit, down to half as many where that divides the batch; symbolic sizes are never split."""
    samples, cells = problem.samples, laid_out(problem, algorithm)
    if is_symbolic(samples, cells) or samples <= (most := max(CELLS // max(cells, 1), 1)):
        return samples
    return next((block for block in range(most, most // 2, -1) if samples % block == 0), most)


def _applies(problem: Problem, algorithm: Algorithm | None) -> bool:
    return _block(problem, algorithm) is not problem.samples


def _leaves(problem: Problem, algorithm: Algorithm | None) -> Problem:
    return problem.but(samples=_block(problem, algorithm))


def _carry_out(problem: Problem, a: jax.Array, b: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    left = _leaves(problem, algorithm)
    block, samples = left.samples, problem.samples
    whole = samples - samples % block
    rest = problem.but(samples=samples - whole)

    def blocks(array: jax.Array) -> jax.Array:
        return array[:whole].reshape(whole // block, *without_ones((block, *array.shape[1:])))

    def of(some: jax.Array, array: jax.Array) -> jax.Array:
        return some.reshape(block, *array.shape[1:])

    if problem.wanted == "kernel":

        def add(total: jax.Array, pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            return total + then(left, of(pair[0], a), of(pair[1], b)), None

        made = jax.eval_shape(lambda a, b: then(left, a, b), a[:block], b[:block])
        total, _ = lax.scan(add, jnp.zeros(made.shape, made.dtype), (blocks(a), blocks(b)))
        return total if whole == samples else total + then(rest, a[whole:], b[whole:])
    y = lax.map(lambda some: then(left, of(some, a), b), blocks(a))
    y = y.reshape(whole, *y.shape[2:])
    return y if whole == samples else lax.concatenate([y, then(rest, a[whole:], b)], 0)


sample_blocks = Rewrite("go through the batch in blocks of samples", _applies, _leaves, _carry_out)
