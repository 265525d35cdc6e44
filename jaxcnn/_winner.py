"""The first winner of each window along one axis, and where its gradient goes: to that cell, whole."""

import functools
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._primitives import linear_pair, primitive
from jaxcnn._windows import overlap, overlap_padding, tap_slices


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def first_winner(x: jax.Array, axis: int, g: Geometry, combine: Callable[..., Any]) -> jax.Array:
    """The padded x reduced along one axis by `combine`, which keeps its first argument at a tie."""
    winner: jax.Array = functools.reduce(combine, ((seen,) for seen in tap_slices(x, axis, g)))[0]
    return winner


@first_winner.defjvp
def _(axis: int, g: Geometry, combine: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    seen = tap_slices(primals[0], axis, g)
    taps = (jnp.full(seen[0].shape, tap, jnp.int8) for tap in range(len(seen)))
    value, tap = functools.reduce(combine, zip(seen, taps, strict=True))
    return value, pick.bind(tangents[0], tap, axis=axis, laid=g)


# Given the tap that won in each window, the cell it saw, and the adjoint of that. JAX's own adjoint of a slice is a
# padding for each tap, which XLA computes cell by cell: for windows of 5x5 the gradient takes 25 ms so, 5 by shifts.


def _pick(x: jax.Array, tap: jax.Array, *, axis: int, laid: Geometry, platform: str) -> jax.Array:
    seen = (jnp.where(tap == i, cells, 0) for i, cells in enumerate(tap_slices(x, axis, laid)))
    return functools.reduce(operator.add, seen)


def _drop(y: jax.Array, tap: jax.Array, *, axis: int, laid: Geometry, platform: str) -> jax.Array:
    a, at = laid.axes[axis], y.ndim - laid.n + axis
    around = overlap_padding(a, at, y.ndim)
    y, tap = lax.pad(y, jnp.zeros((), y.dtype), around), lax.pad(tap, jnp.int8(-1), around)
    return overlap(lambda i: jnp.where(tap == i, y, 0), a, at)


def _picked(x: Any, tap: Any, **_: Any) -> Any:
    return tap.shape, x.dtype


def _dropped(y: Any, tap: Any, *, axis: int, laid: Geometry) -> Any:
    at = y.ndim - laid.n + axis
    return (*y.shape[:at], laid.axes[axis].padded, *y.shape[at + 1 :]), y.dtype


pick = primitive("jaxcnn_pick", _picked, _pick)
drop = primitive("jaxcnn_drop", _dropped, _drop)
linear_pair(pick, drop)
