"""`pool`: every window of every map reduced to one number; and `pool1d`, `pool2d`, `pool3d`."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import jax
from jax.typing import ArrayLike

from jaxcnn._arrays import as_array, spatial_shape
from jaxcnn._errors import check_name, integer, message, per_axis, rank_of
from jaxcnn._geometry import geometry
from jaxcnn._layout import on_axes_between, spatial_axes, spatial_back, spatial_last
from jaxcnn._padding import padding_modes
from jaxcnn._pool_modes import (
    ORDERED,
    POOL_MODES,
    check_mode,
    is_global,
    pool_ordered,
    pool_powers,
    pool_sums,
    pool_with,
)  # fmt: skip
from jaxcnn._ranked import ranked
from jaxcnn._remember import remembered
from jaxcnn._types import Ints, Padding, PaddingMode, PoolMode

METHODS = ("auto", "windows", "definition")


@remembered("x")
def pool(
    x: ArrayLike,
    window: Sequence[int],
    mode: PoolMode,
    *,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
    padding_mode: PaddingMode = "constant",
    fill: ArrayLike | None = None,
    p: float | None = None,
    axes: Sequence[int] | None = None,
    method: str = "auto",
) -> jax.Array:
    """Reduce every window that slides over the last n axes of x to one number, where n = len(window).

    pool(x, window, "max")[..., i] = max over t of padded(x)[..., i * stride + t * dilation]

    Args:
      x: (*lead, *spatial), or any order with `axes`; every leading index is a map of its own.
      window: one int per axis.
      mode: "max", "min", "mean", "sum", "lp", or a callable `f(w, axis=-1)` such as `jnp.median`, given all taps of a
        window on the last axis. At a tie the whole gradient of max and min goes to the first winner in row-major
        order; a NaN in a window gives NaN; the gradient of lp is 0 at a cell of 0.
      stride: an int or one per axis; None is the window.
      padding, dilation, padding_mode: as in `windows`.
      ceil_mode: the last window may reach past the padded map, if it starts inside the map or its low padding; a window
        larger than the padded map is one window.
      count_include_pad: False leaves the cells of the padding, whatever its mode, out of a mean's sum and divisor.
      divisor: of a mean, in place of the count.
      fill: the cells of constant padding; None is the mode's identity, so that max ignores the padding. A callable has
        none: with padding or an overhang it needs a fill.
      p: of "lp", sum(|x|^p)^(1/p) with p > 0, for p = inf the largest |x|; None is 2. No power overflows. A window cut
        short by ceil mode is scaled up to its full count.
      axes: the spatial axes of x, e.g. (1, 2) for channels last; None is the last n.
      method: "auto", "windows" (slices, one axis at a time) or "definition" (one window at a time).

    Returns:
      (*lead, *out), in the order of x. Sums, means and lp of floats below 32 bits accumulate in float32; means and lp
      of integers are floats.

    Raises:
      ValueError: an unknown mode, an option that means nothing for it, a window larger than the padded map.
      TypeError: a window that is an int (use `pool2d`, say), max of complex numbers, a sum of bools, a traced or
        non-int stride.

    >>> import jax.numpy as jnp
    >>> x = jnp.arange(16.0).reshape(4, 4)
    >>> pool(x, (2, 2), "max")
    Array([[ 5.,  7.],
           [13., 15.]], dtype=float32)

    Source: `pool2d` and `pool3d` of the text that this library starts from, in any rank.
    """
    x = as_array("pool", "x", x)
    n = rank_of("pool", "window", window, f"pass one int per axis, or use pool1d, pool2d or pool3d with {window!r}")
    axes = spatial_axes("pool", x, axes, n)
    moved = spatial_last(x, axes)
    stride = window if stride is None else stride
    g = geometry("pool", spatial_shape("pool", moved, n), window, stride=stride, padding=padding, dilation=dilation,
                 ceil_mode=ceil_mode)  # fmt: skip
    _check_options(mode, method, x, count_include_pad=count_include_pad, divisor=divisor, p=p)
    # An axis without cells holds no window, not even one of a single tap.
    if in_place := list(axes) == sorted(axes) and not is_global(g.trimmed()) and 0 not in x.shape:
        g, padding_mode = on_axes_between(g, padding_modes("pool", padding_mode, n), axes, x.shape)
    else:
        x = moved
    if callable(mode):
        y = pool_with(mode, x, g, padding_mode, fill, method)
    elif mode == "lp":
        y = pool_powers(x, g, padding_mode, fill, method, 2.0 if p is None else float(p))
    elif mode in ORDERED:
        y = pool_ordered(mode, x, g, padding_mode, fill, method)
    else:
        y = pool_sums(mode, x, g, padding_mode, fill, method, count_include_pad, divisor)
    return y if in_place else spatial_back(y, axes)


def _check_options(mode: Any, method: str, x: jax.Array, *, count_include_pad: bool, divisor: Any, p: Any) -> None:
    check_name("pool", "method", method, METHODS)
    if not callable(mode) and not isinstance(mode, str):
        problem = f"must be a string or a callable f(w, axis=-1), not {type(mode).__name__}"
        raise TypeError(message("pool", "mode", problem))
    if isinstance(mode, str):
        check_mode("pool", mode, x, POOL_MODES, " or a callable")
    options = (("divisor", divisor is not None, "mean"), ("count_include_pad", not count_include_pad, "mean"))
    for argument, given, for_mode in (*options, ("p", p is not None, "lp")):
        if given and mode != for_mode:
            raise ValueError(message("pool", argument, f"means nothing for {mode!r}", f"drop it, or use {for_mode!r}"))
    if divisor is not None:
        if integer("pool", "divisor", divisor) == 0:
            raise ValueError(message("pool", "divisor", "is 0", "pass the number to divide by"))
        if not count_include_pad:
            raise ValueError(message("pool", "count_include_pad", "means nothing with a divisor", "pass one of them"))
    if p is not None and (isinstance(p, bool) or not isinstance(p, int | float)):
        raise TypeError(message("pool", "p", f"must be a Python number, not {type(p).__name__}"))
    if p is not None and not p > 0:
        raise ValueError(message("pool", "p", f"is {p}, but must be above 0", "for p = -inf pool jnp.abs(x) by min"))


_EXAMPLE = """\
>>> import jax.numpy as jnp
>>> {name}(jnp.ones((3,) + (8,) * {n}), 2, "mean").shape == (3,) + (4,) * {n}
True"""


class _PoolOfRank(Protocol):
    """The type of `pool2d`: that of `pool`, but an int is a window too."""

    def __call__(
        self, x: ArrayLike, window: Ints, mode: PoolMode, *, stride: Ints | None = None, padding: Padding = 0,
        dilation: Ints = 1, ceil_mode: bool = False, count_include_pad: bool = True, divisor: int | None = None,
        padding_mode: PaddingMode = "constant", fill: ArrayLike | None = None, p: float | None = None,
        axes: Sequence[int] | None = None, method: str = "auto",
    ) -> jax.Array: ...  # fmt: skip


pool1d, pool2d, pool3d = (
    cast(_PoolOfRank, ranked(pool, f"pool{n}d", n, lambda name, window, n: per_axis(name, "window", window, n, least=1),
                             _EXAMPLE)) for n in (1, 2, 3)
)  # fmt: skip
