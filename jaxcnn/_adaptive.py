"""`adaptive_pool` and `adaptive_max_pool_with_indices`: pooling to a given output size."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jaxcnn._adaptive_windows import bounds, spread
from jaxcnn._arrays import accumulator, as_array, spatial_shape
from jaxcnn._errors import integer_or_symbol, message, rank_of
from jaxcnn._pool_modes import ORDERED, POOL_MODES, check_mode, refuse_complex
from jaxcnn._remember import remembered
from jaxcnn._symbolic import is_symbolic
from jaxcnn._whole_axis import best_along, cell_at, first_place, sum_along

ADAPTIVE_MODES = tuple(mode for mode in POOL_MODES if mode != "lp")


@remembered("x")
def adaptive_pool(x: ArrayLike, output_size: Sequence[int | None], mode: str) -> jax.Array:
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
    check_mode("adaptive_pool", mode, x, ADAPTIVE_MODES)
    if mode in ORDERED:
        winners: jax.Array = _winners(x, outs, mode == "min")
        return winners
    out_dtype = jax.eval_shape(jnp.mean, x).dtype if mode == "mean" else x.dtype
    total = x.astype(accumulator(out_dtype))
    for axis, out in zip(range(-len(outs), 0), outs, strict=True):
        total = sum_along(spread(total, axis, out)[0], total.ndim + 1 + axis)
    if mode == "mean":
        total = total / _counts(x, outs, total.dtype)
    return total.astype(out_dtype)


@remembered("x")
def adaptive_max_pool_with_indices(x: ArrayLike, output_size: Sequence[int | None]) -> tuple[jax.Array, jax.Array]:
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
    index = jnp.zeros((), jnp.int32)
    for size in x.shape[x.ndim - len(outs) :]:
        index = index[..., None] * size + jnp.arange(size, dtype=jnp.int32)[(None,) * index.ndim]
    values, indices = _winners(x, outs, False, index)
    return values, indices


def _outs(function: str, x: jax.Array, output_size: Any) -> tuple[int, ...]:
    n = rank_of(function, "output_size", output_size)
    spatial = spatial_shape(function, x, n)
    if 0 in spatial:
        raise ValueError(message(function, "x", f"has shape {x.shape}, and a map without cells has no windows"))
    return tuple(
        size if out is None else integer_or_symbol(function, f"output_size on axis {i}", out, least=1)
        for i, (size, out) in enumerate(zip(spatial, output_size, strict=True))
    )


def _winners(x: jax.Array, outs: Sequence[int], lowest: bool, index: jax.Array | None = None) -> Any:
    """The best cell of each window, and its index if an index is given for each cell of the map.

    The last axis goes first, so that the first cell in row-major order wins a tie.
    """
    if index is not None:
        index = jnp.broadcast_to(index, x.shape)
    for axis, out in reversed(list(zip(range(-len(outs), 0), outs, strict=True))):
        seen, sees = spread(x, axis, out)
        if sees is not None:  # a tap that sees no cell repeats the window's first, which wins any tie
            seen = jnp.where(sees, seen, lax.slice_in_dim(seen, 0, 1, axis=axis))
        if index is not None:
            index = cell_at(first_place(seen, axis, lowest), spread(index, axis, out)[0], axis)
        x = best_along.bind(seen, axis=axis, lowest=lowest)
    return x if index is None else (x, index)


def _counts(x: jax.Array, outs: Sequence[int], dtype: Any) -> jax.Array:
    """The number of cells in each window."""
    counts = jnp.ones((1,) * (x.ndim - len(outs)), dtype)
    for size, out in zip(x.shape[x.ndim - len(outs) :], outs, strict=True):
        if not is_symbolic(size, out) and size % out == 0:
            counts = counts[..., None] * (size // out)
            continue
        first, end = bounds(size, out)
        counts = counts[..., None] * jnp.expand_dims((end - first).astype(dtype), range(counts.ndim))
    return counts
