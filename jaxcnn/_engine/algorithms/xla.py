"""XLA's own convolution, for what it computes fastest: dense layers of many channels, and most layers on a GPU.

On a CPU it makes of groups in float64 one kernel with zeros between them, which spread a NaN over all groups.
"""

from typing import Any

import jax
from jax.lax import conv_general_dilated  # as it is now: somebody may put ours in its place later

from jaxcnn._engine.algorithms.algorithm import algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._padding import accumulator, zero_pad
from jaxcnn._symbolic import known, smaller


def correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    g = problem.geometry
    # XLA's gradient (jaxlib 0.10.2) can abort the process for a negative padding, and on a CPU for windows of 2 with
    # stride 2 and a padding of 1: such an axis is padded before.
    before = [
        (a.low, a.high) if not known(lambda a=a: smaller(a.low, a.high) >= 0) or a.window == a.stride == 2 else (0, 0)
        for a in g.axes
    ]
    padding = [(0, 0) if done != (0, 0) else pair for done, pair in zip(before, g.padding, strict=True)]
    common = x.dtype if x.dtype == kernel.dtype else problem.summed  # where the wider one is a cotangent
    x, kernel = zero_pad(x, before).astype(common), kernel.astype(common)

    def convolve(x: jax.Array, kernel: jax.Array, groups: int) -> jax.Array:
        return conv_general_dilated(
            x, kernel, g.stride, padding, rhs_dilation=g.dilation, feature_group_count=groups,
            precision=problem.precision, preferred_element_type=_sums(problem, common),
        )  # fmt: skip

    if g.n > 3:  # lax's own gradient in the kernel of groups is wrong from four axes on (0.11.2)
        y: jax.Array = jax.vmap(lambda x, kernel: convolve(x, kernel, 1), (1, 0), 1)(x, kernel)
        return y
    y = convolve(_channels(x, 1), _channels(kernel, 0), problem.groups)
    return y.reshape(problem.shape("y"))


def _channels(array: jax.Array, at: int) -> jax.Array:
    """The axis of the groups and the one behind it as one."""
    return array.reshape(*array.shape[:at], array.shape[at] * array.shape[at + 1], *array.shape[at + 2 :])


def _sums(problem: Problem, operands: Any) -> Any:
    """The dtype in which sums are asked for.

    A GPU sums half precisions in float32 anyway, and asked for float32 results it leaves its fast kernels: depthwise
    7x7 in bfloat16 takes 0.46 ms so, and 0.20 ms where the result is asked for in bfloat16 (H200).
    """
    own = problem.on_gpu and operands != accumulator(operands)
    return operands if own else problem.summed


def _can(problem: Problem) -> bool:
    """On a GPU cuDNN saturates sums of integers, or has no convolution of them."""
    return not (problem.on_gpu and problem.exact)


xla = algorithm("xla", correlate, can=_can)
