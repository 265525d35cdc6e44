"""One loop as a called function, which XLA on a CPU neither sees through nor merges with what comes after.

LeNet's first layer with relu and max pooling behind it: 7.2 ms merged, since six loops compute it anew, 0.9 so.
"""

from collections.abc import Callable, Sequence

import jax
from jax.experimental.xla_metadata import set_xla_metadata

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import MADE_OF, Problem
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then


def _applies(problem: Problem, algorithm: Algorithm | None) -> bool:
    return algorithm is not None and algorithm.one_loop


def _carry_out(problem: Problem, a: jax.Array, b: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    """The arrays go in and out as the caller has them: in a function XLA would copy others."""
    wanted, roles = problem.wanted, MADE_OF[problem.wanted]

    def contract(*inside: jax.Array) -> jax.Array:
        whole = (array.reshape(given.shape) for array, given in zip(inside, outside, strict=True))
        y = then(problem, *(problem.as_ours(role, array) for role, array in zip(roles, whole, strict=True)))
        return problem.as_given(wanted, y)

    outside = [problem.as_given(role, array) for role, array in zip(roles, (a, b), strict=True)]
    y = called(contract)(*(array.reshape(without_ones(array.shape)) for array in outside))
    return problem.as_ours(wanted, y)


def called(f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """f as a function that XLA calls, where it would write it out: nothing is merged with what is in it."""

    def unmarked(*arrays: jax.Array) -> jax.Array:
        with set_xla_metadata(inlineable=None):
            return f(*arrays)

    def call(*arrays: jax.Array) -> jax.Array:
        with set_xla_metadata(inlineable="false"):
            y: jax.Array = jax.jit(unmarked)(*arrays)
            return y

    return call


def without_ones(shape: Sequence[int]) -> list[int]:
    """Axes of length 1 stay outside of a function or a loop: there XLA picks another layout for them, and copies.

    Depthwise 3x3: 0.29 ms; with them 0.64 ms.
    """
    return [side for side in shape if side != 1]


isolate = Rewrite("keep it apart from what reads the result", _applies, lambda problem, _: problem, _carry_out)
