"""`conv_transpose`, the transposed layer: the adjoint of the zero-padded `conv`; `conv_transpose1d`, `2d` and `3d`."""

from typing import Any

import jax
from jax import lax
from jax.typing import ArrayLike, DTypeLike

from jaxcnn._engine.primitive import contract_transposed
from jaxcnn._errors import check_groups, integer, message, per_axis, require_at_least
from jaxcnn._geometry import Geometry, padding_pairs
from jaxcnn._layout import add_bias, read_layer
from jaxcnn._ranked import kernel_rank, ranked
from jaxcnn._remember import remembered
from jaxcnn._symbolic import is_symbolic
from jaxcnn._types import Ints, Padding


@remembered("x", "kernel", "bias")
def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    dimension_numbers: lax.ConvGeneralDilatedDimensionNumbers = None,
    method: str = "auto",
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    """Add the kernel, times each cell of x, to the output at places a stride apart: the adjoint of `conv`.

    <conv_transpose(y, kernel), x> = <y, conv(x, kernel)> with the same stride, padding, dilation and groups

    size_out = (size - 1) * stride + (window - 1) * dilation + 1 - low - high + output_padding, on each axis

    Args:
      x: (samples, in_channels, *spatial), or one sample (in_channels, *spatial).
      kernel: (in_channels, out_channels // groups, *window).
      bias: (out_channels,).
      stride, dilation: an int or one int per axis.
      padding: how much is cut off at the ends, in any form that `conv` takes; negative extends by zeros. "SAME" and
        "SAME_LOWER" give size * stride.
      output_padding: cells more at the high end, an int or one per axis, below the larger of stride and dilation.
      groups: channels of group i of x go to group i of the output only.
      dimension_numbers: another layout, in any of lax's forms; "I" of the kernel are the channels of x.
      method, precision, preferred_element_type: as in `conv`.

    Returns:
      (samples, out_channels, *size_out), without the first axis for one sample.

    Raises:
      ValueError: ranks, channels, groups or a bias that do not fit, an x without cells, a padding that leaves nothing
        of the output, an output_padding out of its range.
      TypeError: as `conv`.

    >>> import jax.numpy as jnp
    >>> conv_transpose(jnp.array([[[1.0, 10.0]]]), jnp.array([[[1.0, 2.0, 3.0]]]), stride=2)
    Array([[[ 1.,  2., 13., 20., 30.]]], dtype=float32)

    Source: `torch.nn.functional.conv_transpose2d` and ONNX's ConvTranspose, with the same result.
    """
    function = "conv_transpose"
    layer = read_layer(function, x, kernel, dimension_numbers, in_first=True)
    kernel = layer.kernel.swapaxes(0, 1)  # our in_channels are the out_channels of the `conv` whose adjoint this is
    groups = integer(function, "groups", groups, least=1)
    _check_channels(layer.x.shape[1], kernel.shape, groups)
    g = _geometry(layer.x.shape[2:], kernel.shape[2:], stride, padding, output_padding, dilation)
    y = contract_transposed(
        function, layer.x, kernel, g, groups=groups,
        method=method, precision=precision, preferred_element_type=preferred_element_type,
        channels_last=layer.channels_last,
    )  # fmt: skip
    return layer.restore(add_bias(function, y, bias))


def _geometry(
    size: tuple[int, ...], window: tuple[int, ...], stride: Any, padding: Any, output_padding: Any, dilation: Any
) -> Geometry:
    """The windows on the output: one for each cell of x."""
    function, n = "conv_transpose", len(window)
    window = per_axis(function, "window", window, n, least=1)
    stride = per_axis(function, "stride", stride, n, least=1)
    dilation = per_axis(function, "dilation", dilation, n, least=1)
    extra = per_axis(function, "output_padding", output_padding, n, least=0)
    if 0 in size:
        raise ValueError(message(function, "x", f"has no cells: its spatial shape is {size}"))
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    whole = [(m - 1) * s + span for m, s, span in zip(size, stride, spans, strict=True)]
    same = [m * s for m, s in zip(size, stride, strict=True)]
    pairs = padding_pairs(function, padding, same, window, stride, dilation)
    if padding in ("SAME", "SAME_LOWER"):
        if any(extra):
            problem = f"is {extra}, but padding {padding!r} fixes the size of the output"
            raise ValueError(message(function, "output_padding", problem, "drop it, or pass the padding in numbers"))
        pairs = tuple((low, full - low - out) for (low, _), full, out in zip(pairs, whole, same, strict=True))
    for i, (full, (low, high), more, s, d) in enumerate(zip(whole, pairs, extra, stride, dilation, strict=True)):
        if more >= max(s, d):
            problem = f"on axis {i} is {more}, but must be below the larger of stride {s} and dilation {d}"
            raise ValueError(message(function, "output_padding", problem))
        if is_symbolic(full, low, high):
            left = full - low - high + more
            problem = f"({low}, {high}) on axis {i} leaves {left} cells"
            require_at_least(function, "padding", problem, left, 1)
        elif full - low - high + more < 1:
            problem = f"({low}, {high}) on axis {i} leaves nothing of an output of {full} + {more} cells"
            raise ValueError(message(function, "padding", problem, "cut off less"))
    pairs = tuple((low, high - more) for (low, high), more in zip(pairs, extra, strict=True))
    sizes = tuple(full - low - high for full, (low, high) in zip(whole, pairs, strict=True))
    return Geometry.of(sizes, window, stride, pairs, dilation)


def _check_channels(channels: int, kernel: tuple[int, ...], groups: int) -> None:
    if kernel[0] != channels:
        problem = f"has {kernel[0]} input channels, but x has {channels}"
        remedy = "pass a kernel (in_channels, out_channels // groups, *window)"
        raise ValueError(message("conv_transpose", "kernel", problem, remedy))
    check_groups("conv_transpose", "groups", groups, in_channels=channels)


_EXAMPLE = """\
>>> import jax.numpy as jnp
>>> {name}(jnp.ones((5, 4) + (9,) * {n}), jnp.ones((4, 3) + (2,) * {n}), stride=2).shape == (5, 3) + (18,) * {n}
True"""

conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    ranked(conv_transpose, f"conv_transpose{n}d", n, kernel_rank(2), _EXAMPLE) for n in (1, 2, 3)
)
