"""The command that measures a model: accuracy over the whole test set, precision and recall of each class."""

import json
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import command
from jaxcnn.train.commands.output import note, say


@dataclass(frozen=True)
class Evaluate:
    """Measure a model over the whole test set: accuracy, and of each class precision, recall and F1."""

    run_dir: Path
    """Run directory of the model; of an unfinished run its last checkpoint counts."""

    data_dir: Path | None = None
    """Folder of the data where they are now, or of other data with the same classes."""

    data_file: Path | None = None
    """The .npz file of the data where it is now, or of other data with the same classes."""

    json: bool = False
    """Print one JSON object instead of a table."""


@command(Evaluate, "nothing was measured", ("runs/a", "runs/a --data-dir other-pictures", "runs/a --json"))
def main(options: Evaluate) -> int:
    """Print how good a run's model is on its test set."""
    from jaxcnn.train.measure import as_json, measure, table
    from jaxcnn.train.saved import open_run

    run = open_run(options.run_dir)
    measured, notes = measure(run, data_dir=options.data_dir, data_file=options.data_file)
    note(*run.notes, *notes)
    say(*([json.dumps(as_json(measured))] if options.json else table(measured)))
    return 0
