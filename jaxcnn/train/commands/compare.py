"""The command that compares runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands.arguments import parse_arguments
from jaxcnn.train.commands.output import guarded, say


@dataclass(frozen=True)
class Compare:
    """Compare runs: what each came to, and the settings in which they differ, from their records alone."""

    run_dirs: tuple[Path, ...]
    """Run directories, finished or not."""

    csv: bool = False
    """Print the table as CSV."""

    out: Path | None = None
    """Also write a page with the curves of all runs over each other to this file."""


EXAMPLES = ("runs/*", "runs/a runs/b --out compare.html", "runs/* --csv > runs.csv")


@guarded("nothing was compared")
def main(arguments: Sequence[str]) -> int:
    """Print a table of runs.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code.
    """
    command = parse_arguments(Compare, "compare", arguments, examples=EXAMPLES)
    from jaxcnn.train.compare import as_csv, lines, read_runs, table, write_page

    runs = read_runs(command.run_dirs)
    columns, rows = table(runs)
    if command.out is not None:
        write_page(runs, command.out)
    say(*(as_csv(columns, rows).splitlines() if command.csv else lines(columns, rows)))
    if command.out is not None and not command.csv:
        say(f"page: {command.out}")
    return 0
