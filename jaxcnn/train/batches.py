"""Batches on the device, in an order made on the host. Every sample is in one of them."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.data import Split


def epoch_order(seed: int, epoch: int, samples: int) -> NDArray[np.int32]:
    """The order of an epoch's samples: it depends on the run's seed and the epoch alone, and not on the machine.

    >>> sorted(epoch_order(0, 3, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.random.default_rng((seed, epoch)).permutation(np.arange(samples, dtype=np.int32))


def batches(split: Split, size: int, order: NDArray[np.int32]) -> Iterator[Split]:
    """Cut a split on the device into batches of `size` samples, in the order of these indices; the last may be smaller.

    >>> numbers = Split(jnp.arange(5.0), jnp.arange(5))
    >>> [batch.targets.tolist() for batch in batches(numbers, 2, np.array([4, 3, 2, 1, 0], np.int32))]
    [[4, 3], [2, 1], [0]]
    """
    for start in range(0, len(order), size):
        yield gather(split, order[start : start + size])


def over_batches(f: Callable[[Split], Any], split: Split, size: int) -> list[Any]:
    """Apply a function to each batch of a split in order, and fetch the results to the host.

    >>> over_batches(lambda batch: batch.images.sum(), Split(jnp.arange(3.0), jnp.arange(3)), 2)
    [array(1., dtype=float32), array(2., dtype=float32)]
    """
    order = np.arange(len(split.targets), dtype=np.int32)
    # Every batch is dispatched before the first is fetched.
    return jax.device_get([f(batch) for batch in batches(split, size, order)])  # type: ignore[no-any-return]


@jax.jit
def gather(split: Split, indices: Any) -> Split:
    """The samples of a split with these indices."""
    # Jitted: one program per batch size, while slicing outside of jit would dispatch several per batch.
    return Split(*(jnp.take(array, indices, axis=0, mode="clip") for array in split))
