"""The command that compares runs."""

from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import command
from jaxcnn.train.commands.output import say


@dataclass(frozen=True)
class Compare:
    """Compare runs: what each came to, and the settings in which they differ, from their records alone."""

    run_dirs: tuple[Path, ...]
    """Run directories, finished or not."""

    csv: bool = False
    """Print the table as CSV."""

    out: Path | None = None
    """Also write a page with the curves of all runs over each other to this file."""


@command(Compare, "nothing was compared", ("runs/*", "runs/a runs/b --out compare.html", "runs/* --csv > runs.csv"))
def main(options: Compare) -> int:
    """Print a table of runs."""
    from jaxcnn.train.compare import as_csv, lines, page, read_runs, table
    from jaxcnn.train.report import write_page

    runs = read_runs(options.run_dirs)
    columns, rows = table(runs)
    if options.out is not None:
        write_page(options.out, page(runs))
    say(*(as_csv(columns, rows).splitlines() if options.csv else lines(columns, rows)))
    if options.out is not None and not options.csv:
        say(f"page: {options.out}")
    return 0
