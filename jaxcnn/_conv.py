"""The layer of correlations: samples, channels, groups and a bias around `correlate`'s one kernel."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._geometry import integer, refuse
from jaxcnn._padding import as_array
from jaxcnn._ranked import kernel_rank, ranked
from jaxcnn._ways.choose import contract


def conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: Any = "constant",
    fill: Any = 0,
    method: str = "auto",
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """A layer's correlation: each output channel sums the input channels, each correlated with its own kernel.

    conv(x, kernel, bias)[s, o] = bias[o] + sum over c of correlate(x[s, c], kernel[o, c])

    Args:
      x: (samples, in_channels, *spatial), or one sample (in_channels, *spatial).
      kernel: (out_channels, in_channels // groups, *window).
      bias: (out_channels,).
      stride, padding, dilation, padding_mode, fill: as in `windows`.
      groups: output channels of group i see only the input channels of group i; in_channels groups is depthwise.
      method: as in `correlate`.
      precision: of the products, as in `jax.lax.dot_general`.
      preferred_element_type: dtype in which to accumulate and return, e.g. int32 for int8 data.

    Returns:
      (samples, out_channels, *out), without the first axis for one sample.

    Raises:
      ValueError: ranks, channels, groups or a bias that do not fit, a window larger than the padded map.
      TypeError: a stride, pad, dilation or number of groups that is not an int, or is traced.

    >>> conv(jnp.ones((8, 3, 32, 32)), jnp.ones((16, 3, 5, 5)), jnp.zeros(16), stride=2, padding=2).shape
    (8, 16, 16, 16)

    Source: the convolutional layer of LeCun et al., 1998, and `jax.lax.conv_general_dilated`.
    """
    x, kernel = as_array("conv", "x", x), as_array("conv", "kernel", kernel)
    n = kernel.ndim - 2
    if n < 0:
        problem = f"has shape {kernel.shape}, but must be (out_channels, in_channels // groups, *window)"
        raise ValueError(refuse("conv", "kernel", problem, "for one kernel without channels use correlate"))
    if x.ndim not in (n + 1, n + 2):
        problem = f"has shape {x.shape}, but this kernel takes (samples, in_channels, *spatial): {n + 2} axes"
        raise ValueError(refuse("conv", "x", problem, "for maps without channels use x[:, None] and kernel[:, None]"))
    unbatched = x.ndim == n + 1
    groups = integer("conv", "groups", groups, least=1)
    samples = x[None] if unbatched else x
    _check_channels("conv", samples.shape[1], kernel.shape, groups)
    y = contract(
        "conv", samples, kernel, groups=groups, stride=stride, padding=padding, dilation=dilation,
        padding_mode=padding_mode, fill=fill, method=method,
        precision=precision, preferred_element_type=preferred_element_type,
    )  # fmt: skip
    if bias is not None:
        y = add_bias("conv", y, bias)
    return y[0] if unbatched else y


def _check_channels(function: str, channels: int, kernel: tuple[int, ...], groups: int) -> None:
    outs, ins = kernel[:2]
    if channels % groups or outs % groups:
        name, number = ("in_channels", channels) if channels % groups else ("out_channels", outs)
        problem = f"is {groups}, which does not divide the {number} {name}"
        raise ValueError(
            refuse(function, "groups", problem, "both in_channels and out_channels must be multiples of it")
        )
    if ins * groups != channels:
        problem = (
            f"has {ins} input channels, but x has {channels} channels in {groups} group(s), so {channels // groups}"
        )
        fits = (
            f"use groups={channels // ins}"
            if ins and channels % ins == 0
            else f"pass a kernel ({outs}, {channels // groups}, *window)"
        )
        raise ValueError(refuse(function, "kernel", problem, fits))


def add_bias(function: str, y: jax.Array, bias: jax.Array) -> jax.Array:
    """y (samples, out_channels, *out) plus one bias per output channel."""
    bias = as_array(function, "bias", bias)
    if bias.shape != y.shape[1:2]:
        problem = f"has shape {bias.shape}, but there is one bias per output channel: {y.shape[1:2]}"
        raise ValueError(refuse(function, "bias", problem, "pass bias[:, 0]" if bias.ndim == 2 else ""))
    return y + jnp.expand_dims(bias, (0, *range(2, y.ndim)))


_EXAMPLE = """\
>>> {name}(jnp.ones((5, 4) + (9,) * {n}), jnp.ones((6, 2) + (3,) * {n}), groups=2).shape == (5, 6) + (7,) * {n}
True"""

conv1d, conv2d, conv3d = (ranked(conv, f"conv{n}d", n, kernel_rank(2), _EXAMPLE) for n in (1, 2, 3))
