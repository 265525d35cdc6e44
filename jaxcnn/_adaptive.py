"""Pooling to a given output size: the windows follow from the map."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._geometry import axes_of, integer, refuse
from jaxcnn._padding import accumulator, as_array, spatial_shape
from jaxcnn._reduce import (
    Cells,
    Combine,
    add,
    beside,
    first_max,
    first_min,
    places,
    reduce_axis,
    refuse_bool_sum,
    refuse_complex,
)
from jaxcnn._remember import remembered

MODES: dict[str, Combine] = {"max": first_max, "min": first_min, "mean": add, "sum": add}


@remembered("x")
def adaptive_pool(x: jax.Array, output_size: Sequence[int | None], mode: str) -> jax.Array:
    """Pool the last n axes of x to `output_size`, where n = len(output_size).

    window i of an axis covers the cells from floor(i * size / out) up to ceil((i + 1) * size / out)

    Args:
      x: (*lead, *spatial).
      output_size: one int per axis, or None for the size that the map has; ones are global pooling.
      mode: "max", "min", "mean" or "sum"; ties, NaN and dtypes as in `pool`.

    Returns:
      (*lead, *output_size).

    Raises:
      ValueError: an unknown mode, an output size below 1, an x of fewer axes or without cells.
      TypeError: an output_size that is an int or holds what is no int; max or min of complex numbers, a sum of bools.

    >>> adaptive_pool(jnp.arange(5.0), (2,), "mean")
    Array([1., 3.], dtype=float32)

    Source: `torch.nn.functional.adaptive_avg_pool2d` and its kin, in any rank.
    """
    x = as_array("adaptive_pool", "x", x)
    outs = _outs("adaptive_pool", x, output_size)
    if mode not in MODES:
        problem = f"{mode!r} is unknown"
        raise ValueError(refuse("adaptive_pool", "mode", problem, f"use {', '.join(map(repr, MODES))}"))
    if mode in ("max", "min"):
        refuse_complex("adaptive_pool", x, mode)
        return _reduce((x,), outs, MODES[mode])[0]
    if mode == "sum":
        refuse_bool_sum("adaptive_pool", x)
    out_dtype = jax.eval_shape(jnp.mean, x).dtype if mode == "mean" else x.dtype
    total = _reduce((x.astype(accumulator(out_dtype)),), outs, add)[0]
    if mode == "mean":
        total = total / _counts(x, outs, total.dtype)
    return total.astype(out_dtype)


@remembered("x")
def adaptive_max_pool_with_indices(x: jax.Array, output_size: Sequence[int | None]) -> tuple[jax.Array, jax.Array]:
    """`adaptive_pool` by max, and for each window the flat index of its winner in the map.

    values[..., i] = x[...].ravel()[indices[..., i]]

    Args:
      x: (*lead, *spatial).
      output_size: one int per axis, or None for the size that the map has.

    Returns:
      (values, indices), both (*lead, *output_size); indices as in `max_pool_with_indices`.

    Raises:
      ValueError, TypeError: as `adaptive_pool`.

    >>> adaptive_max_pool_with_indices(jnp.array([3.0, 1.0, 4.0, 1.0, 5.0]), (2,))
    (Array([4., 5.], dtype=float32), Array([2, 4], dtype=int32))

    Source: `torch.nn.functional.adaptive_max_pool2d(return_indices=True)`, in any rank.
    """
    x = as_array("adaptive_max_pool_with_indices", "x", x)
    outs = _outs("adaptive_max_pool_with_indices", x, output_size)
    refuse_complex("adaptive_max_pool_with_indices", x)
    spatial = x.shape[x.ndim - len(outs) :]
    values, indices = _reduce(beside(x, places(spatial)), outs, first_max)
    return values, indices


def _outs(function: str, x: jax.Array, output_size: Any) -> tuple[int, ...]:
    n = axes_of(function, "output_size", output_size)
    spatial = spatial_shape(function, x, n)
    if 0 in spatial:
        raise ValueError(refuse(function, "x", f"has shape {x.shape}, and a map without cells has no windows"))
    return tuple(
        side if out is None else integer(function, f"output_size on axis {i}", out, least=1)
        for i, (side, out) in enumerate(zip(spatial, output_size, strict=True))
    )


def _pieces(size: int, out: int) -> tuple[int, list[tuple[int, int]]]:
    """The windows repeat: how many equal blocks the axis falls into, and the (start, stop) of the windows in one."""
    blocks = math.gcd(size, out)
    cells, windows = size // blocks, out // blocks
    return blocks, [(i * cells // windows, -(-(i + 1) * cells // windows)) for i in range(windows)]


def _reduce(cells: Cells, outs: Sequence[int], combine: Combine) -> Cells:
    """One axis at a time, the last first; on an axis, each window of a block is one slice."""
    for axis, out in reversed(list(enumerate(outs))):
        at = cells[0].ndim - len(outs) + axis
        blocks, pieces = _pieces(cells[0].shape[at], out)
        blocked = [a.reshape(*a.shape[:at], blocks, a.shape[at] // blocks, *a.shape[at + 1 :]) for a in cells]
        reduced = [
            reduce_axis(tuple(lax.slice_in_dim(a, start, stop, axis=at + 1) for a in blocked), at + 1, combine)
            for start, stop in pieces
        ]
        joined = (lax.concatenate(parts, at + 1) for parts in zip(*reduced, strict=True))
        cells = tuple(a.reshape(*a.shape[:at], out, *a.shape[at + 2 :]) for a in joined)
    return cells


def _counts(x: jax.Array, outs: Sequence[int], dtype: Any) -> jax.Array:
    """How many cells each window covers."""
    counts = np.array(1)
    for size, out in zip(x.shape[x.ndim - len(outs) :], outs, strict=True):
        blocks, pieces = _pieces(size, out)
        counts = np.multiply.outer(counts, [stop - start for start, stop in pieces] * blocks)
    return jnp.asarray(counts.reshape((1,) * (x.ndim - len(outs)) + tuple(outs)), dtype)
