"""Evaluate a model on all samples of a split."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from jax.sharding import Mesh

from jaxcnn.train.batches import over_batches
from jaxcnn.train.data import Split
from jaxcnn.train.devices import data_parallel
from jaxcnn.train.loss import cross_entropy
from jaxcnn.train.step import Apply, hits


@dataclass(frozen=True)
class Evaluation:
    """A model measured over `count` samples."""

    loss: float
    """Mean cross-entropy."""

    correct: int
    """Samples whose largest logit is their class, or the likeliest one of their row of probabilities."""

    count: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.count


def make_evaluate(
    apply: Apply, *, batch_size: int = 500, mesh: Mesh | None = None
) -> Callable[[Any, Split], Evaluation]:
    """Make a function that evaluates whole splits, the last partial batch included.

    Args:
      apply: parameters and images to logits.
      batch_size: samples at a time, which bounds the memory.
      mesh: devices among which each batch is divided.

    Returns:
      `(params, split) -> Evaluation`.

    >>> import jax.numpy as jnp
    >>> evaluate = make_evaluate(lambda params, x: x * params, batch_size=2)
    >>> result = evaluate(jnp.array(1.0), Split(jnp.eye(3), jnp.array([0, 1, 0])))
    >>> result.correct, result.count, round(result.accuracy, 3)
    (2, 3, 0.667)
    """

    def part(params: Any, batch: Split, weights: Any) -> tuple[Any, Any]:
        logits = apply(params, batch.images)
        return (), (cross_entropy(logits, batch.targets, reduction="none"), hits(logits, batch.targets))

    @jax.jit
    def measure(params: Any, batch: Split) -> tuple[jax.Array, jax.Array]:
        _, (losses, right) = data_parallel(part, mesh)(params, batch)
        return losses.sum(), right.sum()

    def evaluate(params: Any, split: Split) -> Evaluation:
        count = len(split.targets)
        losses, corrects = zip(*over_batches(partial(measure, params), split, batch_size), strict=True)
        return Evaluation(math.fsum(map(float, losses)) / count, sum(map(int, corrects)), count)

    return evaluate
