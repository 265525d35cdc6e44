"""The definition: one window at a time, multiplied by its kernel and summed; `vmap` runs it over everything else."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._ways.way import way
from jaxcnn._windows import each_window


def correlate(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
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


def gather(x: jax.Array, y: jax.Array, g: Geometry, **options: Any) -> jax.Array:
    """Each tap correlates what it sees with y, and the samples are summed: they are the channels here."""
    return correlate(x.swapaxes(0, 1), y.swapaxes(0, 1), g.of_taps(), **options).swapaxes(0, 1)


definition = way(correlate, kernel=gather)
