"""From checked arrays to a contraction: the geometry is laid, the way is chosen, groups are mapped."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._geometry import Geometry, geometry, refuse
from jaxcnn._padding import accumulator, is_zeros, pad
from jaxcnn._ways.definition import definition
from jaxcnn._ways.windows import windows

Way = Callable[..., jax.Array]

WAYS: dict[str, Way] = {"definition": definition, "windows": windows}


def contract(
    function: str,
    x: jax.Array,
    kernel: jax.Array,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    padding_mode: Any,
    fill: Any,
    groups: int,
    method: str,
    precision: Any,
    preferred_element_type: Any,
) -> jax.Array:
    """(samples, in_channels, *spatial) with (out_channels, in_channels // groups, *window) to
    (samples, out_channels, *out)."""
    g = geometry(function, x.shape[2:], kernel.shape[2:], stride=stride, padding=padding, dilation=dilation)
    if not is_zeros(padding_mode, fill):  # zeros are left to the ways, which may have them for nothing
        x, g = pad(function, x, g.padding, padding_mode, fill), g.unpadded()
    dtype = jnp.result_type(x, kernel)
    x, kernel = x.astype(dtype), kernel.astype(dtype)
    out_dtype = dtype if preferred_element_type is None else preferred_element_type
    way = partial(choose(function, method, g), dtype=accumulator(out_dtype), precision=precision)
    return _each_group(way, x, kernel, g, groups).astype(out_dtype)


def choose(function: str, method: str, g: Geometry) -> Way:
    """The way named, or for "auto" the one that the rule picks by static facts."""
    if method == "auto":
        return windows
    if method not in WAYS:
        names = ", ".join(map(repr, ("auto", *WAYS)))
        raise ValueError(refuse(function, "method", f"{method!r} is unknown", f"use one of {names}"))
    return WAYS[method]


def _each_group(way: Way, x: jax.Array, kernel: jax.Array, g: Geometry, groups: int) -> jax.Array:
    """The contraction of each group of channels by itself: group i of x with group i of the kernels."""
    if groups == 1:
        return way(x, kernel, g)
    samples, channels, *spatial = x.shape
    x = x.reshape(samples, groups, channels // groups, *spatial)
    kernel = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    y = jax.vmap(partial(way, g=g), in_axes=(1, 0), out_axes=1)(x, kernel)
    return y.reshape(samples, kernel.shape[0] * kernel.shape[1], *g.out)
