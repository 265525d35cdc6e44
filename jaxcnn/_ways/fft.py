"""The Fourier transform: one product a frequency, whatever the size of the kernel.

A NaN or an infinity in one cell spreads over all windows of its map, and rounding is a part of the largest output that
there could be.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import crop, zero_pad
from jaxcnn._ways.way import Way


def _correlate(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    waves = jnp.einsum("sc...,oc...->so...", _map(x, g, dtype), _mirrored(_kernel, kernel, g, dtype))
    y = _cells(waves, g, dtype)
    return y[(..., *(slice(0, (a.out - 1) * a.stride + 1, a.stride) for a in g.axes))]


def _lay_down(y: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    waves = jnp.einsum("so...,oc...->sc...", _outputs(y, g, dtype), _kernel(kernel, g, dtype))
    return crop(_cells(waves, g, dtype)[(..., *(slice(0, a.padded) for a in g.axes))], g.padding)


def _gather(x: jax.Array, y: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    waves = jnp.einsum("sc...,so...->oc...", _map(x, g, dtype), _mirrored(_outputs, y, g, dtype))
    return _cells(waves, g, dtype)[(..., *(slice(0, a.span, a.dilation) for a in g.axes))]


def _map(x: jax.Array, g: Geometry, dtype: Any) -> jax.Array:
    return _waves(zero_pad(x, g.padding), g, (1,) * g.n, dtype)


def _kernel(kernel: jax.Array, g: Geometry, dtype: Any) -> jax.Array:
    return _waves(kernel, g, g.dilation, dtype)


def _outputs(y: jax.Array, g: Geometry, dtype: Any) -> jax.Array:
    return _waves(y, g, g.stride, dtype)


def _mirrored(transform: Any, array: jax.Array, g: Geometry, dtype: Any) -> jax.Array:
    """The waves of an array whose spatial axes run backwards: correlation, where a plain product is convolution."""
    waves: jax.Array = transform(array.conj(), g, dtype).conj()
    return waves


def _waves(array: jax.Array, g: Geometry, apart: tuple[int, ...], dtype: Any) -> jax.Array:
    """The transform of cells that lie `apart`, over a length on which no window wraps around."""
    spread = lax.pad(array.astype(dtype), jnp.zeros((), dtype), [(0, 0, 0)] * 2 + [(0, 0, s - 1) for s in apart])
    *lengths, last = _lengths(g)
    waves = jnp.fft.fft(spread, last) if _is_complex(dtype) else jnp.fft.rfft(spread, last)
    return jnp.fft.fftn(waves, lengths, range(2, 1 + g.n)) if lengths else waves


def _cells(waves: jax.Array, g: Geometry, dtype: Any) -> jax.Array:
    *lengths, last = _lengths(g)
    waves = jnp.fft.ifftn(waves, lengths, range(2, 1 + g.n)) if lengths else waves
    return jnp.fft.ifft(waves, last) if _is_complex(dtype) else jnp.fft.irfft(waves, last)


def _lengths(g: Geometry) -> list[int]:
    return [_smooth(a.padded) for a in g.axes]


def _smooth(least: int) -> int:
    """The next length that has no prime factor above 5, for which the transform is fast."""

    def rest(length: int) -> int:
        for prime in (2, 3, 5):
            while length % prime == 0:
                length //= prime
        return length

    return next(length for length in range(least, 2 * least + 1) if rest(length) == 1)


def _is_complex(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.complexfloating))


fft = Way(_correlate, _lay_down, _gather)
