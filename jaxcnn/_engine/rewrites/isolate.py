"""One loop as the branch of a condition, which XLA on a CPU neither sees through nor merges with what comes after.

LeNet's first layer with relu and max pooling behind it: 7.2 ms merged, since six loops compute it anew, 0.9 so.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import MADE_OF, Problem
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then


def _applies(problem: Problem, algorithm: Algorithm | None) -> bool:
    """The condition looks at a number of the second operand."""
    second = dict(zip(MADE_OF[problem.face], problem.dtypes, strict=True))[MADE_OF[problem.face][1]]
    return algorithm is not None and algorithm.one_loop and jnp.issubdtype(second, jnp.floating)


def _carry_out(problem: Problem, a: jax.Array, b: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    outside = [array.reshape(without_ones(array.shape)) for array in (a, b)]

    def contract() -> jax.Array:
        made = then(problem, outside[0].reshape(a.shape), outside[1].reshape(b.shape))
        return made.astype(problem.dtype)

    def never() -> jax.Array:
        return jnp.zeros(problem.shape(problem.face), problem.dtype)

    bits = lax.bitcast_convert_type(b.ravel()[0].astype(jnp.float32), jnp.int32)
    always: jax.Array = lax.cond(bits & 1 <= 1, contract, never)
    return always


def without_ones(shape: Sequence[int]) -> list[int]:
    """Axes of length 1 stay outside of a condition or a loop: there XLA picks another layout for them, and copies.

    Depthwise 3x3: 0.29 ms; with them 0.64 ms.
    """
    return [side for side in shape if side != 1]


isolate = Rewrite("keep it apart from what reads the result", _applies, lambda problem, _: problem, _carry_out)
