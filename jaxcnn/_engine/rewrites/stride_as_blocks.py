"""A stride taken as a reshape into blocks: the cells of a block are channels, and so are their taps.

A window of k taps then has k / stride of them, and the stride is 1. An axis on which k is no such multiple, or that has
a dilation as well, is left as it is: zeros in place of the missing taps would carry a NaN out of its windows.
"""

import math

import jax
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.algorithms.columns_last import in_place
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then
from jaxcnn._geometry import Geometry
from jaxcnn._padding import crop, zero_pad

# With fewer channels in, blocks are as fast: 3 to 64 (4,64,64,3) takes 0.4 ms both ways.
FEWEST_CHANNELS = 8
# The gradient in the kernel of 3x3, stride 2, 8 to 16 (4,96,96,8) takes XLA 1.1 ms and columns 0.9 ms; 32 to 64
# (4,64,64,32) 3.5 and 4.8 ms; 128 to 256 (4,28,28,128) 5.1 and 4.5 ms.
FEWEST_CHANNELS_OF_A_GRADIENT, MANY_KERNELS = 16, 2**14


def _sides(problem: Problem) -> tuple[int, ...]:
    """Of a block, on each axis."""
    return tuple(a.stride if a.dilation == 1 and a.window % a.stride == 0 else 1 for a in problem.geometry.axes)


def _applies(problem: Problem, _: Algorithm | None) -> bool:
    return math.prod(_sides(problem)) > 1 and not in_place(problem) and not takes_strides(problem)


def takes_strides(problem: Problem) -> bool:
    """Whether XLA's convolution is as fast with the stride, and nothing has to be copied into blocks or columns.

    Channels last, 4x4, stride 2, 32 to 64 (4,64,64,32) takes 2.0 ms so, and 2.7 ms in blocks; the gradient in the
    kernel takes 3.2 and 4.5 ms. Blocks that leave one tap are a product.
    """
    if not problem.channels_last or problem.groups > 1 or _sides(problem) == problem.geometry.window:
        return False
    if problem.wanted == "kernel":
        few = problem.ins >= FEWEST_CHANNELS_OF_A_GRADIENT and problem.ins * problem.outs < MANY_KERNELS
        return problem.geometry.n == 2 and few
    return problem.wanted == "y" and problem.geometry.n < 3 and problem.ins >= FEWEST_CHANNELS


def _leaves(problem: Problem, _: Algorithm | None) -> Problem:
    axes, sides = [], _sides(problem)
    for axis, side in zip(problem.geometry.axes, sides, strict=True):
        window, stride = axis.window // side, axis.stride // side
        size = (axis.out - 1) * stride + (window - 1) * axis.dilation + 1
        axes.append(axis._replace(size=size, window=window, stride=stride, low=0, high=0))
    return problem.but(geometry=Geometry(tuple(axes)), ins=problem.ins * math.prod(sides))


def _carry_out(problem: Problem, a: jax.Array, b: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    sides, left = _sides(problem), _leaves(problem, algorithm)
    whole = [size * side for size, side in zip(left.geometry.size, sides, strict=True)]
    around = [
        (axis.low, cells - axis.size - axis.low) for axis, cells in zip(problem.geometry.axes, whole, strict=True)
    ]
    if problem.wanted == "y":
        return then(left, _split(zero_pad(a, around), sides), _split(b, sides))
    if problem.wanted == "kernel":
        return _join(then(left, _split(zero_pad(a, around), sides), b), sides)
    return crop(_join(then(left, a, _split(b, sides)), sides), around)


def _split(array: jax.Array, sides: tuple[int, ...]) -> jax.Array:
    """(_, _, channels, *spatial) to (_, _, cells of a block * channels, *blocks).

    The channels come last of the two: where they lie last in memory, they are copied as they lie.
    """
    first, second, channels, *spatial = array.shape
    n = len(sides)
    blocks = [m // side for m, side in zip(spatial, sides, strict=True)]
    apart = [number for pair in zip(blocks, sides, strict=True) for number in pair]
    split = array.reshape(first, second, channels, *apart)
    split = lax.transpose(split, (0, 1, *range(4, 4 + 2 * n, 2), 2, *range(3, 3 + 2 * n, 2)))
    return split.reshape(first, second, channels * math.prod(sides), *blocks)


def _join(array: jax.Array, sides: tuple[int, ...]) -> jax.Array:
    """The inverse of `_split`."""
    first, second, channels, *blocks = array.shape
    n, channels = len(sides), channels // math.prod(sides)
    order = (0, 1, 2 + n, *(axis for i in range(n) for axis in (3 + n + i, 2 + i)))
    joined = lax.transpose(array.reshape(first, second, *sides, channels, *blocks), order)
    return joined.reshape(first, second, channels, *(b * side for b, side in zip(blocks, sides, strict=True)))


stride_as_blocks = Rewrite("take the stride as a reshape into blocks", _applies, _leaves, _carry_out)
