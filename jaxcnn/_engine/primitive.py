"""What JAX has to know of a contraction: one primitive, from two of three arrays to the one that is wanted.

The gradient of a contraction is another one: reverse, forward and second order all stay within the three, and each of
them is planned by itself, for the platform that the program is lowered for.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._arrays import common_dtype, devices_along
from jaxcnn._devices import Arrays, divided, result_spec
from jaxcnn._engine.plan import carry_out, check_method, plan
from jaxcnn._engine.platforms import names
from jaxcnn._engine.problem import AXES, MADE_OF, Problem, configured_precision
from jaxcnn._errors import message
from jaxcnn._geometry import Geometry
from jaxcnn._padding import Border, bordered, none_if_zero, with_border, zeros
from jaxcnn._primitives import alike, bilinear, linear_pair, primitive, resharded_like

_DIVIDE_GROUPS = "reshard so that the devices divide the groups, or give the mesh AxisType.Auto, where XLA divides them"


def contract(
    function: str, x: jax.Array, kernel: jax.Array, g: Geometry, *, padding_mode: Any = "constant", fill: Any = 0,
    groups: int = 1, method: str = "auto", precision: Any = None, preferred_element_type: Any = None,
    channels_last: bool = False,
) -> jax.Array:  # fmt: skip
    """(*samples, in_channels, *spatial) with (out_channels, in_channels // groups, *window) to
    (*samples, out_channels, *out).

    `channels_last` says that the arrays are transposed from that layout, and the result will be transposed back to it.
    """
    x, g, border = with_border(function, x, g, padding_mode, none_if_zero(fill), is_linear=True)
    options = method, precision, preferred_element_type, channels_last
    return _of_groups("y", function, x, kernel, g, border, groups, *options)


def contract_transposed(
    function: str, y: jax.Array, kernel: jax.Array, g: Geometry, *, groups: int = 1, method: str = "auto",
    precision: Any = None, preferred_element_type: Any = None, channels_last: bool = False,
) -> jax.Array:  # fmt: skip
    """The adjoint in x: (*samples, out_channels, *out) to (*samples, in_channels, *spatial)."""
    options = method, precision, preferred_element_type, channels_last
    return _of_groups("x", function, y, kernel, g, zeros(g.n), groups, *options)


def contract_for_kernel(
    function: str, x: jax.Array, y: jax.Array, g: Geometry, *, groups: int = 1, precision: Any = None,
    preferred_element_type: Any = None, channels_last: bool = False,
) -> jax.Array:  # fmt: skip
    """The adjoint in the kernel: (*samples, in_channels, *spatial) with (*samples, out_channels, *out) to
    (out_channels, in_channels // groups, *window)."""
    options = "auto", precision, preferred_element_type, channels_last
    return _of_groups("kernel", function, x, y, g, zeros(g.n), groups, *options)


def _of_groups(
    wanted: str, function: str, a: jax.Array, b: jax.Array, g: Geometry, border: Border, groups: int,
    method: str, precision: Any, preferred_element_type: Any, channels_last: bool,
) -> jax.Array:  # fmt: skip
    """Bind the primitive, whose arrays have an axis for the groups."""
    dtype = common_dtype(function, **dict(zip(MADE_OF[wanted][::-1], (b, a), strict=True)))
    check_method(function, method, dtype)
    a, b = (
        _with_groups(function, role, _wide_kernel(role, array.astype(dtype)), g.n, groups)
        for role, array in zip(MADE_OF[wanted], (a, b), strict=True)
    )
    if precision is None:  # what is configured where a function is traced, not where its program is lowered
        precision = configured_precision()
    made: jax.Array = contraction.bind(
        *alike(a, b), wanted=wanted, geometry=g, border=border, method=method, precision=precision,
        channels_last=channels_last,
        dtype=jnp.dtype(result_dtype(function, dtype, preferred_element_type)),
    )  # fmt: skip
    at = _groups_at(wanted, made.ndim - 1, g.n)
    devices, division = devices_along(made, at + 1)
    if groups > 1 and devices > 1:
        problem = f"is {groups}, but {devices} devices along {division!r} divide the channels of each group"
        raise ValueError(message(function, "groups", problem, _DIVIDE_GROUPS))
    return made.reshape(*made.shape[:at], made.shape[at] * made.shape[at + 1], *made.shape[at + 2 :])


def _wide_kernel(role: str, array: jax.Array) -> jax.Array:
    """A bfloat16 kernel as float32, whose gradient is rounded last of all, where XLA may drop that (`_narrow`)."""
    wide: jax.Array = widened.bind(array) if role == "kernel" and array.dtype == jnp.bfloat16 else array
    return wide


def _groups_at(role: str, rank: int, n: int) -> int:
    """The axis of an array that has one for the channels of all groups."""
    return 0 if role == "kernel" else rank - n - 1


def _with_groups(function: str, role: str, array: jax.Array, n: int, groups: int) -> jax.Array:
    """The channels of an array as groups of channels."""
    at = _groups_at(role, array.ndim, n)
    devices, division = devices_along(array, at)
    if groups > 1 and groups % devices:
        problem = f"is {groups}, but {devices} devices along {division!r} divide the {array.shape[at]} channels"
        raise ValueError(message(function, "groups", problem, _DIVIDE_GROUPS))
    return array.reshape(*array.shape[:at], groups, array.shape[at] // groups, *array.shape[at + 1 :])


def result_dtype(function: str, dtype: Any, preferred: Any) -> Any:
    """The dtype preferred, if it can hold sums of `dtype` by lax's rule; None is `dtype` itself."""
    if preferred is None:
        return dtype
    try:
        preferred = jnp.dtype(preferred)
    except TypeError:
        problem = f"is {preferred!r}, which is no dtype"
        raise TypeError(message(function, "preferred_element_type", problem, "pass e.g. jnp.float32")) from None
    kinds = [jnp.integer, jnp.floating, jnp.complexfloating]
    kept = all(jnp.issubdtype(preferred, kind) for kind in kinds if jnp.issubdtype(dtype, kind))
    signed = jnp.issubdtype(dtype, jnp.signedinteger) <= jnp.issubdtype(preferred, jnp.signedinteger)
    widened = jnp.issubdtype(dtype, jnp.integer) and jnp.issubdtype(preferred, jnp.floating)
    if not (widened or (kept and signed)) or preferred.itemsize < jnp.dtype(dtype).itemsize:
        problem = f"is {preferred}, which does not hold sums of {jnp.dtype(dtype)}"
        raise TypeError(message(function, "preferred_element_type", problem, "pass a wider dtype of the same kind"))
    return preferred


# The primitive -------------------------------------------------------------------------------------------------------


def _shape(a: Any, b: Any, *, wanted: str, geometry: Geometry, dtype: Any, **_: Any) -> Any:
    samples, flat = _flat(wanted, geometry, a, b)
    return _with_samples(wanted, Problem.of(wanted, geometry, flat[0], flat[1], dtype).shape(wanted), samples), dtype


def problem_of(
    a: Any, b: Any, *, wanted: str, geometry: Geometry, border: Border, dtype: Any, precision: Any, platform: str,
    channels_last: bool, **_: Any,
) -> Problem:  # fmt: skip
    """What is asked for: padding of zeros is left to the algorithms, which may have them for nothing."""
    g = geometry if border.is_zero else geometry.unpadded()
    flat = _flat(wanted, geometry, a, b)[1]
    facts = {"precision": precision, "platform": platform, "channels_last": channels_last}
    problem = Problem.of(wanted, g, flat[0], flat[1], dtype, **facts)
    return problem if platform == "cpu" or problem.dtypes[0] != jnp.bfloat16 else _narrow_kernel(problem)


def _narrow_kernel(problem: Problem) -> Problem:
    """Only a CPU computes with wide kernels: other platforms have products of bfloat16."""
    if problem.wanted != "kernel":
        return problem.but(dtypes=(jnp.bfloat16, jnp.bfloat16))
    return problem.but(dtype=problem.dtypes[1])


def _flat(wanted: str, g: Geometry, a: Any, b: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """The sides of the samples, and both operands with one axis for all of them."""
    samples: tuple[Any, ...] = ()
    flat = []
    for role, array in zip(MADE_OF[wanted], (a, b), strict=True):
        if role != "kernel":
            samples = array.shape[: array.ndim - g.n - 2]
            shape = (math.prod(samples), *array.shape[len(samples) :])
            if len(samples) != 1:
                array = (
                    array.reshape(shape) if isinstance(array, jax.Array) else jax.ShapeDtypeStruct(shape, array.dtype)
                )
        flat.append(array)
    return samples, flat


def _with_samples(wanted: str, shape: tuple[Any, ...], samples: tuple[Any, ...]) -> tuple[Any, ...]:
    return shape if wanted == "kernel" else (*samples, *shape[1:])


def _lower(a: jax.Array, b: jax.Array, *, method: str, wanted: str, border: Border, **params: Any) -> jax.Array:
    g, dtype = params["geometry"], params["dtype"]
    samples, (a, b) = _flat(wanted, g, a, b)
    problem = problem_of(a, b, wanted=wanted, border=border, **params)
    a, b = (array.astype(own) for array, own in zip((a, b), problem.dtypes, strict=True))
    whole = _with_samples(wanted, problem.but(geometry=g).shape(wanted), samples)
    if 0 in (*a.shape, *b.shape, *whole):
        return jnp.zeros(whole, dtype)
    if border.is_zero:
        made = carry_out(plan(problem, method), a, b)
    elif wanted != "x":
        made = carry_out(plan(problem, method), bordered(a, g, border), b)
    else:
        padded = carry_out(plan(problem, method), a, b)
        like = jax.ShapeDtypeStruct((*padded.shape[:3], *g.size), padded.dtype)
        (made,) = jax.linear_transpose(partial(bordered, g=g, border=border.of_tangents()), like)(padded)
    return made.reshape(whole).astype(dtype)


def _transpose(cotangent: Any, a: Any, b: Any, *, at: int, wanted: str, dtype: Any, **params: Any) -> Any:
    """The cotangent of operand `at` is a contraction too, of the result's cotangent and the other operand."""
    role, other = MADE_OF[wanted][at], MADE_OF[wanted][1 - at]
    given = {wanted: cotangent, other: (b, a)[at]}
    aval = (a, b)[at].aval
    made = contraction.bind(*(given[each] for each in MADE_OF[role]), wanted=role, dtype=aval.dtype, **params)
    return resharded_like(made, aval)


def _batch(arrays: Any, dims: Any, *, wanted: str, **params: Any) -> Any:
    """A mapped axis becomes one more of samples, if the kernel does not have it; one of the groups, if all three arrays
    have it; else part of the one axis of channels that the other operand lacks."""
    roles, n = MADE_OF[wanted], params["geometry"].n
    if "kernel" in roles and dims[roles.index("kernel")] is None:
        front = [array if dim is None else jnp.moveaxis(array, dim, 0) for array, dim in zip(arrays, dims, strict=True)]
        return contraction.bind(*front, wanted=wanted, **params), 0
    samples = arrays[0].ndim - (dims[0] is not None) - n - 2  # the first operand always has them
    if None not in dims:
        name = "groups"
    else:
        mapped, other = roles if dims[1] is None else roles[::-1]
        (name,) = set(AXES[mapped]) & set(AXES[wanted]) - set(AXES[other])

    def position(role: str) -> int:
        return AXES[role].index(name) + (0 if role == "kernel" else int(samples) - 1)

    size, side = next(
        (array.shape[dim], [*array.shape[:dim], *array.shape[dim + 1 :]][position(role)])
        for array, dim, role in zip(arrays, dims, roles, strict=True)
        if dim is not None
    )
    merged = [
        array if dim is None else _merge(array, dim, position(role))
        for array, dim, role in zip(arrays, dims, roles, strict=True)
    ]
    made, at = contraction.bind(*merged, wanted=wanted, **params), position(wanted)
    return made.reshape(*made.shape[:at], size, side, *made.shape[at + 1 :]), at


def _merge(array: jax.Array, dim: int, at: int) -> jax.Array:
    array = jnp.moveaxis(array, dim, at)
    return array.reshape(*array.shape[:at], array.shape[at] * array.shape[at + 1], *array.shape[at + 2 :])


def _spec(a: Any, b: Any, *, wanted: str, geometry: Geometry, border: Border, **_: Any) -> Any:
    return result_spec(_arrays(wanted, geometry, a.ndim), geometry, (a, b), (border,))


def _divide(on_a_device: Any, ranks: Any, *, wanted: str, geometry: Geometry, border: Border, **params: Any) -> Any:
    def local(g: Geometry, _: Any, a: jax.Array, b: jax.Array) -> Any:
        return on_a_device(a, b, wanted=wanted, geometry=g, border=border, **params)

    borders = [border if role == "x" else None for role in MADE_OF[wanted]]
    around = border if wanted == "x" else None
    return divided(local, _arrays(wanted, geometry, ranks[0]), geometry, borders, around)


def _arrays(wanted: str, g: Geometry, rank: int) -> Arrays:
    """`rank` is that of the first operand, which has the samples."""
    samples = tuple(f"samples{axis}" for axis in range(rank - g.n - 2))
    axes = {role: (*samples, *names[1:]) if role != "kernel" else names for role, names in AXES.items()}
    return Arrays(axes, MADE_OF[wanted], wanted, g.n)


def _narrow(x: jax.Array, *, platform: str) -> jax.Array:
    """float32 as bfloat16.

    XLA on a CPU rounds where a program converts, but adds bfloat16 in float32, and drops the rounding behind that where
    a conversion to float32 comes next. So a layer in bfloat16 gives its float32 kernel the gradient 8.56922, as lax's
    does, where a conversion gives 8.5625.
    """
    high = x.astype(jnp.bfloat16)
    if platform != "cpu":
        return high
    return high + jnp.where(jnp.isfinite(high), x - high.astype(x.dtype), 0.0).astype(jnp.bfloat16)


widened = primitive(
    "jaxcnn_widened", lambda x: (x.shape, jnp.dtype("float32")), lambda x, platform: x.astype(jnp.float32)
)
narrowed = primitive("jaxcnn_narrowed", lambda x: (x.shape, jnp.dtype(jnp.bfloat16)), _narrow, platforms=names())
linear_pair(widened, narrowed)

contraction = primitive(
    "jaxcnn_contraction", _shape, _lower, _batch, platforms=names(), result_spec=_spec, divide=_divide
)  # fmt: skip
bilinear(contraction, _transpose)
