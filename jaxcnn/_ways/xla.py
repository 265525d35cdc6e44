"""XLA's own convolution, for what it computes fastest: dense layers of many channels, and everything on a GPU."""

from typing import Any

import jax
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._ways.way import way


def correlate(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    # XLA's gradient of a negative padding can abort the process (jaxlib 0.10.2), so that cells are cut off before.
    x = zero_pad(x, [(min(low, 0), min(high, 0)) for low, high in g.padding])
    padding = [(max(low, 0), max(high, 0)) for low, high in g.padding]
    common = jax.numpy.promote_types(x.dtype, kernel.dtype)
    return lax.conv_general_dilated(
        x.astype(common), kernel.astype(common), g.stride, padding, rhs_dilation=g.dilation,
        precision=precision, preferred_element_type=dtype,
    )  # fmt: skip


xla = way(correlate)
