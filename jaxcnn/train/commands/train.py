"""The command that trains: its line into a config, a run, and every error in two lines at most."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from jaxcnn.train.commands.terminal import Terminal
from jaxcnn.train.config import Config, preset
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.training import run

USAGE_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says.

    Args:
      arguments: without the program's name; None is `sys.argv[1:]`.

    Returns:
      The exit code: 0, 2 after an error that the user can mend, 130 after a Ctrl-C before the first step
      or a second one.
    """
    try:
        config = parse(sys.argv[1:] if arguments is None else arguments)
        with Terminal() as terminal:
            terminal.end(run(config, terminal))
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no parameters were saved\n")
        return INTERRUPTED
    return 0


def parse(arguments: Sequence[str]) -> Config:
    """The config of a command line: the preset of its data set, with what the line says in its place.

    Args:
      arguments: without the program's name.

    Returns:
      A config whose values are not checked yet.

    Raises:
      InputError: an unknown data set, or tyro is not installed.
      SystemExit: tyro's own end, after --help or an option that it can't read.

    >>> config = parse(["--data", "synthetic", "--epochs", "7"])
    >>> config.epochs, config.steps, config.learning_rate
    (7, None, 0.03)
    """
    with extra():
        import tyro
    # The data set first, since it decides the defaults that --help shows and the rest of the line changes.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("data", "epochs", "steps"):
        first.add_argument(f"--{name}", nargs="?")
    given, _ = first.parse_known_args(arguments)
    defaults = preset(given.data or Config.data)
    if given.epochs or given.steps:
        # Whichever is given replaces the other one of the preset.
        defaults = replace(defaults, epochs=None, steps=None)
    return tyro.cli(Config, default=defaults, args=arguments)
