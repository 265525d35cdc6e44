"""The command that writes the report page of a run."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import INTERRUPTED, of_a_run, refuse
from jaxcnn.train.errors import InputError


@dataclass(frozen=True)
class Report:
    """Write the report page of a run: one HTML file, to be opened in any browser, without a network."""

    run_dir: Path
    """Run directory that training left."""

    out: Path | None = None
    """The page; None is report.html in the run directory."""


def main(arguments: Sequence[str]) -> int:
    """Write a report as the command line says.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code: 0, 2 after an error that the user can mend, 130 after Ctrl-C.
    """
    try:
        command = of_a_run(Report, "report", arguments)
        from jaxcnn.train.record import open_run
        from jaxcnn.train.report import write_report

        written = write_report(open_run(command.run_dir), command.out or command.run_dir / "report.html")
    except InputError as error:
        return refuse(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no report was written\n")
        return INTERRUPTED
    sys.stdout.write(f"report: {written}\n")
    return 0
