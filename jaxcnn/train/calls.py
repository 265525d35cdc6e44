"""How many steps one call of the device takes. Only this file knows that a run differs between platforms."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from numpy.typing import NDArray

from jaxcnn.train.batches import epoch_order, gather
from jaxcnn.train.data import Split
from jaxcnn.train.step import Metrics, State

Step = Callable[[State, Split], tuple[State, Metrics]]
MAX_STEPS = 256
"""At most this many steps in a call on an accelerator, where dispatching a call takes ten times as long as a step of
LeNet (H200: 1.6 ms per step one at a time, 0.15 ms with 125 steps in a call)."""


def max_steps_per_call(platform: str) -> int:
    """Many on an accelerator; one on a CPU, where XLA runs a scan in one thread.

    >>> max_steps_per_call("cpu"), max_steps_per_call("gpu")
    (1, 256)
    """
    return 1 if platform == "cpu" else MAX_STEPS


def seconds_between_checkpoints(platform: str) -> float:
    """At least this long on an accelerator, which trains seven epochs while a checkpoint is written.

    (H200: an epoch of the default run takes 0.02 s, its checkpoint 0.15 s.)

    >>> seconds_between_checkpoints("cpu"), seconds_between_checkpoints("gpu")
    (0.0, 1.0)
    """
    return 0.0 if platform == "cpu" else 1.0


class Call(NamedTuple):
    """Consecutive steps of one epoch, with the same number of samples each."""

    epoch: int
    """From 1."""

    steps: int | None
    """None is a single step."""

    samples: int
    """Of each step."""

    indices: NDArray[np.int32] | None
    """Which samples: (samples,), or (steps, samples); None is all of them."""


def calls(plan: Any, seed: int, done: int, most: int, save_steps: int | None) -> Iterator[Call]:
    """The calls from step `done` to the last step of a plan.

    A call ends with its epoch and at each checkpoint of `save_steps`. That depends on the number of the step alone, so
    a resumed run makes the same calls. Where fewer steps than usual are left, each is a call of its own.

    Args:
      plan: of the run.
      seed: of the order of the samples.
      done: steps that were done before.
      most: steps in a call.
      save_steps: steps from one checkpoint to the next, or None.
    """
    whole = plan.samples // plan.batch_size  # steps of an epoch with a full batch
    usual = min(most, whole, save_steps or most)
    while done < plan.steps:
        epoch, first = divmod(done, plan.steps_per_epoch)
        order = epoch_order(seed, 1 + epoch, plan.samples) if plan.batch_size < plan.samples else None
        ends = [plan.steps_per_epoch, plan.steps - epoch * plan.steps_per_epoch]
        while first < min(ends):
            to_save = [save_steps - done % save_steps] if save_steps else []
            room = min(usual - first % usual, *to_save, whole - first, min(ends) - first)
            steps = usual if room == usual > 1 else None
            count = steps or 1
            batch = plan.batch_size if first < whole else plan.samples - whole * plan.batch_size
            indices = None
            if order is not None:
                indices = order[first * plan.batch_size :][: count * batch]
                indices = indices.reshape(count, batch) if steps else indices
            yield Call(1 + epoch, steps, batch, indices)
            first, done = first + count, done + count


def make_call(step: Step) -> Callable[[State, Split, Call], tuple[State, Metrics]]:
    """Make of a step the function that runs a call: `(state, split, call) -> (state, metrics)`; the state is donated.

    The metrics have a first axis for the steps, unless the call is a single step.
    """

    @partial(jax.jit, donate_argnums=0, static_argnames="steps")
    def many(state: State, split: Split, indices: Any, *, steps: int) -> tuple[State, Metrics]:
        def one(state: State, some: Any) -> tuple[State, Metrics]:
            return step(state, split if some is None else gather(split, some))

        return lax.scan(one, state, indices, length=steps)

    def call(state: State, split: Split, call: Call) -> tuple[State, Metrics]:
        if call.steps is None:
            return step(state, split if call.indices is None else gather(split, call.indices))
        made: tuple[State, Metrics] = many(state, split, call.indices, steps=call.steps)
        return made

    return call
