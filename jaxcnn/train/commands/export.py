"""The command that gives a model away: one file, read back and compared before it is kept."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxcnn.train.commands import of_a_run, refuse
from jaxcnn.train.errors import InputError


@dataclass(frozen=True)
class Export:
    """Write a model as one file that runs without jaxcnn, for any number of images; it is read back and compared."""

    run_dir: Path
    """Run directory of the model."""

    out: Path | None = None
    """Where to write; None is model.stablehlo or model.onnx in the run directory."""

    format: Literal["stablehlo", "onnx"] = "stablehlo"
    """For JAX and XLA (jax.export), or for every runtime of ONNX (needs the extra onnx)."""


def main(arguments: Sequence[str]) -> int:
    """Export a run's model as the command line says.

    Args:
      arguments: without the names of program and command.

    Returns:
      The exit code: 0, or 2 after an error that the user can mend.
    """
    try:
        command = of_a_run(Export, "export", arguments)
        from jaxcnn.train.export import BATCH, BATCH_SIZES, INPUT, OUTPUT, export
        from jaxcnn.train.record import open_run

        run = open_run(command.run_dir)
        path = command.out or run.path / f"model.{command.format}"
        difference, greatest = export(run, path, command.format)
    except InputError as error:
        return refuse(error)
    sides = ", ".join(map(str, run.image))
    sizes = " and ".join(map(str, BATCH_SIZES))
    sys.stdout.write(f"{path}: {INPUT} ({BATCH}, {sides}) to {OUTPUT} ({BATCH}, {len(run.classes)})\n")
    sys.stdout.write(
        f"read back and run on {sizes} images: logits differ from the run's by at most {difference:.1e} "
        f"(the greatest is {greatest:.1f})\n"
    )
    return 0
