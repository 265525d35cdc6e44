"""The command that classifies pictures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import parse_with_run
from jaxcnn.train.commands.output import USAGE_ERROR, fail, guarded, note, say
from jaxcnn.train.errors import InputError


@dataclass(frozen=True)
class Predict:
    """Say what pictures show: the likeliest classes of each, with their probabilities."""

    run_dir: Path
    """Run directory of the model; of an unfinished run its last checkpoint counts."""

    files: tuple[Path, ...]
    """Pictures (PNG, JPEG, WebP, GIF, BMP, TIFF, PPM) of any size and colour, one digit or thing in each; of a folder
    all pictures that it holds, those of its subfolders too."""

    top: int = 3
    """How many of the likeliest classes to print."""

    json: bool = False
    """Print a JSON object a line instead: the file, and the probability of each of the likeliest classes."""


EXAMPLES = ("runs/a seven.png", "runs/a scans/ --top 1", "runs/a scans/ --json > answers.jsonl")


@guarded("the rest was not looked at")
def main(arguments: Sequence[str]) -> int:
    """Print a line for each picture; one that can't be read gets a line on stderr, and the others still follow.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code: 0, or 2 where something was wrong that the user can mend.
    """
    code = 0
    command = parse_with_run(Predict, "predict", arguments, EXAMPLES)
    if not command.files:
        raise InputError("give the pictures to look at behind the run directory")
    if command.top < 1:
        raise InputError(f"--top {command.top}: give 1 or more")
    from jaxcnn.train.classify import make_classify, pictures_in, top_classes
    from jaxcnn.train.picture import read_as
    from jaxcnn.train.record import open_run, preprocessing_of

    run = open_run(command.run_dir)
    note(*run.notes)
    classify, preprocessing = make_classify(run), preprocessing_of(run)
    for path in command.files:
        try:
            for file in pictures_in(path):
                try:
                    probabilities = classify(read_as(file, preprocessing))
                except InputError as error:
                    code = fail(error)
                    continue
                top = top_classes(probabilities, run.classes, command.top)
                if command.json:
                    say(json.dumps({"file": str(file), "classes": dict(top)}))
                else:
                    say(f"{file}: {', '.join(f'{name} {probability:.1%}' for name, probability in top)}")
        except InputError as error:
            code = fail(error)
    return USAGE_ERROR if code else 0
