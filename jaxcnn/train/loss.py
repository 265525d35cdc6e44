"""Cross-entropy from logits, and the entropy, which is its least value."""

from typing import Literal

import jax
import jax.numpy as jnp

Reduction = Literal["mean", "sum", "none"]


def cross_entropy(logits: jax.Array, targets: jax.Array, *, reduction: Reduction = "mean") -> jax.Array:
    """Cross-entropy between targets and the softmax of logits, `-sum(target * log_softmax(logits))`.

    By log-softmax: the textbook form `log(exp(x) / sum(exp(x)))` overflows where a logit passes 88 in float32.

    Args:
      logits: (*samples, classes), floating; bfloat16 and float16 are reduced in float32.
      targets: (*samples,) class indices, or (*samples, classes) rows of probabilities. An index outside the
        classes gives NaN.
      reduction: "mean" or "sum" over the samples, or "none".

    Returns:
      A scalar, or (*samples,) without a reduction.

    Raises:
      ValueError: targets whose shape fits neither form, an unknown reduction.
      TypeError: logits that are not floating, targets that are neither integers nor floating.

    >>> logits = jnp.array([[0.0, 1000.0], [0.0, 0.0]])
    >>> round(float(cross_entropy(logits, jnp.array([0, 0]), reduction="sum")), 3)
    1000.693
    >>> round(float(cross_entropy(logits, jnp.array([[0.0, 1.0], [0.5, 0.5]]))), 3)
    0.347

    Source: Goodfellow, Bengio, Courville, "Deep Learning", 2016, section 6.2.2.
    """
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"cross_entropy: logits: {logits.dtype} is not floating; give logits.astype(jnp.float32)")
    narrow = logits.dtype.itemsize < 4
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32) if narrow else logits)
    if jnp.issubdtype(targets.dtype, jnp.integer):
        _same_shape(targets, logits.shape[:-1], "class indices")
        losses = -_pick(log_probabilities, targets.astype(jnp.int32))
    elif jnp.issubdtype(targets.dtype, jnp.floating):
        _same_shape(targets, logits.shape, "rows of probabilities")
        losses = -_weigh(targets.astype(log_probabilities.dtype), log_probabilities)
    else:
        raise TypeError(f"cross_entropy: targets: {targets.dtype} is neither class indices nor probabilities")
    return _reduce(losses, reduction)


def entropy(probabilities: jax.Array, *, reduction: Literal["mean", "sum"] = "mean") -> jax.Array:
    """Entropy of rows of probabilities: the least that `cross_entropy` with these targets can be.

    Args:
      probabilities: (*samples, classes).
      reduction: "mean" or "sum" over the samples.

    Returns:
      A scalar.

    Raises:
      ValueError: an unknown reduction.

    >>> round(float(entropy(jnp.array([[0.5, 0.5], [1.0, 0.0]]), reduction="sum")), 3)
    0.693

    Source: Shannon, "A Mathematical Theory of Communication", 1948, section 6.
    """
    return _reduce(-_weigh(probabilities, jnp.log(probabilities)), reduction)


def _pick(logs: jax.Array, index: jax.Array) -> jax.Array:
    """The entry of each sample's class; NaN for an index outside the classes, also a negative one."""
    index = jnp.where(index < 0, logs.shape[-1], index)
    return jnp.take_along_axis(logs, index[..., None], axis=-1, mode="fill")[..., 0]


def _weigh(probabilities: jax.Array, logs: jax.Array) -> jax.Array:
    """Sum of p log q over the classes, where 0 log 0 is 0."""
    nothing = (probabilities == 0) & jnp.isneginf(logs)
    return (probabilities * jnp.where(nothing, 0, logs)).sum(axis=-1)


def _reduce(losses: jax.Array, reduction: Reduction) -> jax.Array:
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f"cross_entropy: reduction: {reduction!r} is unknown; take 'mean', 'sum' or 'none'")


def _same_shape(targets: jax.Array, shape: tuple[int, ...], what: str) -> None:
    if targets.shape != shape:
        raise ValueError(
            f"cross_entropy: targets: {what} of shape {targets.shape} don't fit logits that ask for {shape}; "
            "give one index, or one row of probabilities, to each sample"
        )
