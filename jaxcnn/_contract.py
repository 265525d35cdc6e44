"""Windows contracted with kernels: one primitive with three faces, which are each other's derivatives.

The sum of y * conv(x, kernel) is linear in each of three arrays. Given two of them, its derivative in the third is the
correlation (face "y"), its adjoint in x (face "x") or its adjoint in the kernel (face "kernel"). So the gradient of a
face is another face: reverse, forward and second order all stay within the three, each with a way of its own.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._geometry import Geometry, refuse
from jaxcnn._padding import accumulator, none_if_zero, pad
from jaxcnn._primitives import alike, bilinear, primitive
from jaxcnn._ways.choose import WAYS, check_method, choose
from jaxcnn._ways.reshape import alone, by_blocks_of_samples, by_blocks_of_the_stride, by_mirror, by_strips

# What each face is made of, in order, and the axes of each array before the spatial ones.
MADE_OF = {"y": ("x", "kernel"), "x": ("y", "kernel"), "kernel": ("x", "y")}
AXES = {"x": ("samples", "group", "in"), "kernel": ("group", "out", "in"), "y": ("samples", "group", "out")}


def contract(
    function: str, x: jax.Array, kernel: jax.Array, g: Geometry, *, padding_mode: Any = "constant", fill: Any = 0,
    groups: int = 1, method: str = "auto", precision: Any = None, preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """(samples, in_channels, *spatial) with (out_channels, in_channels // groups, *window) to
    (samples, out_channels, *out)."""
    fill = none_if_zero(fill)
    if padding_mode != "constant" or fill is not None:  # zeros are left to the ways, which may have them for nothing
        x, g = pad(function, x, g.padding, padding_mode, fill), g.unpadded()
    return _of_groups("y", function, x, kernel, g, groups, method, precision, preferred_element_type)


def contract_transposed(
    function: str, y: jax.Array, kernel: jax.Array, g: Geometry, *, groups: int = 1, method: str = "auto",
    precision: Any = None, preferred_element_type: Any = None,
) -> jax.Array:  # fmt: skip
    """The adjoint in x: (samples, out_channels, *out) to (samples, in_channels, *spatial)."""
    return _of_groups("x", function, y, kernel, g, groups, method, precision, preferred_element_type)


def _of_groups(
    face: str, function: str, array: jax.Array, kernel: jax.Array, g: Geometry, groups: int,
    method: str, precision: Any, preferred_element_type: Any,
) -> jax.Array:  # fmt: skip
    """Bind the primitive, whose arrays have an axis for the groups."""
    dtype = jnp.result_type(array, kernel)
    check_method(function, method, dtype)
    array = array.reshape(array.shape[0], groups, array.shape[1] // groups, *array.shape[2:])
    kernel = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    made: jax.Array = contraction.bind(
        *alike(array.astype(dtype), kernel.astype(dtype)), face=face, geometry=g, method=method, precision=precision,
        dtype=jnp.dtype(result_dtype(function, dtype, preferred_element_type)),
    )  # fmt: skip
    return made.reshape(made.shape[0], made.shape[1] * made.shape[2], *made.shape[3:])


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
    sizes = _sizes(face, a, b)
    spatial = {"x": geometry.size, "y": geometry.out, "kernel": geometry.window}[face]
    return (*(sizes[name] for name in AXES[face]), *spatial), dtype


def _lower(
    a: jax.Array, b: jax.Array, *, on_cpu: bool, face: str, geometry: Geometry, method: str, dtype: Any, precision: Any
) -> jax.Array:
    """What a platform computes: the contraction made easier, by the way named or chosen, each group by itself."""
    sides, _ = _shape(a, b, face=face, geometry=geometry, dtype=dtype)
    if 0 in (*a.shape, *b.shape, *sides):
        return jnp.zeros(sides, dtype)

    def by_a_way(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
        sizes = _sizes(face, a, b)
        way = WAYS[choose(face, g, sizes, dtype, on_cpu=on_cpu) if method == "auto" else method]

        def cells(face: str, g: Geometry) -> int:
            return sizes["group"] * way.cells(face, g, sizes["in"], sizes["out"])

        def by_groups(face: str, a: jax.Array, b: jax.Array, g: Geometry) -> jax.Array:
            one_group = partial(getattr(way, face), g=g, dtype=accumulator(dtype), precision=precision)
            (at_a, at_b), at = [AXES[role].index("group") for role in MADE_OF[face]], AXES[face].index("group")
            if sizes["group"] == 1:
                return jnp.expand_dims(one_group(a.squeeze(at_a), b.squeeze(at_b)), at)
            each: jax.Array = jax.vmap(one_group, (at_a, at_b), at)(a, b)
            return each

        in_pieces = by_strips(by_blocks_of_samples(by_groups, cells), cells)
        return (alone(in_pieces) if way.alone and on_cpu else in_pieces)(face, a, b, g)

    easier = by_mirror(by_a_way)
    if on_cpu if method == "auto" else WAYS[method].in_blocks:
        easier = by_blocks_of_the_stride(easier)
    made: jax.Array = easier(face, a, b, geometry).astype(dtype)
    return made


def _sizes(face: str, a: Any, b: Any) -> dict[str, int]:
    """How many samples, groups, in_channels and out_channels there are."""
    sizes: dict[str, int] = {}
    for role, array in zip(MADE_OF[face], (a, b), strict=True):
        sizes |= zip(AXES[role], array.shape[:3], strict=True)
    return sizes


def _transpose(cotangent: Any, a: Any, b: Any, *, at: int, face: str, dtype: Any, **params: Any) -> Any:
    """The cotangent of operand `at` is the face that makes it, of the face's own cotangent and the other operand."""
    wanted, other = MADE_OF[face][at], MADE_OF[face][1 - at]
    given = {face: cotangent, other: (b, a)[at]}
    return contraction.bind(
        *(given[role] for role in MADE_OF[wanted]), face=wanted, dtype=(a, b)[at].aval.dtype, **params
    )


def _batch(arrays: Any, dims: Any, *, face: str, **params: Any) -> Any:
    """A mapped axis becomes part of the groups if both operands have it, else of the one axis that the other lacks."""
    roles = MADE_OF[face]
    if None not in dims:
        name = "group"
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


contraction = primitive("jaxcnn_contraction", _shape, _lower, _batch)
bilinear(contraction, _transpose)
