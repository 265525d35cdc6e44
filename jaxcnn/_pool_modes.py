"""The modes of pooling: max and min, sum and mean, the p-norm, and a user's function."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn._arrays import accumulator, float_info
from jaxcnn._errors import check_name, message
from jaxcnn._geometry import Geometry
from jaxcnn._norm import magnitudes, norm, norm_windows
from jaxcnn._padding import bordered, padding_modes, with_border, zeros
from jaxcnn._reduce import best_of_windows, extremes, first_max, first_min, reduce_each_window, sum_windows
from jaxcnn._symbolic import at_least, larger
from jaxcnn._whole_axis import best_along, sum_along
from jaxcnn._windows import windows_of

ORDERED = ("max", "min")  # these have a winner, so they take no complex numbers
POOL_MODES = (*ORDERED, "mean", "sum", "lp")


def check_mode(function: str, mode: str, x: jax.Array, modes: Sequence[str], more: str = "") -> None:
    """Raise for an unknown mode, and for an x of a dtype that the mode cannot reduce."""
    check_name(function, "mode", mode, modes, more)
    if mode in ORDERED:
        refuse_complex(function, x, mode)
    if mode == "sum" and x.dtype == bool:
        raise TypeError(message(function, "x", "is bool, whose sums do not fit in a bool", "pass x.astype(jnp.int32)"))


def refuse_complex(function: str, x: jax.Array, mode: str = "max") -> None:
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        problem = f"is {x.dtype}, and complex numbers have no {mode}"
        raise TypeError(message(function, "x", problem, "pool their jnp.abs"))


def pool_ordered(mode: str, x: jax.Array, g: Geometry, padding_mode: Any, fill: Any, method: str) -> jax.Array:
    """The largest or smallest cell of each window."""
    lowest, highest = extremes(x.dtype)
    combine, arg, identity = (first_max, jnp.argmax, lowest) if mode == "max" else (first_min, jnp.argmin, highest)
    x, g, border = with_border("pool", x, g.trimmed(), padding_mode, fill, identity=identity)
    if is_global(g) and method != "definition":
        for _ in range(g.n):  # the last axis first, so that the first cell in row-major order wins a tie
            x = best_along.bind(x, axis=-1, lowest=mode == "min")
        return jnp.expand_dims(x, range(x.ndim, x.ndim + g.n))
    of_cells = fill is None and set(border.modes) <= {"constant"}
    if method == "definition":
        on_map = bordered(jnp.ones(g.size, bool), g, zeros(g.n)._replace(fill=not of_cells, beyond=not of_cells))
        return reduce_each_window(partial(_first, arg), x, g, border, on_map)
    return best_of_windows(x, g, border, combine, of_cells=of_cells)


def is_global(g: Geometry) -> bool:
    """Whether there is one window, the whole map."""
    return all(a.window == a.size and a.low == a.high == 0 for a in g.axes)


def _first(arg: Callable[[jax.Array], jax.Array], window: jax.Array, on_map: jax.Array) -> jax.Array:
    """The first winner. A cell of the map wins against padding, and a NaN against all numbers: of several NaN, argmax
    on a GPU names a later one (jax 0.11.2)."""
    window, on_map = window.ravel(), on_map.ravel()
    broken = window != window
    won = on_map & (window == window[arg(window)])
    best = jnp.where(won.any(), jnp.argmax(won), arg(window))
    return window[jnp.where(broken.any(), jnp.argmax(broken), best)]


def pool_sums(
    mode: str, x: jax.Array, g: Geometry, padding_mode: Any, fill: Any, method: str,
    count_include_pad: bool, divisor: int | None,
) -> jax.Array:  # fmt: skip
    """The sum of each window, divided by its count for a mean."""
    g = g.trimmed()
    out_dtype = x.dtype if mode == "sum" else jax.eval_shape(jnp.mean, x).dtype
    cells, on_cells = x.astype(accumulator(out_dtype)), g
    padding_modes("pool", padding_mode, g.n)
    if not count_include_pad:  # then the padding is zeros, whatever its mode
        padding_mode = "constant"
        if fill is not None:
            problem = "means nothing with count_include_pad=False, which leaves the padding out"
            raise ValueError(message("pool", "fill", problem, "pass one of them"))
    cells, on_cells, border = with_border("pool", cells, g, padding_mode, fill)
    if method == "definition":
        total = reduce_each_window(lambda w: jnp.sum(w, dtype=w.dtype), cells, on_cells, border)
    elif is_global(on_cells):
        for _ in range(g.n):
            cells = sum_along(cells, -1)
        total = jnp.expand_dims(cells, range(cells.ndim, cells.ndim + g.n))
    else:
        total = sum_windows(cells, on_cells, border)
    if mode == "mean":
        total = total / (divisor if divisor is not None else _counts(g, count_include_pad, total))
    return total.astype(out_dtype)


def pool_powers(x: jax.Array, g: Geometry, padding_mode: Any, fill: Any, method: str, p: float) -> jax.Array:
    """The p-norm of each window; one that ceil mode cuts short is scaled up to its full count."""
    mean, taps, g = jax.eval_shape(jnp.mean, x).dtype, math.prod(g.window), g.trimmed()
    cells, on_cells, border = with_border("pool", x.astype(accumulator(x.dtype)), g, padding_mode, fill)
    cells, border = magnitudes(cells.astype(accumulator(mean))), border._replace(fill=abs(border.fill))
    if method == "definition":
        y = reduce_each_window(partial(norm, p=p), cells, on_cells, border)
    else:
        y = norm_windows(cells, on_cells, border, p)
    full = (taps / _counts(g, True, y)) ** (1 / p)
    return (y * full).astype(float_info(mean).dtype)


def pool_with(
    f: Callable[..., jax.Array], x: jax.Array, g: Geometry, padding_mode: Any, fill: Any, method: str
) -> jax.Array:
    """Windows reduced by a user's function, which has no identity."""
    modes = padding_modes("pool", padding_mode, g.n)
    overhang = not all(at_least(0, a.overhang) for a in g.axes)
    constant = any(
        mode == "constant" and not at_least(0, larger(a.low, a.high)) for mode, a in zip(modes, g.axes, strict=True)
    )
    if fill is None and (overhang or constant):
        problem = "is None, but a callable mode has no identity to put on the padding or the overhang"
        raise ValueError(message("pool", "fill", problem, "pass fill=..."))
    on_padding = None if overhang and "constant" not in modes else fill  # then fill is for the overhang only
    cells, on_cells, border = with_border("pool", x, g, padding_mode, on_padding, beyond=fill)
    if method == "definition":
        y = reduce_each_window(lambda w: f(w.ravel(), axis=-1), cells, on_cells, border)
    else:
        seen = windows_of(cells, on_cells, border)
        y = f(seen.reshape(*seen.shape[: seen.ndim - g.n], math.prod(g.window)), axis=-1)
    wanted = (*x.shape[: x.ndim - g.n], *g.out)
    if jnp.shape(y) != wanted:
        name, given = getattr(f, "__name__", f), (*wanted, math.prod(g.window))
        problem = f"{name!r} gave shape {jnp.shape(y)} for windows {given}"
        raise ValueError(message("pool", "mode", problem, f"it must reduce the axis it is given, to {wanted}"))
    return y


def _counts(g: Geometry, count_include_pad: bool, like: jax.Array) -> jax.Array:
    """For each window the number of its taps on cells that count. The overhang of ceil mode never counts."""
    counts = jnp.ones((1,) * (like.ndim - g.n), like.dtype)
    for a in g.axes:
        low, high = (0, a.padded) if count_include_pad else a.on_map
        if at_least(0, low) and at_least(high, (a.out - 1) * a.stride + a.span):
            taps = jnp.full(1, a.window, like.dtype)
        else:
            # A constant is divided among devices without communication; what XLA computes it would gather.
            xp: Any = np if isinstance(a.out, int) and a.out <= 65536 else jnp
            start = xp.arange(a.out, dtype=xp.int32) * a.stride
            taps = (a.taps_before(start, high) - a.taps_before(start, low)).astype(like.dtype)
        counts = counts[..., None] * jnp.expand_dims(jnp.asarray(taps), range(counts.ndim))
    return counts
