"""What an algorithm is: what it can do, what it lays out in memory, and its three contractions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxcnn._engine.problem import MADE_OF, Problem

# It takes a problem and its two operands to the array wanted, of any dtype that holds the sums. All have an axis for
# the groups: x (samples, groups, ins, *spatial), kernel (groups, outs, ins, *window), y (samples, groups, outs, *out).
Contraction = Callable[[Problem, jax.Array, jax.Array], jax.Array]


class Algorithm(NamedTuple):
    """One way to compute all three contractions."""

    name: str  # what a user calls it: `method=`
    y: Contraction  # the correlation
    x: Contraction  # its adjoint in x: the transposed convolution, and the gradient for the data
    kernel: Contraction  # its adjoint in the kernel: the gradient for the kernel
    can: Callable[[Problem], bool] = lambda problem: True
    # How many cells are laid out in memory for each sample of a group.
    cells: Callable[[Problem], int] = lambda problem: 0
    # Whether it gains from a stride that is taken as a reshape into blocks.
    in_blocks: bool = False
    # Whether it is one loop, which XLA on the CPU would repeat in everything that reads its result.
    one_loop: bool = False
    caution: str = ""  # what a user has to know of its results

    def __call__(self, problem: Problem, a: jax.Array, b: jax.Array) -> jax.Array:
        contraction: Contraction = getattr(self, problem.wanted)
        return contraction(problem, a, b)


def algorithm(
    name: str, y: Contraction, x: Contraction | None = None, kernel: Contraction | None = None, **facts: Any
) -> Algorithm:
    """An algorithm whose missing contractions are JAX's transposes of the first."""

    def transposed(problem: Problem, a: jax.Array, b: jax.Array) -> jax.Array:
        """The cotangent of y is one of the operands; the other one stays what it is to the correlation."""
        wanted = problem.wanted
        given = dict(zip(MADE_OF[wanted], (a, b), strict=True))
        cotangent, ((role, other),) = given.pop("y"), given.items()
        # A GPU has its fast kernels for operands of one half precision; on a CPU they are widened first.
        dtype = other.dtype if problem.on_gpu and other.dtype == cotangent.dtype else problem.summed
        struct = jax.ShapeDtypeStruct(problem.shape(wanted), dtype)
        dtypes = {wanted: dtype, role: other.dtype}
        forward = problem.but(wanted="y", dtypes=tuple(dtypes[each] for each in MADE_OF["y"]))

        def correlate(unknown: jax.Array) -> jax.Array:
            arrays = {wanted: unknown, role: other}
            return y(forward, *(arrays[each] for each in MADE_OF["y"]))

        seen = jax.eval_shape(correlate, struct)
        adjoint: jax.Array = jax.linear_transpose(correlate, struct)(cotangent.astype(seen.dtype))[0]
        return adjoint

    return Algorithm(name, y, x or transposed, kernel or transposed, **facts)
