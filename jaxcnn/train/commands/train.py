"""The command that trains: its line into a config, a run, and every error in two lines at most."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from jaxcnn.train.commands import INTERRUPTED, refuse, started_as
from jaxcnn.train.config import PLACE, Config, learning, option, preset, read_config
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.files import read_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says.

    Args:
      arguments: without the program's name; None is `sys.argv[1:]`.

    Returns:
      The exit code: 0, 2 after an error that the user can mend, 130 after a Ctrl-C before the first step
      or a second one.
    """
    try:
        line = parse(sys.argv[1:] if arguments is None else arguments)
        line.config.check()
        from jaxcnn.train.commands.terminal import Terminal
        from jaxcnn.train.training import run

        with Terminal(quiet=line.config.process > 0) as terminal:
            resume = line.resume is not None
            terminal.end(run(line.config, terminal, resume=resume, from_step=line.from_step))
    except InputError as error:
        return refuse(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no parameters were saved\n")
        return INTERRUPTED
    return 0


class Line(NamedTuple):
    """What a command line says."""

    config: Config
    resume: Path | None = None
    from_step: int | None = None


@dataclass(frozen=True)
class _Options(Config):
    __doc__ = Config.__doc__

    config: Path | None = None
    """A config.json whose run to start again, in a new folder; the options beside it change it."""

    resume: Path | None = None
    """The folder of a run that was cut short, to go on with."""

    from_step: int | None = None
    """With --resume: the checkpoint to go on from, instead of the last."""


def parse(arguments: Sequence[str]) -> Line:
    """The config of a command line: a preset, a file's or a run's, with what the line says in its place.

    Args:
      arguments: without the program's name.

    Returns:
      A config whose values are not checked yet, and whether to go on with its run.

    Raises:
      InputError: an unknown data set, a file that is no config, other settings than those of the run to go on with,
        or tyro is not installed.
      SystemExit: tyro's own end, after --help or an option that it can't read.

    >>> config = parse(["--data", "synthetic", "--epochs", "7"]).config
    >>> config.epochs, config.steps, config.learning_rate
    (7, None, 0.03)
    """
    with extra():
        import tyro
    # These first, since they decide the defaults that --help shows and the rest of the line changes.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("data", "epochs", "steps", "config", "resume"):
        first.add_argument(f"--{name}", nargs="?")
    given, _ = first.parse_known_args(arguments)
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
    said = vars(tyro.cli(_Options, default=options, args=arguments, prog=f"{started_as()} train"))
    _, resume, from_step = (said.pop(name) for name in ("config", "resume", "from_step"))
    config = Config(**said)
    if from_step is not None and resume is None:
        raise InputError("--from-step: only --resume goes on from a step")
    if resume is not None:
        _unchanged(config, begun)
    return Line(config, resume, from_step)


def _config_file(path: Path) -> Config:
    try:
        return Config.from_json(read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"--config {path} can't be read ({error}): give the config.json of a run") from error


def _unchanged(config: Config, begun: Config) -> None:
    """Refuse to go on with other settings than a run was begun with."""
    for name, value in (learning(config) | {"run_dir": config.run_dir}).items():
        if value != (before := (learning(begun) | {"run_dir": begun.run_dir})[name]):
            raise InputError(
                f"{option(name)} {value}: the run was begun with {before}: leave it out, or start a new run"
            )
