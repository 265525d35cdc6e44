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
    # stride 2 and a padding of 1: such an axis is padded before.
    before = [(a.low, a.high) if min(a.low, a.high) < 0 or a.window == a.stride == 2 else (0, 0) for a in g.axes]
    x = zero_pad(x, before)
    padding = [(0, 0) if done != (0, 0) else pair for done, pair in zip(before, g.padding, strict=True)]
    common = x.dtype if x.dtype == kernel.dtype else dtype  # where the wider one is a cotangent
    return lax.conv_general_dilated(
        x.astype(common), kernel.astype(common), g.stride, padding, rhs_dilation=g.dilation,
        precision=precision, preferred_element_type=dtype,
    )  # fmt: skip


xla = way(correlate)
