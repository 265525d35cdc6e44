"""The training loop, until the last step or until it is told to stop."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import jax

from jaxcnn.train.calls import calls, make_call, max_steps_per_call, seconds_between_checkpoints
from jaxcnn.train.config import MOST, Config
from jaxcnn.train.data import Data, Split
from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation
from jaxcnn.train.step import Metrics, State
from jaxcnn.train.tracker import FROM_THE_START, Progress, Tracker, Watcher


@dataclass(frozen=True)
class Plan:
    """The length of a run."""

    samples: int
    batch_size: int
    steps_per_epoch: int
    steps: int
    epochs: int
    """Epochs that are begun; `steps` may end inside the last."""

    def images(self, steps: int) -> int:
        """How many images this many steps see; an image counts each time."""
        epochs, rest = divmod(steps, self.steps_per_epoch)
        return epochs * self.samples + rest * self.batch_size


def make_plan(config: Config, samples: int) -> Plan:
    """Count the steps of a run over this many training samples.

    Raises:
      InputError: too many.

    >>> make_plan(Config(epochs=2, batch_size=100), 250)
    Plan(samples=250, batch_size=100, steps_per_epoch=3, steps=6, epochs=2)
    """
    batch_size = min(config.batch_size or samples, samples)
    steps_per_epoch = math.ceil(samples / batch_size)
    steps = config.steps or (config.epochs or 0) * steps_per_epoch
    if steps >= MOST:
        raise InputError(f"--epochs {config.epochs}: {steps} steps are too many to count: give fewer")
    return Plan(samples, batch_size, steps_per_epoch, steps, math.ceil(steps / steps_per_epoch))


def fit(
    state: State,
    data: Data,
    config: Config,
    *,
    step: Callable[[State, Split], tuple[State, Metrics]],
    evaluate: Callable[[Any, Split], Evaluation],
    rate: Callable[[int], Any],
    watchers: Sequence[Watcher] = (),
    stop: Callable[[], int] = lambda: 0,
    keep: Callable[[State, float, float | None], None] = lambda state, seconds, loss: None,
    start: Progress = FROM_THE_START,
) -> tuple[State, Evaluation | None]:
    """Train until the last step, until config.patience epochs pass without a better one, or until `stop()` is true.

    Args:
      state: the first state; it is donated.
      data: on the device; without a test split nothing is evaluated.
      config: its epochs or steps, batch_size, loss, seed, patience and save_steps.
      step: what `make_step` returns.
      evaluate: what `make_evaluate` returns.
      rate: the learning rate of a step, for the reports.
      watchers: called after every step and every epoch.
      stop: whether to end early; called between steps.
      keep: saves a checkpoint, given the state, the seconds and the loss that judges it. It is called after every epoch
        (on an accelerator after the best ones, otherwise once a second at most); after every config.save_steps, without
        a loss; and at the end.
      start: what was done before `state`.

    Returns:
      The state after the last step, and its test.

    Raises:
      InputError: a loss that isn't finite, with its step and the learning rate.

    >>> import jax.numpy as jnp, optax
    >>> from jaxcnn.train.evaluate import make_evaluate
    >>> from jaxcnn.train.step import make_step, new_state
    >>> data = Data(Split(jnp.eye(2), jnp.array([0, 1])), Split(jnp.eye(2), jnp.array([0, 1])), ("left", "right"))
    >>> apply, optimizer = lambda params, x: x @ params, optax.sgd(0.5)
    >>> step, evaluate = make_step(apply, optimizer), make_evaluate(apply)
    >>> config = Config(epochs=3, batch_size=2)
    >>> state = new_state(jnp.zeros((2, 2)), optimizer)
    >>> state, test = fit(state, data, config, step=step, evaluate=evaluate, rate=lambda step: 0.5)
    >>> int(state.step), test.correct
    (3, 2)
    """
    plan = make_plan(config, len(data.train.targets))
    tracker = Tracker(config.loss, rate, watchers, start)
    judged, test, kept = list(start.validations), None, start.steps

    def ended() -> bool:
        return bool(stop()) or (config.patience is not None and since_best(judged) >= config.patience)

    platform, kept_at = _platform(data.train), -math.inf
    take, rest = make_call(step), seconds_between_checkpoints(platform)
    planned = calls(plan, config.seed, start.steps, max_steps_per_call(platform), config.save_steps)
    for call in takewhile(lambda _: not ended(), planned):
        state, metrics = take(state, data.train, call)
        tracker.add(call.epoch, call.samples, metrics, call.steps)
        if data.test is not None and tracker.steps % plan.steps_per_epoch == 0:
            tracker.settle()
            test, validation = _measure(evaluate, state, data)
            tracker.close_epoch(test, validation)
            judged.append((validation or test).loss)
            if judged[-1] == min(judged) or time.monotonic() - kept_at >= rest:
                keep(state, tracker.seconds, judged[-1])
                kept, kept_at = tracker.steps, time.monotonic()
        elif config.save_steps and tracker.steps % config.save_steps == 0:
            tracker.settle()
            keep(state, tracker.seconds, None)
            kept = tracker.steps
    tracker.settle()
    if kept < tracker.steps:
        keep(state, tracker.seconds, judged[-1] if judged and not tracker.epoch_is_open else None)
    if data.test is not None and tracker.epoch_is_open:
        test, validation = _measure(evaluate, state, data)
        tracker.close_epoch(test, validation)
    if data.test is not None and test is None and tracker.steps:  # no step was left to do
        test = evaluate(state.params, data.test)
    return state, test


def _measure(evaluate: Callable[[Any, Split], Evaluation], state: State, data: Data) -> tuple[Any, Evaluation | None]:
    validation = None if data.validation is None else evaluate(state.params, data.validation)
    return evaluate(state.params, data.test), validation  # type: ignore[arg-type]


def _platform(split: Split) -> str:
    """The platform on which a split lies; JAX will put NumPy arrays on its default."""
    if isinstance(split.targets, jax.Array):
        return str(next(iter(split.targets.devices())).platform)
    return jax.default_backend()


def since_best(losses: Sequence[float]) -> int:
    """How many losses came after the least.

    >>> since_best([0.5, 0.3, 0.4, 0.3]), since_best([])
    (2, 0)
    """
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0
