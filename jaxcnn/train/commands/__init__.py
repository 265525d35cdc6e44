"""The commands that people type, a file each.

What a command does is imported inside its `main`, when its line is checked: so `--help`, and what is wrong with a line,
does not wait two seconds for JAX.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from jaxcnn.train.config import read_config
from jaxcnn.train.errors import InputError, extra

USAGE_ERROR, INTERRUPTED = 2, 130


class OfARun(Protocol):
    """Options that name a run directory."""

    @property
    def run_dir(self) -> Path: ...


Options = TypeVar("Options", bound=OfARun)


def started_as() -> str:
    """What a user types before a command: the console script's name, or the module that does the same."""
    return "jaxcnn" if Path(sys.argv[0]).stem == "jaxcnn" else "python -m jaxcnn"


def of_a_run(options: type[Options], command: str, arguments: Sequence[str]) -> Options:
    """What the line of a command on a run says; what it must say goes without a name.

    Args:
      options: a dataclass.
      command: its name.
      arguments: without the names of program and command.

    Raises:
      InputError: no run directory, a damaged config.json, or tyro isn't installed.
      SystemExit: tyro's own end, after --help or an option that it can't read.
    """
    with extra():
        import tyro
    config = (tyro.conf.PositionalRequiredArgs, tyro.conf.FlagCreatePairsOff)
    line = tyro.cli(options, args=arguments, prog=f"{started_as()} {command}", config=config)
    read_config(line.run_dir)
    return line


def refuse(error: InputError | str) -> int:
    """Say in a line what the user can mend, and return the exit code for it."""
    sys.stderr.write(f"error: {error}\n")
    return USAGE_ERROR
