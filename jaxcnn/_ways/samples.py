"""A large batch in blocks of samples, each of which is done with before the next begins.

What is laid out in between then stays in the cache, and below the size from which the allocator takes fresh pages from
the system at each call: LeNet's second layer at batch 1024, the gradient for the data: 87 ms at once, 22 ms in blocks.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._ways.way import Face

# Cells that a block may lay out: 8 MiB of float32.
import os
CELLS = int(os.environ.get('CELLS', 2**21))


def in_blocks_of_samples(face: Face, a: jax.Array, b: jax.Array, *, cells: int, summed: bool) -> jax.Array:
    """`face(a, b)`, where a sample lays out so many cells; `summed` says that b has samples too, and that the sum is over
    them."""
    samples = a.shape[0]
    block = _block(samples, cells) if isinstance(samples, int) else samples  # a symbolic batch is never split
    if block == samples:
        return face(a, b)
    whole = samples - samples % block

    def blocks(array: jax.Array) -> jax.Array:
        return array[:whole].reshape(whole // block, block, *array.shape[1:])

    if summed:
        made = jax.eval_shape(face, a[:block], b[:block])
        add = lambda total, pair: (total + face(*pair), None)
        total, _ = lax.scan(add, jnp.zeros(made.shape, made.dtype), (blocks(a), blocks(b)))
        return total + face(a[whole:], b[whole:]) if whole < samples else total
    y = lax.map(lambda some: face(some, b), blocks(a))
    y = y.reshape(whole, *y.shape[2:])
    return lax.concatenate([y, face(a[whole:], b)], 0) if whole < samples else y


def _block(samples: int, cells: int) -> int:
    """The most samples that fit, down to half as many where that divides the batch."""
    most = max(CELLS // max(cells, 1), 1)
    if most >= samples:
        return samples
    return next((block for block in range(most, most // 2, -1) if samples % block == 0), most)
