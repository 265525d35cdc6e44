"""Padding: reads `padding_mode` and `fill`, and pads arrays in every mode."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._arrays import as_array, devices_along
from jaxcnn._errors import check_entries, check_name, is_sequence, message, require_at_least
from jaxcnn._geometry import Geometry, Pair
from jaxcnn._symbolic import at_least, is_symbolic, larger

PADDING_MODES = ("constant", "reflect", "replicate", "circular", "symmetric")

# Kinds of number, from narrow to wide.
_KINDS = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)


def zero_pad(x: jax.Array, padding: Sequence[Pair]) -> jax.Array:
    """Pad the last len(padding) axes with zeros; a negative pad crops."""
    return _constant_pad(x, padding, jnp.zeros((), x.dtype))


def crop(x: jax.Array, padding: Sequence[Pair]) -> jax.Array:
    """The adjoint of `zero_pad`: crop what it padded, and pad zeros where it cropped."""
    return zero_pad(x, [(-low, -high) for low, high in padding])


class Border(NamedTuple):
    """The padding around a map, as a hashable description without arrays: a mode for each axis, and two numbers.

    1234 -> constant 001234000, reflect 321234321, replicate 111234444, circular 341234123, symmetric 211234432
    """

    modes: tuple[str, ...]
    fill: Any = 0  # the cells of "constant" padding
    beyond: Any = 0  # the cells past the padding, which the last window of ceil mode reaches

    @property
    def is_zero(self) -> bool:
        """Whether all padding is zeros."""
        return set(self.modes) <= {"constant"} and self.fill == self.beyond == 0

    def of_tangents(self) -> "Border":
        """The same for a tangent: a constant has the tangent 0."""
        return Border(self.modes)


def zeros(n: int) -> Border:
    """A border of zeros on n axes."""
    return Border(("constant",) * n)


def with_border(
    function: str, x: jax.Array, g: Geometry, mode: Any = "constant", fill: Any = None,
    *, identity: Any = 0, beyond: Any = None, is_linear: bool = False,
) -> tuple[jax.Array, Geometry, Border]:  # fmt: skip
    """Check `padding_mode` and `fill`, and return the map, its windows and its border.

    A fill of None was not given: `identity` takes its place, in the padding and where ceil mode reaches past it. A fill
    that is an array, or not 0 if the result has to be linear in the map, cannot be described: the map is padded here.
    """
    modes = padding_modes(function, mode, g.n)
    if modes and "constant" not in modes and fill is not None:
        problem = f"is given, but padding_mode {modes[0]!r} takes its cells from the map"
        raise ValueError(message(function, "fill", problem, "drop fill, or use padding_mode='constant'"))
    for axis, (name, (low, high)) in enumerate(zip(modes, g.padding, strict=True)):
        if name != "constant" and (low or high):
            _check_cells_are_left(function, g.size[axis], low, high, name)
    cell, past = (identity if value is None else _checked_fill(function, x, value) for value in (fill, beyond))
    if isinstance(cell, jax.Array) or isinstance(past, jax.Array) or (is_linear and cell != 0):
        _refuse_uneven_division(function, x, g.padding)
        x = _pad_by_modes(x, g.padding, modes)
        left = [(0, 0) if name != "constant" else pair for name, pair in zip(modes, g.padding, strict=True)]
        x = _differentiable_pad(_differentiable_pad(x, left, cell), g.overhang, past)
        return x, g.unpadded(), zeros(g.n)
    return x, g, Border(modes, cell, past)


def bordered(x: jax.Array, g: Geometry, border: Border) -> jax.Array:
    """Pad a map with all that its windows see; a negative pad crops first."""
    x = _pad_by_modes(x, g.padding, border.modes)
    left = [(0, 0) if name != "constant" else pair for name, pair in zip(border.modes, g.padding, strict=True)]
    x = _constant_pad(x, left, jnp.asarray(border.fill, x.dtype))
    return _constant_pad(x, g.overhang, jnp.asarray(border.beyond, x.dtype))


def _pad_by_modes(x: jax.Array, padding: Sequence[Pair], modes: Sequence[str]) -> jax.Array:
    for axis, (name, (low, high)) in enumerate(zip(modes, padding, strict=True)):
        if name != "constant" and (low or high):
            x = map_pad(x, axis - len(padding), low, high, name)
    return x


def _refuse_uneven_division(function: str, x: jax.Array, padding: Sequence[Pair]) -> None:
    """Raise if devices divide an axis in the type of x and would not divide it evenly with its padding."""
    for axis, pair in enumerate(padding):
        devices, division = devices_along(x, x.ndim - len(padding) + axis)
        padded = x.shape[x.ndim - len(padding) + axis] + sum(pair)
        if pair != (0, 0) and devices > 1 and padded % devices:
            problem = f"makes {padded} cells of spatial axis {axis}, which {devices} devices along {division!r} divide"
            remedy = "reshard x so that this axis is whole, or give the mesh AxisType.Auto, where XLA divides it"
            raise ValueError(message(function, "padding", problem, remedy))


def none_if_zero(fill: Any) -> Any:
    """None for the literal 0, which is the default of `fill`: it then counts as not given."""
    return None if isinstance(fill, int) and fill == 0 else fill


def padding_modes(function: str, mode: Any, n: int) -> tuple[str, ...]:
    """One mode for all n axes or one per axis, as a tuple of n names."""
    modes = tuple(mode) if is_sequence(mode) else (mode,) * n
    check_entries(function, "padding_mode", modes, n, f"pass one mode, or a tuple of {n}")
    for name in modes:
        check_name(function, "padding_mode", name, PADDING_MODES)
    return modes


def _checked_fill(function: str, x: jax.Array, fill: Any) -> Any:
    """A fill that the dtype of x can hold: a Python number, or a 0-d array if that was given."""
    cell = as_array(function, "fill", fill)
    if cell.ndim:
        raise ValueError(message(function, "fill", f"has shape {cell.shape}, but must be a scalar"))
    kind_of_fill, kind_of_x = ([jnp.issubdtype(a.dtype, kind) for kind in _KINDS].index(True) for a in (cell, x))
    limits = jnp.iinfo(x.dtype) if jnp.issubdtype(x.dtype, jnp.integer) else None  # type: ignore[no-untyped-call]
    known = isinstance(fill, int | np.integer)
    if kind_of_fill > kind_of_x or (limits and known and not limits.min <= fill <= limits.max):
        shown = fill if known else cell.dtype
        problem = f"is {shown}, which x ({x.dtype}) cannot hold"
        raise TypeError(message(function, "fill", problem, "convert x first"))
    return cell.astype(x.dtype) if isinstance(fill, jax.Array) else np.asarray(fill).item()


def _constant_pad(x: jax.Array, padding: Sequence[Pair], fill: jax.Array) -> jax.Array:
    if not any(low or high for low, high in padding):
        return x
    return lax.pad(x, fill, [(0, 0, 0)] * (x.ndim - len(padding)) + [(low, high, 0) for low, high in padding])


def _differentiable_pad(x: jax.Array, padding: Sequence[Pair], fill: jax.Array) -> jax.Array:
    """Pad with an array, whose gradient is the sum over the padding. The gradient of `lax.pad` is the sum over
    everything less that over the map: it rounds, and fails without a gradient in x (jax 0.10.2)."""
    if not any(low or high for low, high in padding):
        return x
    padded, on_map = zero_pad(x, padding), zero_pad(jnp.ones(x.shape[x.ndim - len(padding) :], bool), padding)
    return jnp.where(jnp.broadcast_to(on_map, padded.shape), padded, fill)


def _check_cells_are_left(function: str, size: Any, low: Any, high: Any, mode: str) -> None:
    left = size - larger(-high, 0) - larger(-low, 0)
    problem = f"({low}, {high}) leaves {left} cells for {mode!r} to repeat"
    if is_symbolic(left):
        require_at_least(function, "padding", problem, left, 1)
    elif left <= 0:
        problem = f"({low}, {high}) leaves none of the {size} cells that {mode!r} could repeat"
        raise ValueError(message(function, "padding", problem, "crop less, or use padding_mode='constant'"))


def map_pad(x: jax.Array, axis: int, low: Any, high: Any, mode: str) -> jax.Array:
    """Pad one axis, counted from the end, with cells of the map."""
    on_low, on_high = larger(low, 0), larger(high, 0)  # a pad is this much less what is cropped: symbols cancel so
    x = lax.slice_in_dim(x, on_low - low, x.shape[axis] - (on_high - high), axis=axis)
    low, high = on_low, on_high
    size, own = x.shape[axis], 1 if mode == "reflect" else 0  # "reflect" does not repeat the map's outermost cell
    if mode == "replicate":
        ends = (lax.slice_in_dim(x, at, at + 1, axis=axis) for at in (0, size - 1))
        before, after = (
            jnp.broadcast_to(end, (*x.shape[:axis], wide, *x.shape[x.ndim + axis + 1 :]))
            for end, wide in zip(ends, (low, high), strict=True)
        )
    elif not at_least(size - own, larger(low, high)):  # the padding is longer than the map
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
    """The cell of a map of `size` that padding repeats at place `cell`, which may lie before or behind the map."""
    if mode == "circular":
        around: jax.Array = cell % size
        return around
    back = 2 * size - 1 if mode == "symmetric" else 2 * size - 2  # the distance after which cell 0 comes again
    cell = cell % (back + 1 if mode == "symmetric" else larger(back, 1))
    there_or_back: jax.Array = jnp.minimum(cell, back - cell)
    return there_or_back
