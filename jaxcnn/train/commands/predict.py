"""The command that classifies pictures."""

import json
from dataclasses import dataclass
from pathlib import Path

from jaxcnn.train.commands import command
from jaxcnn.train.commands.output import fail, note, say
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


@command(
    Predict,
    "the rest was not looked at",
    ("runs/a seven.png", "runs/a scans/ --top 1", "runs/a scans/ --json > answers.jsonl"),
)
def main(options: Predict) -> int:
    """Print a line for each picture; one that can't be read gets a line on stderr, and the others still follow."""
    if not options.files:
        raise InputError("give the pictures to look at behind the run directory")
    if options.top < 1:
        raise InputError(f"--top {options.top}: give 1 or more")
    from jaxcnn.train.classify import make_classify, pictures_in, top_classes
    from jaxcnn.train.preprocessing import read_as
    from jaxcnn.train.saved import open_run

    run = open_run(options.run_dir)
    note(*run.notes)
    classify = make_classify(run)
    code = 0
    for path in options.files:
        try:
            for file in pictures_in(path):
                try:
                    probabilities = classify(read_as(file, run.known.preprocessing))
                except InputError as error:
                    code = fail(error)
                    continue
                top = top_classes(probabilities, run.classes, options.top)
                if options.json:
                    say(json.dumps({"file": str(file), "classes": dict(top)}))
                else:
                    say(f"{file}: {', '.join(f'{name} {probability:.1%}' for name, probability in top)}")
        except InputError as error:
            code = fail(error)
    return code
