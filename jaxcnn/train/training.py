"""A whole run: settings and data in, a trained model and its record out."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import jax

from jaxcnn import lenet
from jaxcnn.train.config import Config
from jaxcnn.train.data import Data, Split, load
from jaxcnn.train.errors import InputError
from jaxcnn.train.evaluate import Evaluation, make_evaluate
from jaxcnn.train.interrupt import interruptible
from jaxcnn.train.ledger import EpochReport, StepReport, Watcher
from jaxcnn.train.loop import Plan, fit, make_plan
from jaxcnn.train.loss import entropy
from jaxcnn.train.model import initial_params, layer_shapes, make_apply, make_optimizer, make_schedule
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.step import Measure, Metrics, make_step, new_state, no_measure


@dataclass(frozen=True)
class Start:
    """What is known before the first step."""

    config: Config
    plan: Plan
    device: jax.Device
    data: Data
    """On the device."""

    shapes: dict[str, tuple[int, ...]]
    """Of what each layer makes of one batch."""


@dataclass(frozen=True)
class Outcome:
    """What is known after the last one."""

    params: lenet.Params
    test: Evaluation | None
    """None without a test split, or without a step."""

    steps: int
    """Updates done: fewer than planned after Ctrl-C."""

    seconds: float
    """Of the loop, compilation and evaluation included."""

    directory: Path


class Audience(Watcher, Protocol):
    """A watcher who is there from the start."""

    def start(self, start: Start) -> None: ...


class Silent:
    """An audience that says nothing."""

    def start(self, start: Start) -> None: ...

    def step(self, report: StepReport) -> None: ...

    def epoch(self, report: EpochReport) -> None: ...


def run(config: Config, audience: Audience | None = None) -> Outcome:
    """Train LeNet as a config says, and keep what came of it in a run directory.

    The directory is made once the config is checked and the data are loaded. Ctrl-C ends the run after the step at
    hand, with what was trained so far saved.

    Args:
      config: the settings.
      audience: told of the start, of every step and of every epoch.

    Returns:
      The parameters, and where their record is.

    Raises:
      InputError: anything that the user can mend.
    """
    audience = audience or Silent()
    config.check()
    device = find_device(config.platform)
    with jax.default_device(device):
        data = on_device(load(config), device)
        plan = make_plan(config, len(data.train.targets))
        image = data.train.images.shape[1:]
        params, apply = initial_params(config, image, len(data.classes)), make_apply(config)
        schedule = make_schedule(config, plan.steps)
        optimizer = make_optimizer(config, schedule)
        record = RunDirectory(config)
        record.save_data(image, data.classes)
        shapes = layer_shapes(params, (plan.batch_size, *image))
        audience.start(Start(config, plan, device, data, shapes))
        began = time.perf_counter()
        with interruptible() as stop:
            try:
                state, test = fit(
                    new_state(params, optimizer),
                    data,
                    config,
                    step=make_step(apply, optimizer, reduction=config.loss, measure=_measure(config)),
                    evaluate=make_evaluate(apply),
                    rate=schedule,
                    watchers=(record, audience),
                    stop=stop,
                )
            finally:
                record.save_metrics()
            record.save_params(state.params)
    return Outcome(state.params, test, int(state.step), time.perf_counter() - began, record.path)


def on_device(data: Data, device: jax.Device) -> Data:
    """The same data, with its arrays on a device."""
    train, test = jax.device_put((data.train, data.test), device)
    return Data(train, test, data.classes)


def _measure(config: Config) -> Measure:
    """For random soft labels, what tells learning from oscillation: their entropy and what sample 0 is taken for."""
    if config.data != "synthetic":
        return no_measure

    def measure(logits: jax.Array, batch: Split) -> Metrics:
        bound = entropy(batch.targets, reduction=config.loss)
        return {"entropy": bound, "probabilities": jax.nn.softmax(logits[0])}

    return measure


def find_device(platform: str | None) -> jax.Device:
    """The first device of a platform, or the one that JAX prefers.

    Args:
      platform: "cpu", "gpu", "tpu" or None.

    Returns:
      A device.

    Raises:
      InputError: there is none.

    >>> find_device("cpu").platform
    'cpu'
    """
    try:
        return jax.devices(platform)[0]
    except RuntimeError as error:
        wish = f"--platform {platform}" if platform else f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}"
        raise InputError(
            f"{wish}: JAX sees no such device here; leave it out, "
            "or install JAX for that platform (an NVIDIA GPU: pip install 'jax[cuda13]')"
        ) from error
