"""The command that looks at pictures: the three likeliest classes of each."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import of_a_run, refuse
from jaxcnn.train.errors import InputError


@dataclass(frozen=True)
class Predict:
    """Say what pictures show: the three likeliest classes of each, with their probabilities."""

    run_dir: Path
    """Run directory of the model."""

    files: tuple[Path, ...]
    """Pictures (PNG, JPEG, WebP, GIF, BMP, PPM) of any size and colour, one digit or thing in each."""


def main(arguments: Sequence[str]) -> int:
    """Print a line a picture; one that can't be read is a line on stderr and keeps no other from being looked at.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code: 0, or 2 where something was wrong that the user can mend.
    """
    code = 0
    try:
        command = of_a_run(Predict, "predict", arguments)
        if not command.files:
            raise InputError("give the pictures to look at behind the run directory")
        from jaxcnn.train.classify import look, make_classify, top
        from jaxcnn.train.record import open_run

        run = open_run(command.run_dir)
        classify = make_classify(run)
    except InputError as error:
        return refuse(error)
    for path in command.files:
        try:
            sys.stdout.write(f"{path}: {top(classify(look(path, run)), run.classes)}\n")
        except InputError as error:
            code = refuse(error)
    return code
