"""The definition: one window at a time, multiplied by its kernel and summed; `vmap` runs it over everything else."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Axis, Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._windows import each_window


def definition(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """(samples, in_channels, *spatial) with (out_channels, in_channels, *window) to (samples, out_channels, *out)."""

    def one_window(window: jax.Array, k: jax.Array) -> jax.Array:
        # The sum of window * k; spelled so, XLA corrupts memory in the gradient from rank 7 on (jaxlib 0.10.2).
        return jnp.tensordot(window, k, g.n, precision=precision)

    def one_map(feature_map: jax.Array, k: jax.Array) -> jax.Array:
        return each_window(lambda window: one_window(window, k), feature_map, g)

    def one_channel(sample: jax.Array, k: jax.Array) -> jax.Array:
        return jnp.sum(jax.vmap(one_map)(sample, k), axis=0, dtype=dtype)

    def one_sample(sample: jax.Array) -> jax.Array:
        return jax.vmap(one_channel, in_axes=(None, 0))(sample, kernel.astype(dtype))

    return jax.vmap(one_sample)(zero_pad(x, g.padding).astype(dtype))


def definition_transposed(y: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """The adjoint in x, (samples, out_channels, *out) to (samples, in_channels, *padded).

    y with zeros between and around its cells is correlated with the flipped kernel whose channels are swapped.
    """
    apart = [(a.span - 1, a.span - 1, a.stride - 1) for a in g.axes]
    spread = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), (0, 0, 0), *apart])
    flipped = jnp.flip(kernel, range(2, kernel.ndim)).swapaxes(0, 1)
    axes = zip(spread.shape[2:], g.axes, strict=True)
    each_cell = Geometry(tuple(Axis(size, a.window, 1, 0, 0, a.dilation) for size, a in axes))
    return definition(spread, flipped, each_cell, dtype=dtype, precision=precision)
