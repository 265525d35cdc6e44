"""The command that writes the report page of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import parse_with_run
from jaxcnn.train.commands.output import guarded, note, say


@dataclass(frozen=True)
class Report:
    """Write the report page of a run: one HTML file, to be opened in any browser, without a network."""

    run_dir: Path
    """Run directory that training left; of an unfinished run its last checkpoint counts."""

    out: Path | None = None
    """Where to write the page; None is report.html in the run directory."""

    data_dir: Path | None = None
    """Folder of the data, where they have moved."""

    data_file: Path | None = None
    """The .npz file of the data, where it has moved."""


EXAMPLES = ("runs/a", "runs/a --out page.html")


@guarded("no report was written")
def main(arguments: Sequence[str]) -> int:
    """Write a report as the command line says.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code.
    """
    command = parse_with_run(Report, "report", arguments, EXAMPLES)
    from jaxcnn.train.record import open_run
    from jaxcnn.train.report import facts_of, write_report

    run = open_run(command.run_dir)
    facts = facts_of(run, data_dir=command.data_dir, data_file=command.data_file)
    written = write_report(run, command.out or command.run_dir / "report.html", facts)
    note(*run.notes, *facts["notes"])
    say(f"report: {written}")
    return 0
