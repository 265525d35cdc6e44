"""From checked arrays to a contraction: the geometry is laid, the way is chosen, groups are mapped."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn._geometry import Geometry, refuse
from jaxcnn._padding import accumulator, none_if_zero, pad
from jaxcnn._ways.definition import definition, definition_transposed
from jaxcnn._ways.windows import windows, windows_transposed


class Way(NamedTuple):
    """A contraction of windows with kernels, and its adjoint in x."""

    forward: Callable[..., jax.Array]
    transposed: Callable[..., jax.Array]


WAYS = {"definition": Way(definition, definition_transposed), "windows": Way(windows, windows_transposed)}


def choose(function: str, method: str, g: Geometry) -> Way:
    """The way named, or for "auto" the one that the rule picks by static facts."""
    if method == "auto":
        return WAYS["windows"]
    if method not in WAYS:
        names = ", ".join(map(repr, ("auto", *WAYS)))
        raise ValueError(refuse(function, "method", f"{method!r} is unknown", f"use one of {names}"))
    return WAYS[method]


def contract(
    function: str, x: jax.Array, kernel: jax.Array, g: Geometry, *, padding_mode: Any = "constant", fill: Any = 0,
    groups: int = 1, method: str = "auto", precision: Any = None, preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """(samples, in_channels, *spatial) with (out_channels, in_channels // groups, *window) to
    (samples, out_channels, *out)."""
    fill = none_if_zero(fill)
    if padding_mode != "constant" or fill is not None:  # zeros are left to the ways, which may have them for nothing
        x, g = pad(function, x, g.padding, padding_mode, fill), g.unpadded()
    way = choose(function, method, g).forward
    return _contract(function, partial(way, g=g), x, kernel, groups, precision, preferred_element_type)


def contract_transposed(
    function: str, y: jax.Array, kernel: jax.Array, g: Geometry, *, groups: int = 1, method: str = "auto",
    precision: Any = None, preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """The adjoint in x: (samples, out_channels, *out) to (samples, in_channels, *spatial), g being without padding."""
    way = choose(function, method, g).transposed
    return _contract(function, partial(way, g=g), y, kernel, groups, precision, preferred_element_type)


def _contract(
    function: str, way: Callable[..., jax.Array], x: jax.Array, kernel: jax.Array,
    groups: int, precision: Any, preferred_element_type: Any,
) -> jax.Array:  # fmt: skip
    """Run a way in the dtype that accumulates, each group of channels by itself."""
    dtype = jnp.result_type(x, kernel)
    x, kernel = x.astype(dtype), kernel.astype(dtype)
    out_dtype = result_dtype(function, dtype, preferred_element_type)
    way = partial(way, dtype=accumulator(out_dtype), precision=precision)
    if groups == 1:
        return way(x, kernel).astype(out_dtype)
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    kernel = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    y = jax.vmap(way, in_axes=(1, 0), out_axes=1)(x, kernel)
    return y.reshape(y.shape[0], y.shape[1] * y.shape[2], *y.shape[3:]).astype(out_dtype)


def result_dtype(function: str, dtype: Any, preferred: Any) -> Any:
    """The dtype preferred, if it can hold sums of `dtype` by lax's rule; None is `dtype` itself."""
    if preferred is None:
        return dtype
    try:
        preferred = jnp.dtype(preferred)
    except TypeError:
        problem = f"is {preferred!r}, which is no dtype"
        raise TypeError(refuse(function, "preferred_element_type", problem, "pass e.g. jnp.float32")) from None
    kinds = [jnp.integer, jnp.floating, jnp.complexfloating]
    kept = all(jnp.issubdtype(preferred, kind) for kind in kinds if jnp.issubdtype(dtype, kind))
    signed = jnp.issubdtype(dtype, jnp.signedinteger) <= jnp.issubdtype(preferred, jnp.signedinteger)
    widened = jnp.issubdtype(dtype, jnp.integer) and jnp.issubdtype(preferred, jnp.floating)
    if not (widened or (kept and signed)) or preferred.itemsize < jnp.dtype(dtype).itemsize:
        problem = f"is {preferred}, which does not hold sums of {jnp.dtype(dtype)}"
        raise TypeError(refuse(function, "preferred_element_type", problem, "pass a wider dtype of the same kind"))
    return preferred
