"""What a way to contract is: three faces of one trilinear form, the sum of y * conv(x, kernel)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn._geometry import Geometry

# A face takes two of the three arrays, in the order x, y, kernel, to the third, for one group of channels:
#   x (samples, in_channels, *spatial), kernel (out_channels, in_channels, *window), y (samples, out_channels, *out)
Face = Callable[..., jax.Array]


class Way(NamedTuple):
    """Each face is called as `face(a, b, g, dtype=, precision=)`, where sums are kept in `dtype`."""

    y: Face  # the correlation
    x: Face  # its adjoint in x: the transposed convolution, and the gradient for the data
    kernel: Face  # its adjoint in the kernel: the gradient for the kernel
    # How many cells `cells(face, g, in_channels, out_channels)` are laid out in between for each sample.
    cells: Callable[[str, Geometry, int, int], int] = lambda face, g, ins, outs: 0


def way(y: Face, x: Face | None = None, kernel: Face | None = None) -> Way:
    """A way whose missing faces are JAX's transposes of the first."""

    def transposed_in_x(cotangent: jax.Array, k: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        like = jax.ShapeDtypeStruct((cotangent.shape[0], k.shape[1], *g.size), options["dtype"])
        return jax.linear_transpose(lambda x: y(x, k, g, **options), like)(cotangent)[0]  # type: ignore[no-any-return]

    def transposed_in_kernel(x: jax.Array, cotangent: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        like = jax.ShapeDtypeStruct((cotangent.shape[1], x.shape[1], *g.window), options["dtype"])
        return jax.linear_transpose(lambda k: y(x, k, g, **options), like)(cotangent)[0]  # type: ignore[no-any-return]

    return Way(y, x or transposed_in_x, kernel or transposed_in_kernel)


def by_mirror(y: Face, otherwise: Face) -> Face:
    """The face for x at stride 1: a correlation of the output with the flipped kernel whose channels are swapped."""

    def face(cotangent: jax.Array, kernel: jax.Array, g: Geometry, **options: Any) -> jax.Array:
        if any(s > 1 for s in g.stride):
            return otherwise(cotangent, kernel, g, **options)
        flipped = jnp.flip(kernel, range(2, kernel.ndim)).swapaxes(0, 1)
        return y(cotangent, flipped, g.mirrored(), **options)

    return face
