"""The command that exports a trained model: one file, read back and compared before it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxcnn.train.commands import parse_with_run
from jaxcnn.train.commands.output import guarded, note, say
from jaxcnn.train.errors import InputError


@dataclass(frozen=True)
class Export:
    """Write a model as one file that runs without jaxcnn, for any number of images; it is read back and compared."""

    run_dir: Path
    """Run directory of the model."""

    out: Path | None = None
    """The file to write; None is model.stablehlo or model.onnx in the run directory."""

    format: Literal["stablehlo", "onnx"] = "stablehlo"
    """stablehlo: for JAX and XLA (jax.export). onnx: for every runtime of ONNX (needs the extra onnx)."""


EXAMPLES = ("runs/a", "runs/a --format onnx --out model.onnx")
FORMATS = ("stablehlo", "onnx")


@guarded("no model was written")
def main(arguments: Sequence[str]) -> int:
    """Export a run's model as the command line says.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code.
    """
    command = parse_with_run(Export, "export", arguments, EXAMPLES)
    if command.format not in FORMATS:
        raise InputError(f"--format {command.format}: there is no such choice; take one of {', '.join(FORMATS)}")
    from jaxcnn.train.export import BATCH, BATCH_SIZES, INPUT, OUTPUT, export
    from jaxcnn.train.record import open_run

    run = open_run(command.run_dir)
    path = command.out or run.path / f"model.{command.format}"
    difference, greatest = export(run, path, command.format)
    note(*run.notes)
    sides = ", ".join(map(str, run.image))
    sizes = " and ".join(map(str, BATCH_SIZES))
    say(
        f"{path}: {INPUT} ({BATCH}, {sides}) to {OUTPUT} ({BATCH}, {len(run.classes)})",
        f"read back and run on {sizes} images: logits differ from the run's by at most {difference:.1e} "
        f"(the greatest is {greatest:.1f})",
    )
    return 0
