"""Reads array arguments, and answers questions about their dtype, spatial shape and sharding."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._errors import message


def as_array(function: str, argument: str, value: Any) -> jax.Array:
    """`value` as a JAX array, or a TypeError for something else or a dtype that cannot be computed with."""
    if not hasattr(value, "dtype") and not isinstance(value, bool | int | float | complex | list | tuple):
        raise TypeError(message(function, argument, f"must be an array, not {type(value).__name__}"))
    if isinstance(value, jax.Array | np.ndarray) and (lack := lack_of(value.dtype)):
        raise TypeError(message(function, argument, f"is {value.dtype}, {lack}", "convert it to float32"))
    return value if isinstance(value, jax.Array) else jnp.asarray(value)


@functools.cache
def lack_of(dtype: Any) -> str:
    """Why a dtype cannot be computed with, in words; empty if it can."""
    if jnp.issubdtype(dtype, jnp.integer):  # XLA takes int1 for bool, and aborts where it pads int2 (jaxlib 0.10.2)
        return "of fewer than 4 bits" if jnp.iinfo(dtype).bits < 4 else ""  # type: ignore[no-untyped-call]
    if not jnp.issubdtype(dtype, jnp.floating) or (info := float_info(dtype)).bits > 8:
        return ""
    if float(info.min) > 0:
        return "which has no zero"
    try:
        with jax.ensure_compile_time_eval():
            jnp.zeros((), dtype)
    except jax.errors.JaxRuntimeError:
        return f"of which XLA has no arrays on {jax.default_backend()}"
    return ""


def common_dtype(function: str, **arrays: jax.Array) -> Any:
    """The dtype to which JAX promotes these arrays, or a TypeError if it does not."""
    try:
        return jnp.result_type(*arrays.values())
    except jax.dtypes.TypePromotionError:
        (first, *_), dtypes = arrays, [str(array.dtype) for array in arrays.values()]
        problem = f"is {dtypes[0]}, and the other operand is {dtypes[1]}, which JAX does not promote to one dtype"
        raise TypeError(message(function, first, problem, "convert one of them")) from None


def spatial_shape(function: str, x: jax.Array, n: int) -> tuple[int, ...]:
    """The last n sizes of x."""
    if x.ndim < n:
        problem = f"has shape {x.shape}, but the window has {n} axes"
        raise ValueError(message(function, "x", problem, f"pass an array of at least {n} axes"))
    return tuple(x.shape[x.ndim - n :])


# A trace of `a * b` takes five times as long as one of lax's functions, which have no numbers to promote; but `lax.mul`
# and `lax.add` refuse booleans.


def times(a: jax.Array, b: jax.Array) -> jax.Array:
    """a * b of arrays that have one shape and dtype; `and` of booleans."""
    return lax.bitwise_and(a, b) if a.dtype == bool else lax.mul(a, b)


def plus(a: jax.Array, b: jax.Array) -> jax.Array:
    """a + b of arrays that have one shape and dtype; `or` of booleans."""
    return lax.bitwise_or(a, b) if a.dtype == bool else lax.add(a, b)


def accumulator(dtype: Any) -> Any:
    """The dtype in which to sum: float32 for narrower floats, int32 for integers narrower than a byte."""
    if jnp.issubdtype(dtype, jnp.floating) and float_info(dtype).bits < 32:
        return jnp.dtype(jnp.float32)
    return jnp.dtype(jnp.int32 if is_below_a_byte(dtype) else dtype)


def float_info(dtype: Any) -> Any:
    return jnp.finfo(dtype)  # type: ignore[no-untyped-call]


def is_below_a_byte(dtype: Any) -> bool:
    """Whether a dtype holds integers narrower than a byte, with which not every XLA backend computes."""
    return jnp.issubdtype(dtype, jnp.integer) and jnp.iinfo(dtype).bits < 8  # type: ignore[no-untyped-call]


def devices_along(x: jax.Array, axis: int) -> tuple[int, Any]:
    """The number of devices that divide an axis according to the type of x, and the mesh axes."""
    sharding = jax.typeof(x).sharding
    division = sharding.spec[axis]
    names = division if isinstance(division, tuple) else () if division is None else (division,)
    return math.prod(sharding.mesh.shape[name] for name in names), division
