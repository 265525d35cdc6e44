"""`reduce_window`, with the signature of `jax.lax.reduce_window`, and a gradient for every reducer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._arrays import accumulator, as_array
from jaxcnn._errors import message
from jaxcnn._geometry import Geometry, Pair
from jaxcnn._lax_arguments import ints, pairs
from jaxcnn._padding import zeros
from jaxcnn._reduce import (
    Cells,
    Combine,
    add,
    best_of_windows,
    extremes,
    first_max,
    first_min,
    reduce_windows,
    sum_windows,
)
from jaxcnn._remember import remembered
from jaxcnn._slices import dilate

_NAME = "reduce_window"

# Reducers that have windows of their own here, by the function that a caller passes.
_KNOWN = {lax.add: "add", lax.max: "max", lax.min: "min", jnp.add: "add", jnp.maximum: "max", jnp.minimum: "min"}
_COMBINE: dict[str, Combine] = {"add": add, "max": first_max, "min": first_min}


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[..., Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """`jax.lax.reduce_window`, with its signature, results and refusals, and a gradient of every reducer.

    reduce_window(x, init, f, window)[i] = f(init, f(x[i], f(x[i + 1], ...))), over the cells of window i

    Args:
      operand: an array, or a tree of arrays of one shape.
      init_value: a scalar for each array, taken once for each window.
      computation: an associative f(a, b) of two scalars, or of two trees of scalars, such as `jax.lax.max`.
      window_dimensions: one int for each axis of an array.
      window_strides: one int per axis; None is 1.
      padding: "VALID", "SAME", "SAME_LOWER", or one (low, high) per axis (negative crops, after base_dilation).
      base_dilation: cells from one cell of the operand to the next, init_value between them; None is 1.
      window_dilation: cells from one tap to the next; None is 1.

    Returns:
      The array or the tree that lax returns, empty where no window fits. At a tie of max or min the whole gradient
      goes to the first winner in row-major order; half precisions are added up in float32.

    Raises:
      TypeError, ValueError, RuntimeError: what lax refuses, with lax's type of exception and a sentence of ours.

    >>> x = jnp.arange(16.0).reshape(4, 4)
    >>> reduce_window(x, -jnp.inf, jax.lax.max, (2, 2), (2, 2))
    Array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    >>> jax.grad(lambda x: reduce_window(x, 1.0, jax.lax.mul, (4,)).sum())(jnp.arange(4.0))  # lax has none
    Array([6., 0., 0., 0.], dtype=float32)

    Source: `jax.lax.reduce_window`.
    """
    arrays, tree, starts = _operands(operand, init_value)
    g, base_dilation = _lax_geometry(
        arrays[0].shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    if not callable(computation):
        problem = f"must be a function of two scalars, not {type(computation).__name__}"
        raise TypeError(message(_NAME, "computation", problem, "pass e.g. jax.lax.max"))
    numbers = len(arrays) == 1 and not jnp.issubdtype(arrays[0].dtype, jnp.complexfloating)
    reducer = _KNOWN.get(computation) if numbers else None
    identity = reducer is not None and _is_identity(reducer, jax.tree.leaves(init_value)[0], arrays[0].dtype)
    if reducer == "add" and identity and arrays[0].dtype == bool:
        raise TypeError(message(_NAME, "operand", "is bool, whose sums do not fit in a bool", "use jax.lax.bitwise_or"))
    for array, start in zip(arrays, starts, strict=True):
        if not identity and array.dtype != start.dtype:
            problem = f"is {start.dtype}, but operand is {array.dtype}"
            raise TypeError(message(_NAME, "init_value", problem, "give both one dtype"))
    if reducer is not None:
        y = known_reduction(
            arrays[0], None if identity else starts[0], reducer=reducer, window_dimensions=g.window,
            window_strides=g.stride, padding=g.padding, base_dilation=base_dilation, window_dilation=g.dilation,
        )  # fmt: skip
        return jax.tree.unflatten(tree, [y])

    combine = partial(_of_real_cells, partial(_cell_by_cell, computation, tree))
    if 0 in g.out:
        return jax.tree.unflatten(tree, [jnp.zeros(g.out, array.dtype) for array in arrays])
    real = _padded(jnp.ones_like(arrays[0], bool), jnp.zeros((), bool), g, base_dilation)
    padded = [_padded(array, start, g, base_dilation) for array, start in zip(arrays, starts, strict=True)]
    *out, _ = _after_start(
        [*starts, jnp.ones((), bool)], reduce_windows((*padded, real), g.unpadded(), combine), combine
    )
    return jax.tree.unflatten(tree, out)


@remembered("operand", "init_value")
def known_reduction(
    operand: jax.Array, init_value: jax.Array | None, *, reducer: str, window_dimensions: Sequence[int],
    window_strides: Sequence[int], padding: Sequence[Pair], base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> jax.Array:  # fmt: skip
    """Reduce the windows of one array by "add", "max" or "min"; an init_value of None is the reducer's identity."""
    g, base_dilation = _lax_geometry(
        operand.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    if 0 in g.out:
        return jnp.zeros(g.out, operand.dtype)
    combine, cells = _COMBINE[reducer], operand
    if reducer == "add":
        cells = operand.astype(accumulator(operand.dtype))
    identity = _identity(reducer, cells.dtype)
    cells, g = dilate(cells, base_dilation, identity), _without_leading(_of_dilated(g, base_dilation))
    border = zeros(g.n)._replace(fill=identity, beyond=identity)
    made = (
        sum_windows(cells, g, border) if reducer == "add" else best_of_windows(cells, g, border, combine, of_cells=True)
    )
    if init_value is not None:
        (made,) = _after_start([init_value.astype(cells.dtype)], (made,), combine)
    return made.astype(operand.dtype)


def _without_leading(g: Geometry) -> Geometry:
    """The windows without the leading axes that have nothing to reduce: these are mapped."""
    first = next((i for i, a in enumerate(g.axes) if a.window > 1 or a.stride > 1 or a.low or a.high), g.n)
    return Geometry(g.axes[first:])


def _padded(x: jax.Array, start: jax.Array, g: Geometry, base_dilation: tuple[int, ...]) -> jax.Array:
    """x with `start` as padding and between its cells."""
    x, g = dilate(x, base_dilation, start), _of_dilated(g, base_dilation)
    return lax.pad(x, start, [(low, high, 0) for low, high in g.padding]) if any(map(any, g.padding)) else x


def _of_dilated(g: Geometry, base_dilation: Sequence[int]) -> Geometry:
    """The same windows on what `dilate` returns, which ends with cells of padding."""
    ends = [between - 1 if a.size else 0 for a, between in zip(g.axes, base_dilation, strict=True)]
    return Geometry(
        tuple(a._replace(size=a.size + end, high=a.high - end) for a, end in zip(g.axes, ends, strict=True))
    )


def _after_start(starts: Sequence[jax.Array], y: Cells, combine: Combine) -> Cells:
    return combine(tuple(lax.full_like(cells, start) for start, cells in zip(starts, y, strict=True)), y)


def _of_real_cells(combine: Combine, a: Cells, b: Cells) -> Cells:
    """`combine` of cells of the operand only: the last array says which are, and the others are passed over."""
    *a_cells, a_real = a
    *b_cells, b_real = b
    both = combine(tuple(a_cells), tuple(b_cells))
    columns = zip(both, a_cells, b_cells, strict=True)
    made = (jnp.where(a_real & b_real, c, jnp.where(a_real, x, y)) for c, x, y in columns)
    return *made, a_real | b_real


def _cell_by_cell(computation: Callable[..., Any], tree: Any, a: Cells, b: Cells) -> Cells:
    """Apply a function of scalars to all cells of arrays."""

    def of_scalars(a: Cells, b: Cells) -> Cells:
        made = computation(jax.tree.unflatten(tree, a), jax.tree.unflatten(tree, b))
        leaves, given = jax.tree.flatten(made)
        if given != tree or [(jnp.shape(x), jnp.result_type(x)) for x in leaves] != [((), x.dtype) for x in a]:
            problem = (
                f"gives {jax.tree.map(jnp.result_type, made)} for {jax.tree.unflatten(tree, [x.dtype for x in a])}"
            )
            raise ValueError(message(_NAME, "computation", problem, "it must give what it takes, scalars of one kind"))
        return tuple(leaves)

    of_arrays = of_scalars
    for _ in range(a[0].ndim):  # axis by axis, since JAX can't reshape an array to the product of symbolic sizes
        of_arrays = jax.vmap(of_arrays)
    return of_arrays(a, b)


def _identity(reducer: str, dtype: Any) -> Any:
    return 0 if reducer == "add" else extremes(dtype)[("max", "min").index(reducer)]


def _is_identity(reducer: str, start: Any, dtype: Any) -> bool:
    """Whether `start` is known to be the identity when the function is traced."""
    if isinstance(start, jax.core.Tracer):
        return False
    return bool(np.asarray(start) == _identity(reducer, dtype))


# lax's rules for arguments ---------------------------------------------------------------------------------------


def _operands(operand: Any, init_value: Any) -> tuple[list[jax.Array], Any, list[jax.Array]]:
    """The arrays, their tree, and an init_value for each."""
    tree: Any
    arrays, tree = jax.tree.flatten(operand)
    starts, given = jax.tree.flatten(init_value)
    if given != tree:
        problem = f"has the structure {given}, but operand has {tree}"
        raise ValueError(message(_NAME, "init_value", problem, "pass one scalar for each array"))
    if not arrays:
        raise ValueError(message(_NAME, "operand", "has no array", "pass at least one"))
    arrays = [as_array(_NAME, "operand", array) for array in arrays]
    starts = [as_array(_NAME, "init_value", start) for start in starts]
    for array, start in zip(arrays, starts, strict=True):
        if start.shape != ():
            raise TypeError(
                message(_NAME, "init_value", f"has shape {start.shape}, but must be a scalar", "pass x[0], say")
            )
        if array.shape != arrays[0].shape:
            problem = f"has arrays of shapes {arrays[0].shape} and {array.shape}"
            raise ValueError(message(_NAME, "operand", problem, "give all arrays one shape"))
    return arrays, tree, starts


def _lax_geometry(
    shape: Sequence[int], window: Any, stride: Any, padding: Any, base_dilation: Any, window_dilation: Any
) -> tuple[Geometry, tuple[int, ...]]:
    n = len(shape)
    read = partial(ints, _NAME, n=n, whose="operand", wrong_length=TypeError, below_one=TypeError)
    window = read("window_dimensions", window)
    stride, base_dilation, dilation = (
        (1,) * n if values is None else read(argument, values)
        for argument, values in (
            ("window_strides", stride), ("base_dilation", base_dilation), ("window_dilation", window_dilation)
        )
    )  # fmt: skip
    pads = pairs(
        _NAME, padding, shape, window, stride, dilation, whose="operand", unreadable=TypeError, wrong_length=ValueError
    )
    sizes = [(m - 1) * s + 1 if m else 0 for m, s in zip(shape, base_dilation, strict=True)]
    return Geometry.of(sizes, window, stride, pads, dilation), base_dilation
