"""The command that writes the report page of a run."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import started_as
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.record import open_run
from jaxcnn.train.report import write_report

USAGE_ERROR, INTERRUPTED = 2, 130


@dataclass(frozen=True)
class Options:
    """Write the report page of a run: one HTML file, to be opened in any browser, without a network."""

    run_dir: Path
    """Run directory that training left."""

    out: Path | None = None
    """The page; None is report.html in the run directory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a report as the command line says.

    Args:
      arguments: without the program's name; None is `sys.argv[1:]`.

    Returns:
      The exit code: 0, 2 after an error that the user can mend, 130 after Ctrl-C.
    """
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        written = write_report(open_run(options.run_dir), options.out or options.run_dir / "report.html")
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no report was written\n")
        return INTERRUPTED
    sys.stdout.write(f"report: {written}\n")
    return 0


def parse(arguments: Sequence[str]) -> Options:
    """The options of a command line.

    Args:
      arguments: without the program's name.

    Returns:
      The run directory, and where the page shall be.

    Raises:
      InputError: tyro is not installed.
      SystemExit: tyro's own end, after --help or an option that it can't read.

    >>> parse(["runs/a", "--out", "a.html"]).out.name
    'a.html'
    """
    with extra():
        import tyro
    config = (tyro.conf.PositionalRequiredArgs,)
    return tyro.cli(Options, args=arguments, prog=f"{started_as()} report", config=config)
