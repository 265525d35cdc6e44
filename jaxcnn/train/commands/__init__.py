"""The commands that people type, a file each."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from jaxcnn.train.errors import InputError, extra

USAGE_ERROR, INTERRUPTED = 2, 130
Options = TypeVar("Options")


def started_as() -> str:
    """What a user types before a command: the console script's name, or the module that does the same."""
    return "jaxcnn" if Path(sys.argv[0]).stem == "jaxcnn" else "python -m jaxcnn"


def parse(options: type[Options], command: str, arguments: Sequence[str]) -> Options:
    """What a command's line says; what it must say goes without a name.

    Args:
      options: a dataclass.
      command: its name.
      arguments: without the names of program and command.

    Raises:
      InputError: tyro isn't installed.
      SystemExit: tyro's own end, after --help or an option that it can't read.
    """
    with extra():
        import tyro
    config = (tyro.conf.PositionalRequiredArgs, tyro.conf.FlagCreatePairsOff)
    return tyro.cli(options, args=arguments, prog=f"{started_as()} {command}", config=config)


def refuse(error: InputError | str) -> int:
    """Say in a line what the user can mend, and return the exit code for it."""
    sys.stderr.write(f"error: {error}\n")
    return USAGE_ERROR
