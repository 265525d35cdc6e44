"""Arrays on their way in: checked, and surrounded by padding."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._geometry import Pair, is_sequence, refuse, require
from jaxcnn._symbolic import at_least, is_symbolic, larger

MODES = ("constant", "reflect", "replicate", "circular", "symmetric")

# Kinds of number, each of which holds those before it.
_KINDS = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)


def as_array(function: str, argument: str, value: Any) -> jax.Array:
    """`value` as a JAX array, or a TypeError in our voice for what is none."""
    if isinstance(value, jax.Array):
        return value
    if not hasattr(value, "dtype") and not isinstance(value, bool | int | float | complex | list | tuple):
        raise TypeError(refuse(function, argument, f"must be an array, not {type(value).__name__}"))
    return jnp.asarray(value)


def spatial_shape(function: str, x: jax.Array, n: int) -> tuple[int, ...]:
    """The last n sides of x."""
    if x.ndim < n:
        problem = f"has shape {x.shape}, but the window has {n} axes"
        raise ValueError(refuse(function, "x", problem, f"pass an array of at least {n} axes"))
    return tuple(x.shape[x.ndim - n :])


def accumulator(dtype: Any) -> Any:
    """The dtype in which sums of `dtype` are kept: float32 for the half precisions, else itself."""
    return jnp.dtype(jnp.float32 if dtype in (jnp.bfloat16, jnp.float16) else dtype)


def zero_pad(x: jax.Array, padding: Sequence[Pair]) -> jax.Array:
    """x with zeros around its last len(padding) axes; a negative pad crops."""
    return _constant_pad(x, padding, jnp.zeros((), x.dtype))


def crop(x: jax.Array, padding: Sequence[Pair]) -> jax.Array:
    """The adjoint of `zero_pad`: what that put on is cut off, and what that cut off is zeros."""
    return zero_pad(x, [(-low, -high) for low, high in padding])


def pad(
    function: str, x: jax.Array, padding: Sequence[Pair], mode: Any = "constant", fill: Any = None, identity: Any = 0
) -> jax.Array:
    """x with padding of any mode around its last len(padding) axes; a negative pad crops first.

    1234 -> constant 001234000, reflect 321234321, replicate 111234444, circular 341234123, symmetric 211234432

    A fill of None was not given: `identity` stands in for it.
    """
    modes = padding_modes(function, mode, len(padding))
    if modes and "constant" not in modes and fill is not None:
        problem = f"is given, but padding_mode {modes[0]!r} takes its cells from the map"
        raise ValueError(refuse(function, "fill", problem, "drop fill, or use padding_mode='constant'"))
    cell = jnp.asarray(identity, x.dtype) if fill is None else _checked_fill(function, x, fill)
    _refuse_uneven_division(function, x, padding)
    for axis, (name, (low, high)) in enumerate(zip(modes, padding, strict=True)):
        if name != "constant" and (low or high):
            x = _map_pad(function, x, axis - len(padding), low, high, name)
    left = [pair if name == "constant" else (0, 0) for name, pair in zip(modes, padding, strict=True)]
    return _differentiable_pad(x, left, cell) if isinstance(fill, jax.Array) else _constant_pad(x, left, cell)


def _refuse_uneven_division(function: str, x: jax.Array, padding: Sequence[Pair]) -> None:
    """An axis whose type says that devices divide it has to be divided by them with its padding too."""
    sharding = jax.typeof(x).sharding
    for axis, (pair, division) in enumerate(zip(padding, sharding.spec[x.ndim - len(padding) :], strict=True)):
        if division is None or pair == (0, 0):
            continue
        padded, devices = x.shape[axis - len(padding)] + sum(pair), math.prod(
            sharding.mesh.shape[name] for name in (division if isinstance(division, tuple) else (division,))
        )  # fmt: skip
        if padded % devices:
            problem = f"makes {padded} cells of spatial axis {axis}, which {devices} devices along {division!r} divide"
            remedy = "reshard x so that this axis is whole, or give the mesh AxisType.Auto, where XLA divides it"
            raise ValueError(refuse(function, "padding", problem, remedy))


def none_if_zero(fill: Any) -> Any:
    """None for the literal 0 that is the default of a `fill`, so that it is told from one that was given."""
    return None if isinstance(fill, int) and fill == 0 else fill


def padding_modes(function: str, mode: Any, n: int) -> tuple[str, ...]:
    """One mode for all n axes, or one per axis, as a tuple of n names."""
    modes = tuple(mode) if is_sequence(mode) else (mode,) * n
    if len(modes) != n:
        problem = f"has {len(modes)} entries, but there are {n} spatial axes"
        raise ValueError(refuse(function, "padding_mode", problem, f"pass one mode, or a tuple of {n}"))
    for name in modes:
        if name not in MODES:
            raise ValueError(
                refuse(function, "padding_mode", f"{name!r} is unknown", f"use {', '.join(map(repr, MODES))}")
            )
    return modes


def _checked_fill(function: str, x: jax.Array, fill: Any) -> jax.Array:
    """A scalar fill in the dtype of x, if that can hold it."""
    cell = as_array(function, "fill", fill)
    if cell.ndim:
        raise ValueError(refuse(function, "fill", f"has shape {cell.shape}, but must be a scalar"))
    kind_of_fill, kind_of_x = ([jnp.issubdtype(a.dtype, kind) for kind in _KINDS].index(True) for a in (cell, x))
    limits = jnp.iinfo(x.dtype) if jnp.issubdtype(x.dtype, jnp.integer) else None  # type: ignore[no-untyped-call]
    known = isinstance(fill, int | np.integer)
    if kind_of_fill > kind_of_x or (limits and known and not limits.min <= fill <= limits.max):
        shown = fill if known else cell.dtype
        problem = f"is {shown}, which x ({x.dtype}) cannot hold"
        raise TypeError(refuse(function, "fill", problem, "convert x first"))
    return cell.astype(x.dtype)


def _constant_pad(x: jax.Array, padding: Sequence[Pair], fill: jax.Array) -> jax.Array:
    if not any(low or high for low, high in padding):
        return x
    return lax.pad(x, fill, [(0, 0, 0)] * (x.ndim - len(padding)) + [(low, high, 0) for low, high in padding])


def _differentiable_pad(x: jax.Array, padding: Sequence[Pair], fill: jax.Array) -> jax.Array:
    """With a gradient in fill: the sum over the padding. JAX's own is what the map leaves of the sum over everything,
    which rounds, and fails where there is none in x (0.10.2)."""
    if not any(low or high for low, high in padding):
        return x
    padded, on_map = zero_pad(x, padding), zero_pad(jnp.ones(x.shape[x.ndim - len(padding) :], bool), padding)
    return jnp.where(jnp.broadcast_to(on_map, padded.shape), padded, fill)


def _map_pad(function: str, x: jax.Array, axis: int, low: Any, high: Any, mode: str) -> jax.Array:
    """Pad one axis with cells of the map."""
    first, last = larger(-low, 0), x.shape[axis] - larger(-high, 0)
    if is_symbolic(first, last):
        problem = f"({low}, {high}) leaves {last - first} cells for {mode!r} to repeat"
        require(function, "padding", problem, last - first, 1)
    elif last <= first:
        problem = f"({low}, {high}) leaves none of the {x.shape[axis]} cells that {mode!r} could repeat"
        raise ValueError(refuse(function, "padding", problem, "crop less, or use padding_mode='constant'"))
    x, low, high = lax.slice_in_dim(x, first, last, axis=axis), larger(low, 0), larger(high, 0)
    size, own = x.shape[axis], 1 if mode == "reflect" else 0  # the border's own cell is not repeated
    if mode == "replicate":
        ends = (lax.slice_in_dim(x, at, at + 1, axis=axis) for at in (0, size - 1))
        before, after = (
            jnp.broadcast_to(end, (*x.shape[:axis], wide, *x.shape[x.ndim + axis + 1 :]))
            for end, wide in zip(ends, (low, high), strict=True)
        )
    elif not at_least(size - own, larger(low, high)):  # the map is repeated more than once
        place = _place(jnp.arange(-low, size + high, dtype=jnp.int32), size, mode)
        repeated: jax.Array = jnp.take(x, place, axis, mode="clip")
        return repeated
    elif mode == "circular":
        before, after = lax.slice_in_dim(x, size - low, size, axis=axis), lax.slice_in_dim(x, 0, high, axis=axis)
    else:
        before = jnp.flip(lax.slice_in_dim(x, own, own + low, axis=axis), axis)
        after = jnp.flip(lax.slice_in_dim(x, size - own - high, size - own, axis=axis), axis)
    return lax.concatenate([part for part in (before, x, after) if part.shape[axis] != 0], x.ndim + axis)


def _place(cell: jax.Array, size: Any, mode: str) -> jax.Array:
    """Which cell of a map of `size` stands at a place before it, on it or behind it."""
    if mode == "circular":
        around: jax.Array = cell % size
        return around
    back = 2 * size - 1 if mode == "symmetric" else 2 * size - 2  # where cell 0 stands again, on the way back
    cell = cell % (back + 1 if mode == "symmetric" else larger(back, 1))
    there_or_back: jax.Array = jnp.minimum(cell, back - cell)
    return there_or_back
