"""The commands of the program, a file each.

`main` imports what a command needs only after the arguments are checked, so `--help` and usage errors don't wait two
seconds for JAX.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from jaxcnn.train.commands.arguments import parse_arguments
from jaxcnn.train.config import read_config


class HasRunDir(Protocol):
    """Options that name a run directory."""

    @property
    def run_dir(self) -> Path: ...


Options = TypeVar("Options", bound=HasRunDir)


def parse_with_run(
    options: type[Options], command: str, arguments: Sequence[str], examples: Sequence[str] = ()
) -> Options:
    """Parse the arguments of a command that takes a run directory, and check that it is one.

    Args:
      options: a dataclass.
      command: its name.
      arguments: without the names of program and command.
      examples: lines that --help shows.

    Raises:
      InputError: no run directory, a damaged config.json, an option that there isn't.
      SystemExit: after --help.
    """
    line = parse_arguments(options, command, arguments, examples=examples)
    read_config(line.run_dir)
    return line
