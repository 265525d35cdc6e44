"""A contraction turned into an easier one: at stride 1, of one face less, of small blocks.

Each takes `contract(face, a, b, g)` to a function of the same signature. Their arrays have an axis for the groups:
x (samples, groups, in_channels, *spatial), kernel (groups, out_channels, in_channels, *window) and
y (samples, groups, out_channels, *out).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import crop, zero_pad

Contract = Callable[[str, jax.Array, jax.Array, Geometry], jax.Array]


def by_mirror(contract: Contract) -> Contract:
    """At stride 1 the adjoint in x is a correlation of y with the flipped kernel whose channels are swapped.

    For integers so it is at any stride, with zeros between the cells of y: they have no NaN that zeros would spread,
    and JAX transposes no function of theirs.
    """

    def mirrored(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
        if face == "x" and not jnp.issubdtype(a.dtype, jnp.inexact):
            a, g = _spread(a, g)
        if face != "x" or any(s > 1 for s in g.stride):
            return contract(face, a, b, g)
        return contract("y", a, jnp.flip(b, range(3, b.ndim)).swapaxes(1, 2), g.mirrored())

    return mirrored


def _spread(y: jax.Array, g: Geometry) -> tuple[jax.Array, Geometry]:
    """y as the windows at stride 1 would give it, with zeros where the stride steps over them."""
    dense = Geometry(tuple(a._replace(stride=1) for a in g.axes))
    apart = [(0, at_1 - 1 - (a.out - 1) * a.stride, a.stride - 1) for a, at_1 in zip(g.axes, dense.out, strict=True)]
    return lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0)] * 3 + apart), dense


def alone(contract: Contract) -> Contract:
    """As the branch of a condition, which XLA neither sees through nor merges with what comes after.

    LeNet's first layer with relu and max pooling behind it: 7.2 ms merged, since six loops compute it anew, 0.9 so.
    """

    def branch(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
        made = jax.eval_shape(lambda a, b: contract(face, a, b, g), a, b)
        outside = [array.reshape(_no_ones(array.shape)) for array in (a, b)]

        def make() -> jax.Array:
            return contract(face, outside[0].reshape(a.shape), outside[1].reshape(b.shape), g)

        if not jnp.issubdtype(b.dtype, jnp.floating):
            return make()
        bits = lax.bitcast_convert_type(b.ravel()[0].astype(jnp.float32), jnp.int32)
        always: jax.Array = lax.cond(bits & 1 <= 1, make, lambda: jnp.zeros(made.shape, made.dtype))
        return always

    return branch


def _no_ones(shape: Sequence[int]) -> list[int]:
    """Sides of 1 stay outside of a condition or a loop: XLA gives them an order of their own there, which costs a copy.

    Depthwise 3x3: 0.29 ms for 0.64.
    """
    return [side for side in shape if side != 1]


# A stride as a reshape ------------------------------------------------------------------------------------------------


def by_blocks_of_the_stride(contract: Contract) -> Contract:
    """At stride 1, on blocks of the stride: the cells of a block are channels, and so are their taps.

    A window of k taps then has k / stride of them. An axis on which k is no such multiple, or that has a dilation as
    well, is left as it is: zeros in place of the missing taps would carry a NaN out of its windows.
    """

    def blocked(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
        sides = tuple(a.stride if a.dilation == 1 and a.window % a.stride == 0 else 1 for a in g.axes)
        if math.prod(sides) == 1:
            return contract(face, a, b, g)
        axes = []
        for axis, side in zip(g.axes, sides, strict=True):
            window, stride = axis.window // side, axis.stride // side
            size = (axis.out - 1) * stride + (window - 1) * axis.dilation + 1
            axes.append(axis._replace(size=size, window=window, stride=stride, low=0, high=0))
        in_blocks = Geometry(tuple(axes))
        whole = [size * side for size, side in zip(in_blocks.size, sides, strict=True)]
        around = [(axis.low, cells - axis.size - axis.low) for axis, cells in zip(g.axes, whole, strict=True)]
        if face == "y":
            return contract("y", _split(zero_pad(a, around), sides), _split(b, sides), in_blocks)
        if face == "kernel":
            return _join(contract("kernel", _split(zero_pad(a, around), sides), b, in_blocks), sides)
        return crop(_join(contract("x", a, _split(b, sides), in_blocks), sides), around)

    return blocked


def _split(array: jax.Array, sides: tuple[int, ...]) -> jax.Array:
    """(_, _, channels, *spatial) to (_, _, channels * cells of a block, *blocks)."""
    first, second, channels, *spatial = array.shape
    n = len(sides)
    blocks = [m // side for m, side in zip(spatial, sides, strict=True)]
    apart = [number for pair in zip(blocks, sides, strict=True) for number in pair]
    split = array.reshape(first, second, channels, *apart)
    split = lax.transpose(split, (0, 1, 2, *range(4, 4 + 2 * n, 2), *range(3, 3 + 2 * n, 2)))
    return split.reshape(first, second, channels * math.prod(sides), *blocks)


def _join(array: jax.Array, sides: tuple[int, ...]) -> jax.Array:
    """The inverse of `_split`."""
    first, second, channels, *blocks = array.shape
    n, channels = len(sides), channels // math.prod(sides)
    order = (0, 1, 2, *(axis for i in range(n) for axis in (3 + n + i, 3 + i)))
    joined = lax.transpose(array.reshape(first, second, channels, *sides, *blocks), order)
    return joined.reshape(first, second, channels, *(b * side for b, side in zip(blocks, sides, strict=True)))


# Blocks that stay in the cache ----------------------------------------------------------------------------------------

# Laid out at a time: 8 MiB of float32. It stays in the cache, and below the size from which the allocator takes fresh
# pages from the system at each call: LeNet's second layer at batch 1024, the gradient for the data, takes 87 ms at
# once and 13 ms in blocks.
CELLS = 2**21


def by_blocks_of_samples(contract: Contract, cells: Callable[[str, Geometry], int]) -> Contract:
    """A large batch in blocks, each done with before the next begins; `cells(face, g)` are laid out for a sample."""

    def blocked(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
        samples = a.shape[0]
        block = _block(samples, cells(face, g))
        if block == samples:
            return contract(face, a, b, g)
        whole = samples - samples % block

        def blocks(array: jax.Array) -> jax.Array:
            return array[:whole].reshape(whole // block, block, *_no_ones(array.shape[1:]))

        def of(some: jax.Array, array: jax.Array) -> jax.Array:
            return some.reshape(block, *array.shape[1:])

        if face == "kernel":

            def add(total: jax.Array, pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
                return total + contract(face, of(pair[0], a), of(pair[1], b), g), None

            made = jax.eval_shape(lambda a, b: contract(face, a, b, g), a[:block], b[:block])
            total, _ = lax.scan(add, jnp.zeros(made.shape, made.dtype), (blocks(a), blocks(b)))
            return total if whole == samples else total + contract(face, a[whole:], b[whole:], g)
        y = lax.map(lambda some: contract(face, of(some, a), b, g), blocks(a))
        y = y.reshape(whole, *y.shape[2:])
        return y if whole == samples else lax.concatenate([y, contract(face, a[whole:], b, g)], 0)

    return blocked


def _block(samples: Any, cells: int) -> Any:
    """The most samples that fit, down to half as many where that divides the batch; a symbolic batch is never split."""
    most = max(CELLS // max(cells, 1), 1)
    if not isinstance(samples, int) or most >= samples:
        return samples
    return next((block for block in range(most, most // 2, -1) if samples % block == 0), most)


def by_strips(contract: Contract, cells: Callable[[str, Geometry], int]) -> Contract:
    """A large map cut across its first axis into overlapping strips, which are samples from then on."""

    def stripped(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
        if not g.n or face == "x" or not isinstance(a.shape[0], int) or cells(face, g) <= CELLS:
            return contract(face, a, b, g)
        first = g.axes[0]
        fit = max(first.out * CELLS // cells(face, g), 1)
        out = -(-first.out // -(-first.out // fit))
        strips = -(-first.out // out)
        if strips == 1:
            return contract(face, a, b, g)
        strip = first._replace(size=(out - 1) * first.stride + first.span, low=0, high=0)
        of_a_strip = Geometry((strip, *g.axes[1:]))
        rows = strip.size + (strips - 1) * out * first.stride
        x = zero_pad(a, [(first.low, rows - first.size - first.low), *[(0, 0)] * (g.n - 1)])
        starts = range(0, strips * out * first.stride, out * first.stride)
        x = jnp.stack([lax.slice_in_dim(x, start, start + strip.size, axis=3) for start in starts], 1)
        x = x.reshape(a.shape[0] * strips, *x.shape[2:])
        if face == "kernel":
            y = zero_pad(b, [(0, strips * out - first.out), *[(0, 0)] * (g.n - 1)])
            y = jnp.moveaxis(y.reshape(*y.shape[:3], strips, out, *y.shape[4:]), 3, 1)
            return contract(face, x, y.reshape(x.shape[0], *y.shape[2:]), of_a_strip)
        y = contract(face, x, b, of_a_strip)
        y = jnp.moveaxis(y.reshape(a.shape[0], strips, *y.shape[1:]), 1, 3)
        y = y.reshape(*y.shape[:3], strips * out, *y.shape[5:])
        return lax.slice_in_dim(y, 0, first.out, axis=3)

    return stripped
