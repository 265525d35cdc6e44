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


def make_step(
    apply: Apply,
    optimizer: optax.GradientTransformation,
    *,
    reduction: str = "mean",
    measure: Measure = no_measure,
) -> Callable[[State, Split], tuple[State, Metrics]]:
    """One jit-compiled step of an optax optimizer down the gradient of the cross-entropy.

    Args:
      apply: parameters and images to logits.
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

    def step(state: State, batch: Split) -> tuple[State, Metrics]:
        def objective(params: Any) -> tuple[jax.Array, Metrics]:
            logits = apply(params, batch.images)
            return cross_entropy(logits, batch.targets, reduction=reduction), measure(logits, batch)

        (loss, metrics), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
        # optax mixes its integer step count with floats and means to, also where the caller is strict.
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = optimizer.update(
                gradient,
                state.opt_state,
                state.params,
                value=loss,
                grad=gradient,
                value_fn=lambda params: objective(params)[0],
            )
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.step + 1), {"loss": loss, **metrics}

    return jax.jit(step, donate_argnums=0)
