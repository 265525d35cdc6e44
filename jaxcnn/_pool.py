"""Pooling: every window of a map reduced to one number, each map by itself."""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn._geometry import Geometry, axes_of, geometry, integer, per_axis, refuse
from jaxcnn._padding import accumulator, as_array, pad, padding_modes, spatial_shape
from jaxcnn._ranked import ranked
from jaxcnn._windows import each_window, tap_slices

Combine = Callable[[jax.Array, jax.Array], jax.Array]


class Mode(NamedTuple):
    """A reduction by pairs, and the same over one whole window for the definition."""

    combine: Combine
    reduce: Callable[[jax.Array], jax.Array]
    identity: Callable[[Any], Any]


def _first_max(a: jax.Array, b: jax.Array) -> jax.Array:
    """The larger of two; a tie or a NaN in `a` keeps `a`: the value and the whole gradient of the first winner."""
    return jnp.where((a >= b) | (a != a), a, b)


def _first_min(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where((a <= b) | (a != a), a, b)


def _limits(dtype: Any) -> tuple[Any, Any]:
    """The lowest and highest numbers of a dtype: the identities of max and min."""
    if jnp.issubdtype(dtype, jnp.floating):
        return -jnp.inf, jnp.inf
    if jnp.issubdtype(dtype, jnp.bool_):
        return False, True
    info = np.iinfo(dtype)
    return info.min, info.max


_SUM = Mode(operator.add, lambda w: jnp.sum(w, dtype=w.dtype), lambda dtype: 0)
MODES = {
    # argmax and argmin name the first winner, and NaN before all numbers.
    "max": Mode(_first_max, lambda w: w.ravel()[jnp.argmax(w)], lambda dtype: _limits(dtype)[0]),
    "min": Mode(_first_min, lambda w: w.ravel()[jnp.argmin(w)], lambda dtype: _limits(dtype)[1]),
    "sum": _SUM,
    "mean": _SUM,
}


def pool(
    x: jax.Array,
    window: Sequence[int],
    mode: str,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
    padding_mode: Any = "constant",
    fill: Any = None,
    method: str = "auto",
) -> jax.Array:
    """Reduce every window that slides over the last n axes of x to one number, where n = len(window).

    pool(x, window, "max")[..., i] = max over t of padded(x)[..., i * stride + t * dilation]

    Args:
      x: (*lead, *spatial); every leading index is a map of its own.
      window: one int per axis.
      mode: "max", "min", "mean" or "sum". At a tie the whole gradient of max and min goes to the first winner in
        row-major order; a NaN in a window gives NaN.
      stride: an int or one per axis; None is the window.
      padding, dilation, padding_mode: as in `windows`.
      ceil_mode: the last window may reach past the padded map, if it starts inside the map or its low padding.
      count_include_pad: False leaves the cells of the padding, whatever its mode, out of a mean's sum and divisor.
      divisor: of a mean, in place of the count.
      fill: the cells of constant padding; None is the mode's identity, so that max ignores the padding.
      method: "auto" (one axis at a time) or "definition" (one window at a time).

    Returns:
      (*lead, *out). Means and sums of bfloat16 and float16 accumulate in float32; means of integers are floats.

    Raises:
      ValueError: an unknown mode, an option that means nothing for it, a window larger than the padded map.
      TypeError: a window that is an int (use `pool2d`, say), max of complex numbers, a traced or non-int stride.

    >>> x = jnp.arange(16.0).reshape(4, 4)
    >>> pool(x, (2, 2), "max")
    Array([[ 5.,  7.],
           [13., 15.]], dtype=float32)

    Source: `pool2d` and `pool3d` of the text that this library starts from, in any rank.
    """
    x = as_array("pool", "x", x)
    n = axes_of("pool", "window", window, f"pass one int per axis, or use pool1d, pool2d or pool3d with {window!r}")
    spatial, stride = spatial_shape("pool", x, n), window if stride is None else stride
    g = geometry("pool", spatial, window, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    reduction = _checked_mode(mode, x.dtype, count_include_pad, divisor)
    reduce = _checked_method(method)
    out_dtype = jax.eval_shape(jnp.mean, x).dtype if mode == "mean" else x.dtype
    if mode in ("sum", "mean"):
        x = x.astype(accumulator(out_dtype))
    padded = _surround(x, g, padding_mode, fill, reduction.identity(x.dtype), hide_padding=not count_include_pad)
    y = reduce(padded, g.unpadded(), reduction)
    if mode == "mean":
        y = y / _divisor(g, count_include_pad, divisor, y)
    return y.astype(out_dtype)


def _checked_mode(mode: Any, dtype: Any, count_include_pad: bool, divisor: Any) -> Mode:
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(refuse("pool", "mode", f"{mode!r} is unknown", f"use {', '.join(map(repr, MODES))}"))
    if mode != "mean":
        for argument, given in (("divisor", divisor is not None), ("count_include_pad", not count_include_pad)):
            if given:
                raise ValueError(refuse("pool", argument, f"means nothing for {mode!r}", "use mode 'mean', or drop it"))
    if divisor is not None:
        if integer("pool", "divisor", divisor) == 0:
            raise ValueError(refuse("pool", "divisor", "is 0", "pass the number to divide by"))
        if not count_include_pad:
            raise ValueError(refuse("pool", "count_include_pad", "means nothing beside a divisor", "pass one of them"))
    if mode in ("max", "min") and jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(refuse("pool", "x", f"is {dtype}, and complex numbers have no {mode}", "pool their jnp.abs"))
    if mode == "sum" and jnp.issubdtype(dtype, jnp.bool_):
        raise TypeError(refuse("pool", "x", "is bool, whose sums do not fit in a bool", "pass x.astype(jnp.int32)"))
    return MODES[mode]


def _surround(x: jax.Array, g: Geometry, mode: Any, fill: Any, identity: Any, *, hide_padding: bool) -> jax.Array:
    """x with its padding, and the identity where ceil mode's last windows reach past that."""
    pads, overhang = [(a.low, a.high) for a in g.axes], [(0, a.overhang) for a in g.axes]
    if fill is None:
        fill = identity if "constant" in padding_modes("pool", mode, g.n) else 0
    padded = pad("pool", x, pads, mode, fill)
    if hide_padding:
        padded = pad("pool", x, pads, "constant", identity)
    return pad("pool", padded, overhang, "constant", identity)


def _divisor(g: Geometry, count_include_pad: bool, divisor: int | None, y: jax.Array) -> jax.Array:
    """What a window's sum is divided by: the number of its taps on cells that count, never on the overhang."""
    if divisor is not None:
        return jnp.asarray(divisor, y.dtype)
    counted = [(0, a.padded) if count_include_pad else (max(a.low, 0), min(a.low + a.size, a.padded)) for a in g.axes]
    taps = [np.array(a.taps_inside(*cells)) for a, cells in zip(g.axes, counted, strict=True)]
    counts = functools.reduce(np.multiply.outer, taps, np.array(1))
    return jnp.asarray(counts.reshape((1,) * (y.ndim - g.n) + g.out), y.dtype)


# The ways to reduce -------------------------------------------------------------------------------------------------


def _definition(padded: jax.Array, g: Geometry, mode: Mode) -> jax.Array:
    """One window at a time."""
    lead, spatial = padded.shape[: padded.ndim - g.n], padded.shape[padded.ndim - g.n :]
    maps = padded.reshape(math.prod(lead), *spatial)
    return jax.vmap(lambda one_map: each_window(mode.reduce, one_map, g))(maps).reshape(*lead, *g.out)


def _separable(padded: jax.Array, g: Geometry, mode: Mode) -> jax.Array:
    """One axis at a time; the last goes first, so that a tie still falls to the first cell in row-major order."""
    for axis in reversed(range(g.n)):
        padded = functools.reduce(mode.combine, tap_slices(padded, axis, g))
    return padded


_METHODS = {"auto": _separable, "separable": _separable, "definition": _definition}


def _checked_method(method: str) -> Callable[[jax.Array, Geometry, Mode], jax.Array]:
    if method not in _METHODS:
        raise ValueError(refuse("pool", "method", f"{method!r} is unknown", f"use {', '.join(map(repr, _METHODS))}"))
    return _METHODS[method]


def _read_window(function: str, window: Any, n: int) -> tuple[int, ...]:
    return per_axis(function, "window", window, n, least=1)


_EXAMPLE = """\
>>> {name}(jnp.ones((3,) + (8,) * {n}), 2, "mean").shape == (3,) + (4,) * {n}
True"""

pool1d, pool2d, pool3d = (ranked(pool, f"pool{n}d", n, _read_window, _EXAMPLE) for n in (1, 2, 3))
