"""The command that writes the report page of a run."""

from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import command
from jaxcnn.train.commands.output import note, say


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


@command(Report, "no report was written", ("runs/a", "runs/a --out page.html"))
def main(options: Report) -> int:
    """Write a report and say where."""
    from jaxcnn.train.report import facts_of, page, write_page
    from jaxcnn.train.saved import open_run

    run = open_run(options.run_dir)
    facts = facts_of(run, data_dir=options.data_dir, data_file=options.data_file)
    out = options.out or options.run_dir / "report.html"
    write_page(out, page(facts))
    note(*run.notes, *facts["notes"])
    say(f"report: {out}")
    return 0
