"""The p-norm of windows. Each number is divided by the largest one before its power is taken, so none overflows."""

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import Border
from jaxcnn._reduce import Cells, Combine, best_of_windows, first_max, reduce_windows, sum_windows
from jaxcnn._windowed import Share, windowed


def magnitudes(x: jax.Array) -> jax.Array:
    """Absolute values with a gradient of 0 at 0."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return jnp.abs(x)
    return x * lax.stop_gradient(jnp.sign(x))


def norm_windows(cells: jax.Array, g: Geometry, border: Border, p: float) -> jax.Array:
    """sum(cell ** p) ** (1 / p) over each window of cells that are not negative; for p = inf the largest."""
    if p == math.inf:
        return best_of_windows(cells, g, border, first_max, of_cells=False)
    if p == 1:
        return sum_windows(cells, g, border)
    return windowed(Norm(p), cells, g, border)


@dataclass(frozen=True)
class Norm:
    """A function of windows: the p-norm of each."""

    p: float

    def __call__(self, share: Share, x: jax.Array) -> jax.Array:
        return reduce_windows((x,), share.g, _norm_of_two(self.p))[0]


def norm(cells: jax.Array, p: float) -> jax.Array:
    """The p-norm of all cells."""
    if p == math.inf:
        return cells.ravel()[cells.argmax()]
    largest = _scale(cells.max())
    return _back(jnp.sum(_power(cells / largest, p)), largest, p)


@functools.cache
def _norm_of_two(p: float) -> Combine:
    """Combine two norms: the norm of a window is the norm of the norms of its parts."""

    def combine(a: Cells, b: Cells) -> Cells:
        largest = _scale(lax.max(a[0], b[0]))
        return (_back(_power(a[0] / largest, p) + _power(b[0] / largest, p), largest, p),)

    return combine


def _scale(largest: jax.Array) -> jax.Array:
    """The divisor: the largest number, or 1 if that is 0 or infinite. It changes neither the norm nor its gradient."""
    return lax.stop_gradient(jnp.where((largest == 0) | jnp.isinf(largest), 1, largest))


def _power(cells: jax.Array, p: float) -> jax.Array:
    """The p-th power with a gradient of 0 at 0, where it is infinite for p below 1."""
    if p.is_integer():
        return cells ** int(p)
    is_zero = cells == 0
    return jnp.where(is_zero, 0, jnp.where(is_zero, 1, cells) ** p)


def _back(total: jax.Array, largest: jax.Array, p: float) -> jax.Array:
    """The p-th root, scaled back, with a gradient of 0 at 0."""
    is_zero = total == 0
    safe = jnp.where(is_zero, 1, total)
    root = jnp.sqrt(safe) if p == 2 else safe ** (1 / p)
    return jnp.where(is_zero, 0, root * largest)
