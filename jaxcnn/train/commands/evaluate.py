"""The command that measures a model: accuracy over the whole test set, precision and recall of each class."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jaxcnn.train.commands import of_a_run, refuse
from jaxcnn.train.errors import InputError


@dataclass(frozen=True)
class Evaluate:
    """Measure a model over the whole test set: accuracy, and of each class precision, recall and F1."""

    run_dir: Path
    """Run directory of the model."""

    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Sequence[str]) -> int:
    """Print how good a run's model is on its test set.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code: 0, or 2 after an error that the user can mend.
    """
    try:
        command = of_a_run(Evaluate, "evaluate", arguments)
        from jaxcnn.train.measure import measure, table
        from jaxcnn.train.record import open_run

        measured = measure(open_run(command.run_dir))
    except InputError as error:
        return refuse(error)
    lines = [json.dumps({"accuracy": measured.accuracy, **asdict(measured)})] if command.json else table(measured)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0
