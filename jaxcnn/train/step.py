"""One step of training as a pure function, compiled once: `(state, batch) -> (state, metrics)`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from jaxcnn.train.data import Split
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


def new_state(params: Any, optimizer: optax.GradientTransformation) -> State:
    """The state before the first step.

    Args:
      params: a pytree of arrays; they are copied, since a step gives the buffers of its state away.
      optimizer: any optax optimizer.

    Returns:
      A `State` that shares no buffer with anything, nor within itself.

    >>> int(new_state({"w": jnp.ones(3)}, optax.sgd(0.1)).step)
    0
    """
    # Some optimizers keep the parameters themselves; one buffer can't be donated twice.
    params, opt_state = jax.tree.map(jnp.copy, (params, optimizer.init(params)))
    return State(params, opt_state, jnp.zeros((), jnp.int32))


def no_measure(logits: jax.Array, batch: Split) -> Metrics:
    """Nothing beside the loss."""
    return {}


# Samples that a CPU takes at a time: what is made of them stays in its cache. LeNet at batch 1024 takes 65 ms so,
# and 94 ms at once.
BLOCK = 128


def make_step(
    apply: Apply,
    optimizer: optax.GradientTransformation,
    *,
    reduction: str = "mean",
    measure: Measure = no_measure,
) -> Callable[[State, Split], tuple[State, Metrics]]:
    """One jit-compiled step of an optax optimizer down the gradient of the cross-entropy.

    Args:
      apply: parameters and images to logits, each image by itself: on a CPU a large batch is taken in blocks.
      optimizer: any optax optimizer, those that look at the loss or call it (lbfgs, polyak_sgd) included.
      reduction: "mean" or "sum" of the cross-entropy over the batch.
      measure: further metrics of a batch, from its logits.

    Returns:
      `(state, batch) -> (state, metrics)`. The state that goes in is donated: use the one that comes out.
      metrics["loss"] is the loss before the update.

    >>> optimizer = optax.sgd(0.5)
    >>> step = make_step(lambda params, x: x @ params, optimizer)
    >>> state = new_state(jnp.zeros((2, 2)), optimizer)
    >>> state, metrics = step(state, Split(jnp.eye(2), jnp.array([0, 1])))
    >>> round(float(metrics["loss"]), 4), state.params.tolist()
    (0.6931, [[0.125, -0.125], [-0.125, 0.125]])
    """
    optimizer = optax.with_extra_args_support(optimizer)

    def total(params: Any, batch: Split) -> tuple[jax.Array, jax.Array]:
        logits = apply(params, batch.images)
        return cross_entropy(logits, batch.targets, reduction="sum"), logits

    def at_once(params: Any, batch: Split) -> Any:
        return jax.value_and_grad(total, has_aux=True)(params, batch)

    def in_blocks(params: Any, batch: Split) -> Any:
        samples = batch.images.shape[0]
        whole = samples - samples % BLOCK

        def add(sums: Any, block: Split) -> tuple[Any, jax.Array]:
            (loss, logits), gradient = at_once(params, block)
            return jax.tree.map(jnp.add, sums, (loss, gradient)), logits

        blocks = jax.tree.map(lambda a: a[:whole].reshape(whole // BLOCK, BLOCK, *a.shape[1:]), batch)
        (loss, _), gradient = jax.eval_shape(at_once, params, batch)
        nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), (loss, gradient))
        sums, logits = jax.lax.scan(add, nothing, blocks)
        logits = logits.reshape(whole, *logits.shape[2:])
        if whole < samples:
            sums, rest = add(sums, jax.tree.map(lambda a: a[whole:], batch))
            logits = jnp.concatenate([logits, rest])
        return (sums[0], logits), sums[1]

    def step(state: State, batch: Split) -> tuple[State, Metrics]:
        def objective(params: Any) -> jax.Array:
            return cross_entropy(apply(params, batch.images), batch.targets, reduction=reduction)

        if batch.images.shape[0] <= BLOCK:
            (loss, logits), gradient = at_once(state.params, batch)
        else:
            (loss, logits), gradient = jax.lax.platform_dependent(state.params, batch, cpu=in_blocks, default=at_once)
        if reduction == "mean":
            samples = logits.size // logits.shape[-1]
            loss, gradient = jax.tree.map(lambda a: a / samples, (loss, gradient))
        metrics = measure(logits, batch)
        # optax mixes its integer step count with floats and means to, also where the caller is strict.
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = optimizer.update(
                gradient,
                state.opt_state,
                state.params,
                value=loss,
                grad=gradient,
                value_fn=objective,
            )
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.step + 1), {"loss": loss, **metrics}

    return jax.jit(step, donate_argnums=0)
