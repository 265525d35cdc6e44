"""What a way to contract is: three faces of one trilinear form, the sum of y * conv(x, kernel)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry

# A face takes two of the three arrays, in the order x, y, kernel, to the third, for one group of channels:
#   x (samples, in_channels, *spatial), kernel (out_channels, in_channels, *window), y (samples, out_channels, *out)
Face = Callable[..., jax.Array]


class Way(NamedTuple):
    """Each face is called as `face(a, b, g, dtype=, precision=)`, where sums are kept in `dtype`."""

    y: Face  # the correlation
    x: Face  # its adjoint in x, asked for only where the stride is above 1 (mirror.py): the transposed convolution
    kernel: Face  # its adjoint in the kernel: the gradient for the kernel
    # How many cells `cells(face, g, in_channels, out_channels)` are laid out in between for each sample.
    cells: Callable[[str, Geometry, int, int], int] = lambda face, g, ins, outs: 0
    # Whether a stride is taken as a reshape into blocks, where the window is made of whole blocks.
    in_blocks: bool = False
    # Whether it is one loop, which XLA on the CPU would repeat in everything that reads its result.
    alone: bool = False


def way(y: Face, x: Face | None = None, kernel: Face | None = None, **facts: Any) -> Way:
    """A way whose missing faces are JAX's transposes of the first, which it has for inexact numbers only."""

    def transpose(f: Face, shape: tuple[int, ...], cotangent: jax.Array, dtype: Any) -> jax.Array:
        transposed = jax.linear_transpose(f, jax.ShapeDtypeStruct(shape, dtype))
        return transposed(cotangent.astype(dtype))[0]  # type: ignore[no-any-return]

    def transposed_in_x(cotangent: jax.Array, k: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
        if not jnp.issubdtype(dtype, jnp.inexact):
            return _mirrored(y, cotangent, k, g, dtype=dtype, precision=precision)
        shape = cotangent.shape[0], k.shape[1], *g.size
        return transpose(lambda x: y(x, k, g, dtype=dtype, precision=precision), shape, cotangent, dtype)

    def transposed_in_kernel(
        x: jax.Array, cotangent: jax.Array, g: Geometry, *, dtype: Any, precision: Any
    ) -> jax.Array:
        shape = cotangent.shape[1], x.shape[1], *g.window
        return transpose(lambda k: y(x, k, g, dtype=dtype, precision=precision), shape, cotangent, dtype)

    return Way(y, x or transposed_in_x, kernel or transposed_in_kernel, **facts)


def _mirrored(face: Face, y: jax.Array, kernel: jax.Array, g: Geometry, **options: Any) -> jax.Array:
    """The adjoint in x as a correlation at stride 1, of y with zeros between its cells and the flipped kernel."""
    dense = Geometry(tuple(a._replace(stride=1) for a in g.axes))
    apart = [(0, one.out - 1 - (a.out - 1) * a.stride, a.stride - 1) for a, one in zip(g.axes, dense.axes, strict=True)]
    spread = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0)] * 2 + apart)
    return face(spread, jnp.flip(kernel, range(2, kernel.ndim)).swapaxes(0, 1), dense.mirrored(), **options)
