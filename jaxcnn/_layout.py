"""Moves axes: from a caller's layout (`axes`, `dimension_numbers`) to spatial axes last, and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn._arrays import accumulator, as_array, common_dtype, spatial_shape
from jaxcnn._errors import integer, is_sequence, message, rank_of
from jaxcnn._geometry import Axis, Geometry


def spatial_axes(function: str, x: jax.Array, axes: Any, n: int) -> tuple[int, ...]:
    """Read `axes`: the n windowed axes of x, counted from 0; None is the last n."""
    spatial_shape(function, x, n)
    if axes is None:
        return tuple(range(x.ndim - n, x.ndim))
    if rank_of(function, "axes", axes) != n:
        problem = f"names {len(tuple(axes))} axes, but the window has {n}"
        raise ValueError(message(function, "axes", problem, "name one axis of x per axis of the window"))
    named = tuple(integer(function, f"axes[{i}]", axis) for i, axis in enumerate(axes))
    for axis in named:
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(message(function, "axes", f"names axis {axis}, but x has {x.ndim} axes"))
    counted = tuple(axis % x.ndim for axis in named)
    if len(set(counted)) < n:
        raise ValueError(message(function, "axes", f"{named} names an axis twice", "name each axis once"))
    return counted


def spatial_last(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """Move these axes to the end."""
    return jnp.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))


def spatial_back(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """Move the last axes back to where they were."""
    return jnp.moveaxis(x, range(x.ndim - len(axes), x.ndim), axes)


def on_axes_between(
    g: Geometry, modes: Sequence[str], axes: Sequence[int], sides: Sequence[Any]
) -> tuple[Geometry, tuple[str, ...]]:
    """The windows, and the padding mode of each axis, from the first of `axes` (in ascending order) to the last of all.

    The other axes have windows of one cell, so that nothing is transposed: max 3x3 with stride 2 of (4,112,112,64)
    takes 1.4 ms so, and 35 ms transposed.
    """
    windowed = dict(zip(axes, zip(g.axes, modes, strict=True), strict=True))
    between = range(axes[0], len(sides))
    all_axes, names = zip(*(windowed.get(i, (Axis(sides[i], 1, 1, 0, 0, 1), modes[0])) for i in between), strict=True)
    return Geometry(all_axes), names


class Layout(NamedTuple):
    """For data, kernel and output the caller's axes in our order: (samples, channels, *spatial), (out, in, *window)."""

    lhs: tuple[int, ...]
    rhs: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def channels_last(self) -> bool:
        """Whether data and output have their channels behind the spatial axes."""
        last = len(self.lhs) - 1
        return last > 1 and self.lhs[1] == self.out[1] == last


_LETTERS = (("lhs", "N", "C"), ("rhs", "O", "I"), ("out", "N", "C"))


def read_layout(function: str, dimension_numbers: Any, rank: int) -> Layout:
    """Read `dimension_numbers` in any of lax's forms: None, three strings, or a `ConvDimensionNumbers`."""
    ours = tuple(range(rank))
    if dimension_numbers is None:
        return Layout(ours, ours, ours)
    if hasattr(dimension_numbers, "lhs_spec"):
        d = dimension_numbers
        given = Layout(tuple(d.lhs_spec), tuple(d.rhs_spec), tuple(d.out_spec))
        if any(sorted(spec) != list(ours) for spec in given):
            problem = f"{tuple(given)} does not order {rank} axes"
            raise ValueError(message(function, "dimension_numbers", problem, f"each entry permutes 0 to {rank - 1}"))
        return given
    _check_strings(function, dimension_numbers, rank)
    spatial = [letter for letter in dimension_numbers[1] if letter not in "OI"]
    return Layout(
        *(
            tuple(spec.index(letter) for letter in (first, second, *spatial))
            for (_, first, second), spec in zip(_LETTERS, dimension_numbers, strict=True)
        )
    )


def _check_strings(function: str, given: Any, rank: int) -> None:
    """Raise a TypeError, as lax does, unless these are three strings that name the same axes."""

    def refused(problem: str) -> TypeError:
        return TypeError(message(function, "dimension_numbers", problem, "write e.g. ('NHWC', 'HWIO', 'NHWC')"))

    if not is_sequence(given) or len(given) != 3 or not all(isinstance(spec, str) for spec in given):
        raise refused(f"is {given!r}, but must be None, three strings or a ConvDimensionNumbers")
    for (name, first, second), spec in zip(_LETTERS, given, strict=True):
        if len(spec) != rank:
            raise refused(f"has {spec!r} for {name}, {len(spec)} letters, but the arrays have {rank} axes")
        if spec.count(first) != 1 or spec.count(second) != 1 or len(set(spec)) != rank:
            raise refused(f"has {spec!r} for {name}, but each letter stands once, {first!r} and {second!r} among them")
    spatial = [set(spec) - {first, second} for (_, first, second), spec in zip(_LETTERS, given, strict=True)]
    if not spatial[0] == spatial[1] == spatial[2]:
        raise refused(f"{tuple(given)} names different spatial axes")


class Layer(NamedTuple):
    """A layer's arrays in our layout, and what brings its output back into the caller's."""

    x: jax.Array
    kernel: jax.Array
    out: tuple[int, ...]
    unbatched: bool
    channels_last: bool

    def restore(self, y: jax.Array) -> jax.Array:
        """(samples, out_channels, *out) in the caller's layout."""
        y = jnp.transpose(y, [self.out.index(i) for i in range(y.ndim)])
        return jnp.squeeze(y, self.out[0]) if self.unbatched else y


def read_layer(function: str, x: Any, kernel: Any, dimension_numbers: Any, *, in_first: bool = False) -> Layer:
    """Read a layer's data, batched or not, and kernel, in the layout that `dimension_numbers` says.

    The default is (out, in, *window) for the kernel, or (in, out, *window) with `in_first`.
    """
    x, kernel = as_array(function, "x", x), as_array(function, "kernel", kernel)
    n = kernel.ndim - 2
    if n < 0:
        channels = "in_channels, out_channels // groups" if in_first else "out_channels, in_channels // groups"
        problem = f"has shape {kernel.shape}, but must be ({channels}, *window)"
        raise ValueError(message(function, "kernel", problem, "for one kernel without channels use correlate"))
    if x.ndim not in (n + 1, n + 2):
        problem = f"has shape {x.shape}, but this kernel takes (samples, in_channels, *spatial): {n + 2} axes"
        raise ValueError(
            message(function, "x", problem, "for maps without channels use x[:, None] and kernel[:, None]")
        )
    layout = read_layout(function, dimension_numbers, n + 2)
    if in_first and dimension_numbers is None:
        layout = layout._replace(rhs=(1, 0, *layout.rhs[2:]))
    unbatched = x.ndim == n + 1
    x = jnp.expand_dims(x, layout.lhs[0]) if unbatched else x
    return Layer(
        jnp.transpose(x, layout.lhs), jnp.transpose(kernel, layout.rhs), layout.out, unbatched, layout.channels_last
    )


def add_bias(function: str, y: jax.Array, bias: Any) -> jax.Array:
    """y (samples, out_channels, *out) plus one bias per output channel, if there is one."""
    if bias is None:
        return y
    bias = as_array(function, "bias", bias)
    if bias.shape != y.shape[1:2]:
        problem = f"has shape {bias.shape}, but there is one bias per output channel: {y.shape[1:2]}"
        raise ValueError(message(function, "bias", problem, "pass bias[:, 0]" if bias.ndim == 2 else ""))
    dtype = common_dtype(function, bias=bias, y=y)
    wide = accumulator(dtype)  # the bias' gradient is a sum
    total = y.astype(wide) + jnp.expand_dims(bias.astype(wide), (0, *range(2, y.ndim)))
    return total.astype(dtype)
