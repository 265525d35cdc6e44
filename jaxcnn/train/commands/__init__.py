"""The commands that people type, a file each.

What a command does is imported inside its `main`, when its line is checked: so `--help`, and what is wrong with a line,
does not wait two seconds for JAX.
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
    """What the line of a command on a run says; what it must say goes without a name.

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
