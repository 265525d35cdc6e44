"""What JAX has to know of a contraction: one primitive, whose three faces are each other's derivatives.

The gradient of a face is another face: reverse, forward and second order all stay within the three, and each of them is
planned by itself, for the platform that the program is lowered for.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._devices import Arrays, divided, lies
from jaxcnn._engine.plan import carry_out, check_method, plan
from jaxcnn._engine.platforms import names
from jaxcnn._engine.problem import AXES, MADE_OF, Problem
from jaxcnn._geometry import Geometry, refuse
from jaxcnn._padding import none_if_zero, pad
from jaxcnn._primitives import alike, bilinear, lying_as, primitive


def contract(
    function: str, x: jax.Array, kernel: jax.Array, g: Geometry, *, padding_mode: Any = "constant", fill: Any = 0,
    groups: int = 1, method: str = "auto", precision: Any = None, preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """(samples, in_channels, *spatial) with (out_channels, in_channels // groups, *window) to
    (samples, out_channels, *out)."""
    fill = none_if_zero(fill)
    if (
        padding_mode != "constant" or fill is not None
    ):  # zeros are left to the algorithms, which may have them for nothing
        x, g = pad(function, x, g.padding, padding_mode, fill), g.unpadded()
    return _of_groups("y", function, x, kernel, g, groups, method, precision, preferred_element_type)


def contract_transposed(
    function: str, y: jax.Array, kernel: jax.Array, g: Geometry, *, groups: int = 1, method: str = "auto",
    precision: Any = None, preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """The adjoint in x: (samples, out_channels, *out) to (samples, in_channels, *spatial)."""
    return _of_groups("x", function, y, kernel, g, groups, method, precision, preferred_element_type)


def contract_for_kernel(
    function: str, x: jax.Array, y: jax.Array, g: Geometry, *, groups: int = 1, precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """The adjoint in the kernel: (samples, in_channels, *spatial) with (samples, out_channels, *out) to
    (out_channels, in_channels // groups, *window)."""
    return _of_groups("kernel", function, x, y, g, groups, "auto", precision, preferred_element_type)


def _of_groups(
    face: str, function: str, a: jax.Array, b: jax.Array, g: Geometry, groups: int,
    method: str, precision: Any, preferred_element_type: Any,
) -> jax.Array:  # fmt: skip
    """Bind the primitive, whose arrays have an axis for the groups."""
    dtype = jnp.result_type(a, b)
    check_method(function, method, dtype)
    a, b = (_with_groups(role, array.astype(dtype), groups) for role, array in zip(MADE_OF[face], (a, b), strict=True))
    made: jax.Array = contraction.bind(
        *alike(a, b), face=face, geometry=g, method=method, precision=precision,
        dtype=jnp.dtype(result_dtype(function, dtype, preferred_element_type)),
    )  # fmt: skip
    at = AXES[face].index("groups")
    return made.reshape(*made.shape[:at], made.shape[at] * made.shape[at + 1], *made.shape[at + 2 :])


def _with_groups(role: str, array: jax.Array, groups: int) -> jax.Array:
    """The channels of an array as groups of channels."""
    at = AXES[role].index("groups")
    return array.reshape(*array.shape[:at], groups, array.shape[at] // groups, *array.shape[at + 1 :])


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


# The primitive -------------------------------------------------------------------------------------------------------


def _shape(a: Any, b: Any, *, face: str, geometry: Geometry, dtype: Any, **_: Any) -> Any:
    return Problem.of(face, geometry, a, b, dtype).shape(face), dtype


def _lower(
    a: jax.Array, b: jax.Array, *, platform: str, face: str, geometry: Geometry, method: str, dtype: Any, precision: Any
) -> jax.Array:
    problem = Problem.of(face, geometry, a, b, dtype, precision=precision, platform=platform)
    made = problem.shape(face)
    if 0 in (*a.shape, *b.shape, *made):
        return jnp.zeros(made, dtype)
    return carry_out(plan(problem, method), a, b)


def _transpose(cotangent: Any, a: Any, b: Any, *, at: int, face: str, dtype: Any, **params: Any) -> Any:
    """The cotangent of operand `at` is the face that makes it, of the face's own cotangent and the other operand."""
    wanted, other = MADE_OF[face][at], MADE_OF[face][1 - at]
    given = {face: cotangent, other: (b, a)[at]}
    aval = (a, b)[at].aval
    made = contraction.bind(*(given[role] for role in MADE_OF[wanted]), face=wanted, dtype=aval.dtype, **params)
    return lying_as(made, aval)


def _batch(arrays: Any, dims: Any, *, face: str, **params: Any) -> Any:
    """A mapped axis becomes part of the groups if both operands have it, else of the one axis that the other lacks."""
    roles = MADE_OF[face]
    if None not in dims:
        name = "groups"
    else:
        mapped, other = roles if dims[1] is None else roles[::-1]
        (name,) = set(AXES[mapped]) & set(AXES[face]) - set(AXES[other])
    size, side = next(
        (array.shape[dim], [*array.shape[:dim], *array.shape[dim + 1 :]][AXES[role].index(name)])
        for array, dim, role in zip(arrays, dims, roles, strict=True)
        if dim is not None
    )
    merged = [
        array if dim is None else _merge(array, dim, AXES[role].index(name))
        for array, dim, role in zip(arrays, dims, roles, strict=True)
    ]
    made, at = contraction.bind(*merged, face=face, **params), AXES[face].index(name)
    return made.reshape(*made.shape[:at], size, side, *made.shape[at + 1 :]), at


def _merge(array: jax.Array, dim: int, at: int) -> jax.Array:
    array = jnp.moveaxis(array, dim, at)
    return array.reshape(*array.shape[:at], array.shape[at] * array.shape[at + 1], *array.shape[at + 2 :])


def _lies(a: Any, b: Any, *, face: str, geometry: Geometry, **_: Any) -> Any:
    return lies(_arrays(face, geometry), geometry, (a, b))


def _divide(on_a_device: Any, ranks: Any, *, face: str, geometry: Geometry, **params: Any) -> Any:
    local = lambda g, a, b: on_a_device(a, b, face=face, geometry=g, **params)
    return divided(local, _arrays(face, geometry), geometry)


def _arrays(face: str, g: Geometry) -> Arrays:
    return Arrays(AXES, MADE_OF[face], face, g.n)


contraction = primitive(
    "jaxcnn_contraction", _shape, _lower, _batch, platforms=names(), lies=_lies, divide=_divide
)  # fmt: skip
bilinear(contraction, _transpose)
