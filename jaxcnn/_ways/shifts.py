"""Shifted multiply-adds: the whole map times one tap, summed over the taps in one loop; for few channels."""

import functools
import itertools
import operator
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._ways.way import way

# One sum waits for itself at each tap; of four, three go on: depthwise 7x7 takes 1.1 ms so, and 1.8 with one.
CHAINS = 4
# So many running sums at a time: a loop over more of them takes long to compile.
SUMS = 64


def correlate(x: jax.Array, kernel: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    weights = kernel.astype(dtype).reshape(*kernel.shape[:2], -1)
    terms = [
        seen * weights[:, channel, tap].reshape(1, -1, *(1,) * g.n)
        for (channel, tap), seen in _shifted(x.astype(dtype), g)
    ]
    chains = (functools.reduce(operator.add, terms[i::CHAINS]) for i in range(min(CHAINS, len(terms))))
    return functools.reduce(operator.add, chains)


def gather(x: jax.Array, y: jax.Array, g: Geometry, *, dtype: Any, precision: Any) -> jax.Array:
    """The sums of all taps run in one loop, which reads x and y once."""
    products = [seen * y.astype(dtype) for _, seen in _shifted(x.astype(dtype), g)]
    # The last axis, whose cells lie together, and then the rest: many short sums round less than a long one.
    zero, last, rest = np.zeros((), dtype), (1 + g.n,) if g.n else (), (0, *range(2, 1 + g.n))
    sums: list[jax.Array] = []
    for first in range(0, len(products), SUMS):
        some = products[first : first + SUMS]
        sums += lax.reduce(some, [zero] * len(some), _add_each, last)
    return jnp.stack([jnp.sum(row, rest) for row in sums], -1).reshape(y.shape[1], x.shape[1], *g.window)


def _shifted(x: jax.Array, g: Geometry) -> Iterator[tuple[tuple[int, int], jax.Array]]:
    """For each channel and each tap, what the tap sees of it: (samples, 1, *out)."""
    padded = zero_pad(x, g.padding)
    for channel in range(x.shape[1]):
        for tap, at in enumerate(itertools.product(*map(range, g.window))):
            starts = [i * a.dilation for i, a in zip(at, g.axes, strict=True)]
            stops = [start + (a.out - 1) * a.stride + 1 for start, a in zip(starts, g.axes, strict=True)]
            cells = lax.slice(padded, (0, channel, *starts), (x.shape[0], channel + 1, *stops), (1, 1, *g.stride))
            yield (channel, tap), cells


def _add_each(a: Any, b: Any) -> list[jax.Array]:
    return [p + q for p, q in zip(a, b, strict=True)]


shifts = way(correlate, kernel=gather, in_blocks=True, alone=True)
