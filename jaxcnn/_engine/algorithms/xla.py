"""XLA's own convolution, for what it computes fastest: dense layers of many channels, and most layers on a GPU.

On a CPU it makes of groups in float64 one kernel with zeros between them, which spread a NaN over all groups.
"""

from typing import Any

import jax
from jax.lax import conv_general_dilated  # as it is now: somebody may put ours in its place later

from jaxcnn._arrays import accumulator
from jaxcnn._engine.algorithms.algorithm import algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._geometry import Axis, Pair
from jaxcnn._padding import zero_pad
from jaxcnn._symbolic import is_symbolic


def correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    g = problem.geometry
    if problem.channels_last and (problem.on_gpu or g.n > 3):  # not measured there
        problem = problem.but(channels_last=False)
    before, padding = zip(*map(_padding, g.axes), strict=True) if g.n else ((), ())
    common = x.dtype if x.dtype == kernel.dtype else problem.summed  # where the wider one is a cotangent
    x, kernel = x.astype(common), kernel.astype(common)

    def convolve(x: jax.Array, kernel: jax.Array, groups: int, numbers: Any = None) -> jax.Array:
        return conv_general_dilated(
            x, kernel, g.stride, padding, rhs_dilation=g.dilation, feature_group_count=groups,
            dimension_numbers=numbers, precision=problem.precision, preferred_element_type=_sums(problem, common),
        )  # fmt: skip

    if g.n > 3:  # lax's own gradient in the kernel of groups is wrong from four axes on (0.11.2)
        y: jax.Array = jax.vmap(lambda x, kernel: convolve(x, kernel, 1), (1, 0), 1)(zero_pad(x, before), kernel)
        return y
    axes, behind, numbers = "DHW"[3 - g.n :], [(0, 0)] * problem.channels_last, None
    if problem.channels_last:
        numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    x, kernel = zero_pad(problem.as_given("x", x), [*before, *behind]), problem.as_given("kernel", kernel)
    return problem.as_ours("y", convolve(x, kernel, problem.groups, numbers))


def _padding(a: Axis) -> tuple[Pair, Pair]:
    """What is put around an axis before the convolution, and what the convolution does itself.

    XLA's gradient (jaxlib 0.10.2) can abort the process for a negative padding, and on a CPU for windows of 2 with
    stride 2 and a padding of 1. lax takes no symbol for a padding, nor does its gradient of a stride, unless the map
    ends where the last window does.
    """
    if is_symbolic(a.low, a.high) or (is_symbolic(a.size) and a.stride > 1):
        return (a.low, (a.out - 1) * a.stride + a.span - a.size - a.low), (0, 0)
    if min(a.low, a.high) < 0 or a.window == a.stride == 2:
        return (a.low, a.high), (0, 0)
    return (0, 0), (a.low, a.high)


def _sums(problem: Problem, operands: Any) -> Any:
    """The dtype in which sums are asked for.

    A GPU sums half precisions in float32 anyway, and asked for float32 results it leaves its fast kernels: depthwise
    7x7 in bfloat16 takes 0.46 ms so, and 0.20 ms where the result is asked for in bfloat16 (H200).
    """
    own = problem.on_gpu and operands != accumulator(operands)
    return operands if own else problem.summed


def _can(problem: Problem) -> bool:
    """On a GPU cuDNN saturates sums of integers, or has no convolution of them; lax has none of symbolic groups."""
    return not (problem.on_gpu and problem.exact) and not is_symbolic(problem.groups)


xla = algorithm("xla", correlate, can=_can)
