"""`conv`, the convolutional layer with samples, channels, groups and a bias; and `conv1d`, `conv2d`, `conv3d`."""

import jax
from jax import lax
from jax.typing import ArrayLike, DTypeLike

from jaxcnn._engine.primitive import contract
from jaxcnn._errors import check_groups, integer, message
from jaxcnn._geometry import geometry
from jaxcnn._layout import add_bias, read_layer
from jaxcnn._ranked import kernel_rank, ranked
from jaxcnn._remember import remembered
from jaxcnn._types import Ints, Padding, PaddingMode


@remembered("x", "kernel", "bias")
def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "constant",
    fill: ArrayLike = 0,
    dimension_numbers: lax.ConvGeneralDilatedDimensionNumbers = None,
    method: str = "auto",
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    """A layer's correlation: each output channel sums the input channels, each correlated with its own kernel.

    conv(x, kernel, bias)[s, o] = bias[o] + sum over c of correlate(x[s, c], kernel[o, c])

    Args:
      x: (samples, in_channels, *spatial), or one sample (in_channels, *spatial).
      kernel: (out_channels, in_channels // groups, *window).
      bias: (out_channels,).
      stride, padding, dilation, padding_mode, fill: as in `windows`.
      groups: output channels of group i see only the input channels of group i; in_channels groups is depthwise.
      dimension_numbers: another layout, in any of lax's forms, e.g. ("NHWC", "HWIO", "NHWC").
      method: as in `correlate`.
      precision: of the products, as in `jax.lax.dot_general`. At the default one "auto" may take a Fourier transform
        for a large depthwise kernel in float32 (on a CPU from 900 taps on, and from 200 for the kernel's gradient): a
        result is then off by up to 1e-5 of max|x| * sum|kernel|, and a NaN spreads over its map; at "highest" it never
        does, and `explain` says what a call takes.
      preferred_element_type: dtype in which to accumulate and return, e.g. int32 for int8 data.

    Returns:
      (samples, out_channels, *out), without the first axis for one sample.

    Raises:
      ValueError: ranks, channels, groups or a bias that do not fit, a window larger than the padded map.
      TypeError: a stride, pad, dilation or number of groups that is not an int, or is traced; a
        preferred_element_type that cannot hold the sums.

    >>> import jax.numpy as jnp
    >>> conv(jnp.ones((8, 3, 32, 32)), jnp.ones((16, 3, 5, 5)), jnp.zeros(16), stride=2, padding=2).shape
    (8, 16, 16, 16)

    Source: the convolutional layer of LeCun et al., 1998, and `jax.lax.conv_general_dilated`.
    """
    layer = read_layer("conv", x, kernel, dimension_numbers)
    groups = integer("conv", "groups", groups, least=1)
    _check_channels(layer.x.shape[1], layer.kernel.shape, groups)
    g = geometry("conv", layer.x.shape[2:], layer.kernel.shape[2:], stride=stride, padding=padding, dilation=dilation)
    y = contract(
        "conv", layer.x, layer.kernel, g, padding_mode=padding_mode, fill=fill, groups=groups,
        method=method, precision=precision, preferred_element_type=preferred_element_type,
        channels_last=layer.channels_last,
    )  # fmt: skip
    return layer.restore(add_bias("conv", y, bias))


def _check_channels(channels: int, kernel: tuple[int, ...], groups: int) -> None:
    outs, ins = kernel[:2]
    check_groups("conv", "groups", groups, in_channels=channels, out_channels=outs)
    if ins * groups != channels:
        problem = (
            f"has {ins} input channels, but x has {channels} channels in {groups} group(s), so {channels // groups}"
        )
        fits = (
            f"use groups={channels // ins}"
            if ins and channels % ins == 0
            else f"pass a kernel ({outs}, {channels // groups}, *window)"
        )
        raise ValueError(message("conv", "kernel", problem, fits))


_EXAMPLE = """\
>>> import jax.numpy as jnp
>>> {name}(jnp.ones((5, 4) + (9,) * {n}), jnp.ones((6, 2) + (3,) * {n}), groups=2).shape == (5, 6) + (7,) * {n}
True"""

conv1d, conv2d, conv3d = (ranked(conv, f"conv{n}d", n, kernel_rank(2), _EXAMPLE) for n in (1, 2, 3))
