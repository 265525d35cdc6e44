"""Windows as columns: all windows of all samples are contracted with all kernels by one matrix product."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._windows import fold_taps, taps


def windows(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """(samples, in_channels, *spatial) with (out_channels, in_channels, *window) to (samples, out_channels, *out)."""

    # The gradient takes its columns from x again: kept, they are a copy of x for every tap, and are read transposed.
    @jax.checkpoint
    def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
        # Channel-major columns (*window, in_channels, samples, *out): each tap is copied as one block, and what is
        # contracted lies in front, so that the product needs no transposed copy.
        columns = taps(zero_pad(x.swapaxes(0, 1), g.padding), g)
        rows = jnp.moveaxis(kernel, 1, -1)
        contracted = (tuple(range(1, g.n + 2)), tuple(range(g.n + 1)))
        y: jax.Array = lax.dot_general(rows, columns, (contracted, ((), ())), precision, dtype)
        return y.swapaxes(0, 1)

    y: jax.Array = product(x, kernel)
    return y


def windows_transposed(y: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """The adjoint in x, (samples, out_channels, *out) to (samples, in_channels, *padded).

    Each cell of y lays its kernels down, and what overlaps is summed.
    """
    rows = jnp.moveaxis(kernel, (0, 1), (-1, -2))
    contracted = ((kernel.ndim - 1,), (0,))
    laid: jax.Array = lax.dot_general(rows, y.swapaxes(0, 1), (contracted, ((), ())), precision, dtype)
    return fold_taps(laid, g).swapaxes(0, 1)
