"""XLA's own convolution, for what it computes fastest: dense layers of many channels, and everything on a GPU.

On a CPU it makes of groups in float64 one kernel with zeros between them, which spread a NaN over all groups.
"""

from typing import Any

import jax
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._ways.way import way


def correlate(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    # XLA's gradient (jaxlib 0.10.2) can abort the process for a negative padding, and on a CPU for windows of 2 with
    # stride 2 and a padding of 1: such cells are cut off, and put on, before.
    before = [
        (low, high) if a.window == a.stride == 2 else (min(low, 0), min(high, 0))
        for a, (low, high) in zip(g.axes, g.padding, strict=True)
    ]
    x = zero_pad(x, before)
    padding = [(low - cut, high - off) for (low, high), (cut, off) in zip(g.padding, before, strict=True)]
    common = x.dtype if x.dtype == kernel.dtype else dtype  # where the wider one is a cotangent
    return lax.conv_general_dilated(
        x.astype(common), kernel.astype(common), g.stride, padding, rhs_dilation=g.dilation,
        precision=precision, preferred_element_type=dtype,
    )  # fmt: skip


xla = way(correlate)
