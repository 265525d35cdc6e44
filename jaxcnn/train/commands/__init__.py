"""The commands of the program, a file each: a dataclass of options, and a function of them that returns the exit code.

Such a function imports what it needs by itself, so `--help` and usage errors don't wait two seconds for JAX.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from jaxcnn.train.commands.arguments import parse_arguments
from jaxcnn.train.commands.output import guarded
from jaxcnn.train.config import read_config

Options = TypeVar("Options")


def command(
    options: type[Options], lost: str, examples: Sequence[str]
) -> Callable[[Callable[[Options], int]], Callable[[Sequence[str] | None], int]]:
    """Make a command of a function of its options.

    Args:
      options: a dataclass named as the command is; a run_dir among them must be a run directory.
      lost: what was not done, for the message after an interruption.
      examples: lines that --help shows.

    Returns:
      A decorator that makes what `guarded` explains.
    """

    def decorate(work: Callable[[Options], int]) -> Callable[[Sequence[str] | None], int]:
        @guarded(lost)
        def main(arguments: Sequence[str]) -> int:
            given = parse_arguments(options, options.__name__.lower(), arguments, examples=examples)
            if (run_dir := getattr(given, "run_dir", None)) is not None:
                read_config(run_dir)
            return work(given)

        return main

    return decorate
