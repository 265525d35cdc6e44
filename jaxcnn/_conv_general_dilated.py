"""`conv_general_dilated`, with the signature, results and exceptions of `jax.lax.conv_general_dilated`."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike, DTypeLike

from jaxcnn._arrays import as_array
from jaxcnn._engine.primitive import contract, contract_for_kernel, contract_transposed, result_dtype
from jaxcnn._errors import check_groups, integer, is_sequence, message
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._lax_arguments import ints, pairs
from jaxcnn._layout import Layout, read_layout
from jaxcnn._remember import remembered
from jaxcnn._slices import every
from jaxcnn._symbolic import is_symbolic

_NAME = "conv_general_dilated"
# A kernel has at most so many taps where lax's gradient in it is known by its layout.
MOST_OUTPUTS = 256


@remembered("lhs", "rhs")
def conv_general_dilated(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: lax.ConvGeneralDilatedDimensionNumbers = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
    out_sharding: jax.sharding.NamedSharding | jax.sharding.PartitionSpec | None = None,
) -> jax.Array:
    """`jax.lax.conv_general_dilated`, with its signature, results and refusals, computed on windows.

    Args:
      lhs: data, (samples, in_channels, *spatial) unless `dimension_numbers` says otherwise.
      rhs: kernel, (out_channels, in_channels // feature_group_count, *window).
      window_strides: one int per axis.
      padding: "VALID", "SAME" or "SAME_LOWER", or one (low, high) per axis (negative crops, after lhs_dilation).
      lhs_dilation: cells from one cell of lhs to the next, zeros between them.
      rhs_dilation: cells from one tap to the next.
      dimension_numbers: None, three strings such as ("NHWC", "HWIO", "NHWC"), or a `jax.lax.ConvDimensionNumbers`.
      feature_group_count: groups of channels, each of which sees itself only.
      batch_group_count: groups of samples, group i of which meets the kernels of group i only.
      precision, preferred_element_type: as in `conv`.
      out_sharding: where the result shall lie, as in lax.

    Returns:
      The array that lax returns, empty where no window fits.

    Raises:
      TypeError, ValueError, RuntimeError: what lax refuses, with lax's type of exception and a sentence of ours.

    >>> x, k = jnp.ones((8, 32, 32, 3)), jnp.ones((5, 5, 3, 16))
    >>> conv_general_dilated(x, k, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")).shape
    (8, 16, 16, 16)

    Source: `jax.lax.conv_general_dilated`.
    """
    lhs, rhs = as_array(_NAME, "lhs", lhs), as_array(_NAME, "rhs", rhs)
    if lhs.ndim != rhs.ndim:
        problem = f"has {rhs.ndim} axes, but lhs has {lhs.ndim}"
        raise TypeError(message(_NAME, "rhs", problem, "give both the axes of one layout"))
    if lhs.dtype != rhs.dtype:
        raise TypeError(message(_NAME, "rhs", f"is {rhs.dtype}, but lhs is {lhs.dtype}", "convert one of them"))
    if lhs.ndim < 2:
        raise IndexError(message(_NAME, "lhs", f"has shape {lhs.shape}, but needs axes for samples and channels"))
    layout = read_layout(_NAME, dimension_numbers, lhs.ndim)
    x, kernel = jnp.transpose(lhs, layout.lhs), jnp.transpose(rhs, layout.rhs)
    _check_groups(x.shape, kernel.shape, feature_group_count, batch_group_count)
    g, spread = _lax_geometry(x.shape[2:], kernel.shape[2:], window_strides, padding, lhs_dilation, rhs_dilation)
    groups = max(feature_group_count, batch_group_count)
    options: dict[str, Any] = {
        "groups": groups, "precision": precision, "preferred_element_type": preferred_element_type,
        "channels_last": layout.channels_last,
    }  # fmt: skip
    if 0 in (*kernel.shape, *g.out) or 0 in x.shape[1:]:
        dtype = result_dtype(_NAME, lhs.dtype, preferred_element_type)
        y = jnp.zeros((x.shape[0] // batch_group_count, kernel.shape[0], *g.out), dtype)
    elif _is_gradient_in_kernel(layout, kernel, g, spread, groups):
        # Seen as a layer, its channels are the samples and output channels that lax's caller wrote.
        options["channels_last"] = layout.lhs[0] == layout.rhs[0] == lhs.ndim - 1 > 1
        maps = x.swapaxes(0, 1) if batch_group_count > 1 else _samples_as_channels(x, groups)
        y = _gradient_in_kernel(maps, kernel, g, spread, options)
    else:
        if batch_group_count > 1:
            # The groups of samples become groups of channels.
            x = x.reshape(groups, x.shape[0] // groups, *x.shape[1:]).swapaxes(0, 1)
            x = x.reshape(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])
        if any(s > 1 for s in spread):
            # lax's gradient of a strided layer flips the kernel: XLA drops both flips, with no transposition between.
            flipped = jnp.transpose(jnp.flip(rhs, layout.rhs[2:]), layout.rhs)
            y = _over_spread(x, flipped, g, spread, options)
        else:
            y = contract(_NAME, x, kernel, g, **options)
    y = jnp.transpose(y, [layout.out.index(i) for i in range(y.ndim)])
    return y if out_sharding is None else jax.sharding.reshard(y, out_sharding)


def _over_spread(
    x: jax.Array, flipped: jax.Array, g: Geometry, spread: tuple[int, ...], options: dict[str, Any]
) -> jax.Array:
    """Correlate x dilated by `spread`, as a transposed layer: no zero between the cells is multiplied."""
    groups, outs = options["groups"], flipped.shape[0] // options["groups"]
    grouped = flipped.reshape(groups, outs, *flipped.shape[1:]).swapaxes(1, 2)
    rows = grouped.reshape(x.shape[1], outs, *g.window)
    mirrored = zip(
        Geometry(tuple(a._replace(stride=1) for a in g.axes)).mirrored().axes, spread, x.shape[2:], strict=True
    )
    adjoint = Geometry(tuple(a._replace(stride=s) for a, s, m in mirrored))
    return every(contract_transposed(_NAME, x, rows, adjoint, **options), (1, 1, *g.stride))


def _is_gradient_in_kernel(
    layout: Layout, kernel: jax.Array, g: Geometry, spread: tuple[int, ...], groups: int
) -> bool:
    """Whether this is how lax writes the gradient of a layer in its kernel, map over map: with more taps than outputs.

    On small maps of dense layers it is known by its layout, in which the samples of both maps are channels. In groups
    the reading with fewer taps is the faster one: 7x7 on (4,6,6,384) takes 0.46 ms, as the gradient 0.7 ms.
    """
    spelled = all(s == 1 for s in spread) or all(d == 1 for d in g.dilation)
    if not spelled or is_symbolic(*g.window, *g.out) or not jnp.issubdtype(kernel.dtype, jnp.inexact):
        return False  # JAX cannot compare products of several symbols
    taps, outputs = math.prod(g.window), math.prod(g.out)
    small = groups == 1 and outputs <= MOST_OUTPUTS
    return taps > outputs or (small and layout.lhs[1] == layout.rhs[1] == 0)


def _gradient_in_kernel(
    maps: jax.Array, kernel: jax.Array, g: Geometry, spread: tuple[int, ...], options: dict[str, Any]
) -> jax.Array:
    """Compute it as that gradient: the outputs here are the layer's taps, the channels of `maps` its samples."""
    groups, seen = options["groups"], kernel.swapaxes(0, 1)
    if all(s == 1 for s in spread):
        return contract_for_kernel(_NAME, maps, seen, g.of_taps(), **options).swapaxes(0, 1)
    # The gradient of a transposed layer: the kernel is its larger map, and its taps come in the opposite order.
    axes = []
    for a, apart, out in zip(g.axes, spread, g.out, strict=True):
        low = (out - 1) * a.stride - a.low
        high = a.size + (out - 1) * a.stride - a.window - low
        axes.append(Axis(a.window, out, apart, low, high, a.stride))
    y = contract_for_kernel(_NAME, seen, maps, Geometry(tuple(axes)), **options)
    y = y.reshape(groups, -1, *y.shape[1:]).swapaxes(0, 1).reshape(-1, kernel.shape[0], *g.out)
    return jnp.flip(y, range(2, y.ndim))


def _samples_as_channels(x: jax.Array, groups: int) -> jax.Array:
    """(samples, groups * channels, *spatial) to (channels, groups * samples, *spatial)."""
    samples, channels = x.shape[0], x.shape[1] // groups
    grouped = x.reshape(samples, groups, channels, *x.shape[2:]).swapaxes(0, 2)
    return grouped.reshape(channels, groups * samples, *x.shape[2:])


def _check_groups(x: tuple[int, ...], kernel: tuple[int, ...], features: Any, batches: Any) -> None:
    for argument, count in (("feature_group_count", features), ("batch_group_count", batches)):
        integer(_NAME, argument, count, least=1)
    if x[1] % features or x[1] // features != kernel[1]:
        problem = f"is {features}, but lhs has {x[1]} channels and each kernel {kernel[1]}"
        raise ValueError(message(_NAME, "feature_group_count", problem, "channels = groups * channels of a kernel"))
    check_groups(_NAME, "batch_group_count", batches, samples=x[0], out_channels=kernel[0])
    check_groups(_NAME, "feature_group_count", features, out_channels=kernel[0])
    if features > 1 and batches > 1:
        problem = f"is {batches} and feature_group_count is {features}"
        raise ValueError(message(_NAME, "batch_group_count", problem, "only one of them may be above 1"))


def _lax_geometry(
    size: Sequence[int], window: Sequence[int], stride: Any, padding: Any, lhs_dilation: Any, rhs_dilation: Any
) -> tuple[Geometry, tuple[int, ...]]:
    """The windows by lax's rules, which allow no window at all, and lhs_dilation as one int per axis."""
    n = len(window)
    read = partial(ints, _NAME, n=n, whose="the window", wrong_length=ValueError)
    stride = read("window_strides", stride, below_one=ValueError)
    if isinstance(padding, str) and is_sequence(lhs_dilation) and any(s != 1 for s in lhs_dilation):
        problem = f"is {padding!r}, which lax does not define with lhs_dilation"
        raise ValueError(message(_NAME, "padding", problem, "pass pairs, or use conv_transpose"))
    spread, dilation = (
        (1,) * n if values is None else read(argument, values, below_one=TypeError)
        for argument, values in (("lhs_dilation", lhs_dilation), ("rhs_dilation", rhs_dilation))
    )
    if 0 in window:
        raise ValueError(message(_NAME, "rhs", f"has a window of {tuple(window)}, but each side must be at least 1"))
    sizes = [(m - 1) * s + 1 if m else 0 for m, s in zip(size, spread, strict=True)]
    pads = pairs(
        _NAME, padding, sizes, window, stride, dilation,
        whose="the window", unreadable=ValueError, wrong_length=TypeError,
    )  # fmt: skip
    for i, (m, (low, high)) in enumerate(zip(sizes, pads, strict=True)):
        if m + low + high < 0:
            problem = f"({low}, {high}) on axis {i} cuts off more than the {m} cells of lhs"
            raise ValueError(message(_NAME, "padding", problem))
    return Geometry.of(sizes, window, stride, pads, dilation), spread
