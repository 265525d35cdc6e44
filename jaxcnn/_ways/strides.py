"""A stride as a reshape into blocks: what is left to contract has stride 1."""

import math
from typing import Any

import jax
from jax import lax

from jaxcnn._geometry import Geometry, Pair
from jaxcnn._padding import zero_pad
from jaxcnn._ways.way import Face, Way


def in_blocks_of_the_stride(way: Way) -> Way:
    """The way at stride 1, on blocks of the stride: the cells of a block are channels, and so are their taps.

    A window of k taps then has k / stride of them. An axis on which k is no such multiple, or that has a dilation as
    well, is left as it is: zeros in place of the missing taps would carry a NaN out of its windows.
    """

    def y(x: jax.Array, kernel: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        return way.y(_split(zero_pad(x, _to_whole(g)), g), _split(kernel, g), _blocked(g), **options)

    def x(y: jax.Array, kernel: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        whole = _join(way.x(y, _split(kernel, g), _blocked(g), **options), g)
        return zero_pad(whole, [(-low, -high) for low, high in _to_whole(g)])

    def kernel(x: jax.Array, y: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        return _join(way.kernel(_split(zero_pad(x, _to_whole(g)), g), y, _blocked(g), **options), g)

    def cells(face: str, g: Geometry, ins: int, outs: int) -> int:
        return way.cells(face, _blocked(g), ins * math.prod(_sides(g)), outs)

    faces = (_if_any(blocked, plain) for blocked, plain in zip((y, x, kernel), way[:3], strict=True))
    return Way(*faces, cells)


def _if_any(blocked: Face, plain: Face) -> Face:
    def face(a: jax.Array, b: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        return (blocked if math.prod(_sides(g)) > 1 else plain)(a, b, g, **options)

    return face


def _sides(g: Geometry) -> tuple[int, ...]:
    """Cells of a block on each axis: a window is to be made of whole blocks."""
    return tuple(a.stride if a.dilation == 1 and a.window % a.stride == 0 else 1 for a in g.axes)


def _blocked(g: Geometry) -> Geometry:
    axes = []
    for a, side in zip(g.axes, _sides(g), strict=True):
        window, stride = a.window // side, a.stride // side
        size = (a.out - 1) * stride + (window - 1) * a.dilation + 1
        axes.append(a._replace(size=size, window=window, stride=stride, low=0, high=0))
    return Geometry(tuple(axes))


def _to_whole(g: Geometry) -> list[Pair]:
    """The padding that brings a map to the blocks that the windows cover."""
    whole = [b.size * side for b, side in zip(_blocked(g).axes, _sides(g), strict=True)]
    return [(a.low, cells - a.size - a.low) for a, cells in zip(g.axes, whole, strict=True)]


def _split(array: jax.Array, g: Geometry) -> jax.Array:
    """(lead, channels, *spatial) to (lead, channels * cells of a block, *blocks)."""
    lead, channels, *spatial = array.shape
    sides = _sides(g)
    blocks = [m // side for m, side in zip(spatial, sides, strict=True)]
    apart = [number for pair in zip(blocks, sides, strict=True) for number in pair]
    within, between = range(3, 3 + 2 * g.n, 2), range(2, 2 + 2 * g.n, 2)
    split = lax.transpose(array.reshape(lead, channels, *apart), (0, 1, *within, *between))
    return split.reshape(lead, channels * math.prod(sides), *blocks)


def _join(array: jax.Array, g: Geometry) -> jax.Array:
    """The inverse of `_split`."""
    lead, channels, *blocks = array.shape
    sides = _sides(g)
    channels //= math.prod(sides)
    order = (0, 1, *(axis for i in range(g.n) for axis in (2 + g.n + i, 2 + i)))
    joined = lax.transpose(array.reshape(lead, channels, *sides, *blocks), order)
    return joined.reshape(lead, channels, *(b * side for b, side in zip(blocks, sides, strict=True)))
