"""Reduces a whole axis, which several devices may divide: sums, and the first winner with its gradient."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from jaxcnn._arrays import devices_along
from jaxcnn._primitives import differentiated_as, primitive
from jaxcnn._symbolic import is_symbolic


def sum_along(x: jax.Array, axis: int) -> jax.Array:
    """Sum pairs of neighbours, then pairs of sums: it rounds less than a running sum, and many devices divide it."""
    at = axis % x.ndim
    size = x.shape[at]
    if is_symbolic(size):
        return jnp.sum(x, at, dtype=x.dtype)
    blocks = math.gcd(size, math.lcm(64, devices_along(x, at)[0]))
    x = x.reshape(*x.shape[:at], blocks, size // blocks, *x.shape[at + 1 :])
    while x.shape[at + 1] > 1:
        size = x.shape[at + 1]
        even, odd = (lax.slice_in_dim(x, i, size - size % 2, 2, at + 1) for i in (0, 1))
        x = lax.concatenate([even + odd, lax.slice_in_dim(x, size - size % 2, size, axis=at + 1)], at + 1)
    return jnp.sum(x, (at, at + 1), dtype=x.dtype)


def _best(x: jax.Array, *, axis: int, lowest: bool, platform: str = "") -> jax.Array:
    best: jax.Array = (lax.reduce_min if lowest else lax.reduce_max)(x, (x.ndim + axis,))
    return best


def first_place(x: jax.Array, axis: int, lowest: bool) -> jax.Array:
    """The place of the first winner along an axis, or of the first NaN."""
    won = (x == jnp.expand_dims(_best(x, axis=axis, lowest=lowest), axis)) | (x != x)
    return jnp.min(jnp.where(won, _taps(x, axis), 2**31 - 1), axis, keepdims=True)


def cell_at(tap: jax.Array, x: jax.Array, axis: int) -> jax.Array:
    """The cell of x at place `tap` along an axis."""
    return jnp.sum(jnp.where(_taps(x, axis) == tap, x, jnp.zeros((), x.dtype)), axis, dtype=x.dtype)


def _taps(x: jax.Array, axis: int) -> jax.Array:
    return lax.broadcasted_iota(jnp.int32, x.shape, x.ndim + axis)


def _with_gradient(x: jax.Array, *, axis: int, lowest: bool) -> jax.Array:
    """The same value as `_best`; its whole gradient goes to the first winner."""
    return cell_at(first_place(x, axis, lowest), x, axis)


def _without(entries: Any, axis: int) -> tuple[Any, ...]:
    return (*entries[:axis], *entries[len(entries) + axis + 1 :])


best_along = primitive(
    "jaxcnn_best_along", lambda x, axis, **_: (_without(x.shape, axis), x.dtype), _best,
    result_spec=lambda x, axis, **_: PartitionSpec(*_without(x.sharding.spec, axis)),
)  # fmt: skip
differentiated_as(best_along, _with_gradient)
