"""The Fourier transform: one product a frequency, whatever the size of the kernel.

A NaN or an infinity in one cell spreads over all windows of its map, and rounding is a part of the largest output that
there could be. The operands are divided by powers of two, which round nothing, as large as the number of cells that are
summed: so the sum of a whole map does not overflow where that of a window does not. Powers that follow from the largest
cell would keep numbers below 1e-30 too, and cost a third more time.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm, Contraction
from jaxcnn._engine.problem import Problem
from jaxcnn._padding import crop, zero_pad
from jaxcnn._symbolic import is_symbolic


def _correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    waves = jnp.einsum("sgi...,goi...->sgo...", _map(problem, x), _mirrored(_kernel, problem, kernel))
    y = _cells(problem, waves)
    return y[(..., *(slice(0, (a.out - 1) * a.stride + 1, a.stride) for a in problem.geometry.axes))]


def _lay_down(problem: Problem, y: jax.Array, kernel: jax.Array) -> jax.Array:
    waves = jnp.einsum("sgo...,goi...->sgi...", _outputs(problem, y), _kernel(problem, kernel))
    padded = _cells(problem, waves)[(..., *(slice(0, a.padded) for a in problem.geometry.axes))]
    return crop(padded, problem.geometry.padding)


def _gather(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    waves = jnp.einsum("sgi...,sgo...->goi...", _map(problem, x), _mirrored(_outputs, problem, y))
    return _cells(problem, waves)[(..., *(slice(0, a.span, a.dilation) for a in problem.geometry.axes))]


def _scaled(transform: Contraction) -> Contraction:
    """`transform` of operands over powers of two, and its result given these back."""

    def made(problem: Problem, a: jax.Array, b: jax.Array) -> jax.Array:
        powers = [math.ceil(math.log2(max(math.prod(array.shape[3:]), 1))) for array in (a, b)]
        a, b = (array.astype(problem.summed) * 2.0**-power for array, power in zip((a, b), powers, strict=True))
        return transform(problem, a, b) * 2.0 ** sum(powers)

    return made


def _map(problem: Problem, x: jax.Array) -> jax.Array:
    return _waves(problem, zero_pad(x, problem.geometry.padding), (1,) * problem.geometry.n)


def _kernel(problem: Problem, kernel: jax.Array) -> jax.Array:
    return _waves(problem, kernel, problem.geometry.dilation)


def _outputs(problem: Problem, y: jax.Array) -> jax.Array:
    return _waves(problem, y, problem.geometry.stride)


def _mirrored(transform: Callable[[Problem, jax.Array], jax.Array], problem: Problem, array: jax.Array) -> jax.Array:
    """The waves of an array whose spatial axes run backwards: correlation, where a plain product is convolution."""
    return transform(problem, array.conj()).conj()


def _waves(problem: Problem, array: jax.Array, apart: Sequence[int]) -> jax.Array:
    """The transform of cells that lie `apart`, over a length on which no window wraps around."""
    zero = jnp.zeros((), problem.summed)
    spread = lax.pad(array.astype(problem.summed), zero, [(0, 0, 0)] * 3 + [(0, 0, step - 1) for step in apart])
    *lengths, last = _lengths(problem)

    def transform(maps: jax.Array) -> jax.Array:
        waves = jnp.fft.fft(maps, last) if _is_complex(problem) else jnp.fft.rfft(maps, last)
        return jnp.fft.fftn(waves, lengths, range(1, problem.geometry.n)) if lengths else waves

    return _of_each_map(transform, spread)


def _cells(problem: Problem, waves: jax.Array) -> jax.Array:
    *lengths, last = _lengths(problem)

    def transform(maps: jax.Array) -> jax.Array:
        waves = jnp.fft.ifftn(maps, lengths, range(1, problem.geometry.n)) if lengths else maps
        return jnp.fft.ifft(waves, last) if _is_complex(problem) else jnp.fft.irfft(waves, last)

    return _of_each_map(transform, waves)


def _of_each_map(transform: Callable[[jax.Array], jax.Array], array: jax.Array) -> jax.Array:
    """With one axis for all maps: on several devices XLA (jaxlib 0.10.2) changes the order of axes of length 1, which
    its transform refuses."""
    made = transform(array.reshape(math.prod(array.shape[:3]), *array.shape[3:]))
    return made.reshape(*array.shape[:3], *made.shape[1:])


def _lengths(problem: Problem) -> list[int]:
    return [_smooth(a.padded) for a in problem.geometry.axes]


def _smooth(least: Any) -> Any:
    """The next length that has no prime factor above 5, for which the transform is fast."""

    def rest(length: int) -> int:
        for prime in (2, 3, 5):
            while length % prime == 0:
                length //= prime
        return length

    return next(length for length in range(least, 2 * least + 1) if rest(length) == 1)


def _is_complex(problem: Problem) -> bool:
    return bool(jnp.issubdtype(problem.summed, jnp.complexfloating))


def _can(problem: Problem) -> bool:
    """Neither integers, which it would round, nor a map without axes, nor one whose size XLA does not know."""
    return not problem.exact and problem.geometry.n > 0 and not is_symbolic(*(a.padded for a in problem.geometry.axes))


fft = Algorithm(
    "fft", _scaled(_correlate), _scaled(_lay_down), _scaled(_gather), can=_can,
    caution="off by up to 1e-5 of the largest result there could be; a NaN spreads over its map",
)  # fmt: skip
