"""What a way to contract is: three faces of one trilinear form, the sum of y * conv(x, kernel)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxcnn._geometry import Geometry

# A face takes two of the three arrays, in the order x, y, kernel, to the third, for one group of channels:
#   x (samples, in_channels, *spatial), kernel (out_channels, in_channels, *window), y (samples, out_channels, *out)
Face = Callable[..., jax.Array]


class Way(NamedTuple):
    """Each face is called as `face(a, b, g, dtype=, precision=)`, where sums are kept in `dtype`."""

    y: Face  # the correlation
    x: Face  # its adjoint in x, asked for only where the stride is above 1: the transposed convolution
    kernel: Face  # its adjoint in the kernel: the gradient for the kernel
    # How many cells `cells(face, g, in_channels, out_channels)` are laid out in between for each sample.
    cells: Callable[[str, Geometry, int, int], int] = lambda face, g, ins, outs: 0
    # Whether a stride is taken as a reshape into blocks, where the window is made of whole blocks.
    in_blocks: bool = False
    # Whether it is one loop, which XLA on the CPU would repeat in everything that reads its result.
    alone: bool = False


def way(y: Face, x: Face | None = None, kernel: Face | None = None, **facts: Any) -> Way:
    """A way whose missing faces are JAX's transposes of the first."""

    def transposed(f: Face, cotangent: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        adjoint = jax.linear_transpose(f, jax.ShapeDtypeStruct(shape, dtype))
        return adjoint(cotangent.astype(dtype))[0]  # type: ignore[no-any-return]

    def transposed_in_x(cotangent: jax.Array, k: jax.Array, g: Geometry, *, dtype: Any, **options: Any) -> jax.Array:
        shape = (cotangent.shape[0], k.shape[1], *g.size)
        return transposed(lambda x: y(x, k, g, dtype=dtype, **options), cotangent, shape, dtype)

    def transposed_in_kernel(
        x: jax.Array, cotangent: jax.Array, g: Geometry, *, dtype: Any, **options: Any
    ) -> jax.Array:
        shape = (cotangent.shape[1], x.shape[1], *g.window)
        return transposed(lambda k: y(x, k, g, dtype=dtype, **options), cotangent, shape, dtype)

    return Way(y, x or transposed_in_x, kernel or transposed_in_kernel, **facts)
