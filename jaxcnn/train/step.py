"""One step of training as a pure function, compiled once: `(state, batch) -> (state, metrics)`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from jax.sharding import Mesh

from jaxcnn.train.augment import Augment
from jaxcnn.train.data import Split
from jaxcnn.train.devices import data_parallel
from jaxcnn.train.loss import cross_entropy

Apply = Callable[[Any, jax.Array], jax.Array]
Metrics = dict[str, jax.Array]
Measure = Callable[[jax.Array, Split], Metrics]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Everything that a step changes."""

    params: Any
    opt_state: Any
    step: jax.Array
    """Updates done so far, int32."""

    key: jax.Array
    """Random key of the run; a step draws from it and from its own number."""


def new_state(params: Any, optimizer: optax.GradientTransformation, seed: int = 0) -> State:
    """The state before the first step.

    Args:
      params: a pytree of arrays; they are copied, since a step donates the buffers of its state.
      optimizer: any optax optimizer.
      seed: of the random key.

    Returns:
      A `State` that shares no buffer with anything, nor within itself.

    >>> int(new_state({"w": jnp.ones(3)}, optax.sgd(0.1)).step)
    0
    """
    # Some optimizers keep the parameters themselves; one buffer can't be donated twice.
    params, opt_state = jax.tree.map(jnp.copy, (params, optimizer.init(params)))
    return State(params, opt_state, jnp.zeros((), jnp.int32), jax.random.key(seed))


def no_measure(logits: jax.Array, batch: Split) -> Metrics:
    """No metrics but the loss and the accuracy."""
    return {}


def hits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Which samples are right, (samples,) of bool: the largest logit is the class, or the likeliest class of the row.

    >>> hits(jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([1, 1])).tolist()
    [True, False]
    """
    classes = targets if targets.ndim < logits.ndim else targets.argmax(axis=-1)
    return logits.argmax(axis=-1) == classes


# A CPU takes this many samples at a time, whose activations stay in its cache: LeNet at batch 1024 takes 65 ms so,
# 94 ms all at once.
BLOCK_SAMPLES = 128


def make_step(
    apply: Apply,
    optimizer: optax.GradientTransformation,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    measure: Measure = no_measure,
    augment: Augment | None = None,
    rate: optax.Schedule | None = None,
    mesh: Mesh | None = None,
) -> Callable[[State, Split], tuple[State, Metrics]]:
    """One jit-compiled step of an optax optimizer down the gradient of the cross-entropy.

    Args:
      apply: parameters and images to logits, each image by itself: on a CPU a large batch is taken in blocks.
      optimizer: any optax optimizer, those that look at the loss or call it (lbfgs, polyak_sgd) included.
      reduction: "mean" or "sum" of the cross-entropy over the batch.
      measure: further metrics of a batch, from its logits.
      augment: what is done to the images first, `(key, images) -> images`.
      rate: the learning rate of a step, for metrics["learning_rate"].
      mesh: devices among which the samples of a batch are divided; the state and the batch lie on all of them.

    Returns:
      `(state, batch) -> (state, metrics)`. The state that goes in is donated: use the one that comes out.
      metrics["loss"] is the loss before the update, metrics["accuracy"] the share of the batch that was right.

    >>> optimizer = optax.sgd(0.5)
    >>> step = make_step(lambda params, x: x @ params, optimizer)
    >>> state = new_state(jnp.zeros((2, 2)), optimizer)
    >>> state, metrics = step(state, Split(jnp.eye(2), jnp.array([0, 1])))
    >>> round(float(metrics["loss"]), 4), state.params.tolist()
    (0.6931, [[0.125, -0.125], [-0.125, 0.125]])
    """
    optimizer = optax.with_extra_args_support(optimizer)
    sums_and_logits = data_parallel(partial(_loss_and_gradient, apply), mesh)

    def step(state: State, batch: Split) -> tuple[State, Metrics]:
        if augment is not None:
            batch = batch._replace(images=augment(jax.random.fold_in(state.key, state.step), batch.images))

        def objective(params: Any) -> jax.Array:
            return cross_entropy(apply(params, batch.images), batch.targets, reduction=reduction)

        (loss, gradient), logits = sums_and_logits(state.params, batch)
        if reduction == "mean":
            samples = logits.size // logits.shape[-1]
            loss, gradient = jax.tree.map(lambda a: a / samples, (loss, gradient))
        metrics = {"loss": loss, "accuracy": hits(logits, batch.targets).mean(), **measure(logits, batch)}
        # optax mixes its integer step count with floats on purpose; a strict caller must not break that.
        with jax.numpy_dtype_promotion("standard"):
            if rate is not None:
                metrics["learning_rate"] = jnp.asarray(rate(state.step), jnp.float32)
            updates, opt_state = optimizer.update(
                gradient, state.opt_state, state.params, value=loss, grad=gradient, value_fn=objective
            )
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.step + 1, state.key), metrics

    return jax.jit(step, donate_argnums=0)


def _loss_and_gradient(apply: Apply, params: Any, batch: Split, weights: Any) -> Any:
    """The sum of the losses with its gradient, and the logits."""

    def total(params: Any, batch: Split, weights: Any) -> tuple[jax.Array, jax.Array]:
        logits = apply(params, batch.images)
        losses = cross_entropy(logits, batch.targets, reduction="none")
        return (losses if weights is None else losses * weights).sum(), logits

    def at_once(params: Any, batch: Split, weights: Any) -> Any:
        (loss, logits), gradient = jax.value_and_grad(total, has_aux=True)(params, batch, weights)
        return (loss, gradient), logits

    def in_blocks(params: Any, batch: Split, weights: Any) -> Any:
        samples = batch.images.shape[0]
        whole = samples - samples % BLOCK_SAMPLES

        def add(sums: Any, block: Any) -> tuple[Any, jax.Array]:
            made, logits = at_once(params, *block)
            return jax.tree.map(jnp.add, sums, made), logits

        blocks = jax.tree.map(lambda a: a[:whole].reshape(-1, BLOCK_SAMPLES, *a.shape[1:]), (batch, weights))
        made, _ = jax.eval_shape(at_once, params, batch, weights)
        sums, logits = jax.lax.scan(add, jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), made), blocks)
        logits = logits.reshape(whole, *logits.shape[2:])
        if whole < samples:
            sums, rest = add(sums, jax.tree.map(lambda a: a[whole:], (batch, weights)))
            logits = jnp.concatenate([logits, rest])
        return sums, logits

    if batch.images.shape[0] <= BLOCK_SAMPLES:
        return at_once(params, batch, weights)
    return jax.lax.platform_dependent(params, batch, weights, cpu=in_blocks, default=at_once)
