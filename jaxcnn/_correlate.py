"""`correlate` slides one kernel over maps; `convolve` flips it first; `corr1d`, `corr2d`, `corr3d` check the rank."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxcnn._arrays import as_array, spatial_shape
from jaxcnn._engine.primitive import contract
from jaxcnn._geometry import geometry
from jaxcnn._ranked import kernel_rank, ranked
from jaxcnn._remember import remembered
from jaxcnn._types import Ints, Padding, PaddingMode


@remembered("x", "kernel")
def correlate(
    x: ArrayLike,
    kernel: ArrayLike,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    padding_mode: PaddingMode = "constant",
    fill: ArrayLike = 0,
    method: str = "auto",
) -> jax.Array:
    """Slide one kernel over the last n axes of x, multiply and sum, where n is the kernel's rank.

    correlate(x, kernel)[..., i] = sum over t of padded(x)[..., i * stride + t * dilation] * kernel[t]

    Args:
      x: (*lead, *spatial); every leading index is a map of its own.
      kernel: (*window).
      stride, padding, dilation, padding_mode, fill: as in `windows`.
      method: "auto" picks by static facts; "definition" takes one window at a time, "windows" all of them by one matrix
        product, "rows" the same with the last axis' taps summed afterwards, "shifts" one loop of shifted multiply-adds,
        "fft" a Fourier transform (floats only; a NaN spreads over its map), "xla" XLA's own convolution.
        At JAX's default precision, "auto" may take the transform for a large kernel in float32 (on a CPU from 500 taps
        on, and from 200 for the kernel's gradient): a result is then off by up to 1e-5 of max|x| * sum|kernel|, and a
        NaN spreads. Under `jax.default_matmul_precision("highest")` it never does; `explain` says what a call takes.

    Returns:
      (*lead, *out). Complex kernels are not conjugated.

    Raises:
      ValueError: an x of fewer axes than the kernel, a window larger than the padded map, a stride or dilation below 1,
        an unknown method, or "fft" for integers.
      TypeError: a stride, pad or dilation that is not an int, or is traced.

    >>> x = jnp.arange(9.0).reshape(3, 3)
    >>> correlate(x, jnp.array([[0.0, 1.0], [2.0, 3.0]]))
    Array([[19., 25.],
           [37., 43.]], dtype=float32)

    Source: `corr2d` and `corr3d` of the text that this library starts from, in any rank.
    """
    return _with_one_kernel("correlate", x, kernel, stride, padding, dilation, padding_mode, fill, method)


@remembered("x", "kernel")
def convolve(
    x: ArrayLike,
    kernel: ArrayLike,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    padding_mode: PaddingMode = "constant",
    fill: ArrayLike = 0,
    method: str = "auto",
) -> jax.Array:
    """`correlate` with the kernel flipped on every axis: convolution as mathematics has it.

    convolve(x, kernel)[..., i] = sum over t of padded(x)[..., i * stride + t * dilation] * kernel[window - 1 - t]

    Args:
      x: (*lead, *spatial).
      kernel: (*window).
      stride, padding, dilation, padding_mode, fill: as in `windows`.
      method: as in `correlate`; at JAX's default precision "auto" may take the transform for a large kernel in float32,
        and a result is then off by up to 1e-5 of max|x| * sum|kernel|.

    Returns:
      (*lead, *out).

    Raises:
      ValueError, TypeError: as `correlate`.

    >>> convolve(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 0.5]), padding="FULL")
    Array([0. , 1. , 2.5, 4. , 1.5], dtype=float32)

    numpy's "full" and "valid" are "FULL" and "VALID". Its "same" is "SAME_LOWER" where the kernel is no longer than x;
    lax's "SAME" lies one cell further where the kernel is even:

    >>> convolve(jnp.arange(6.0), jnp.array([1.0, 2.0, 3.0, 4.0]), padding="SAME_LOWER")
    Array([ 1.,  4., 10., 20., 30., 34.], dtype=float32)
    >>> convolve(jnp.arange(6.0), jnp.array([1.0, 2.0, 3.0, 4.0]), padding="SAME")
    Array([ 4., 10., 20., 30., 34., 31.], dtype=float32)

    Source: `numpy.convolve`, in any rank.
    """
    flipped = jnp.flip(as_array("convolve", "kernel", kernel))
    return _with_one_kernel("convolve", x, flipped, stride, padding, dilation, padding_mode, fill, method)


def _with_one_kernel(
    function: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, mode: Any, fill: Any, method: str
) -> jax.Array:
    x, kernel = as_array(function, "x", x), as_array(function, "kernel", kernel)
    spatial = spatial_shape(function, x, kernel.ndim)
    g = geometry(function, spatial, kernel.shape, stride=stride, padding=padding, dilation=dilation)
    channel = x.ndim - kernel.ndim
    maps = jnp.expand_dims(x, channel)  # each map is a sample of one channel
    y = contract(function, maps, kernel[None, None], g, padding_mode=mode, fill=fill, method=method)
    return jnp.squeeze(y, channel)


_EXAMPLE = ">>> {name}(jnp.ones((3,) * {n}), jnp.ones((2,) * {n})).shape == (2,) * {n}\nTrue"

corr1d, corr2d, corr3d = (ranked(correlate, f"corr{n}d", n, kernel_rank(0), _EXAMPLE) for n in (1, 2, 3))
