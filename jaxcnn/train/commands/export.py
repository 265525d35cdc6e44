"""The command that exports a trained model: one file, read back and compared before it is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from jaxcnn.train.commands import command
from jaxcnn.train.commands.output import note, say
from jaxcnn.train.config import check_choice

Format = Literal["stablehlo", "onnx"]


@dataclass(frozen=True)
class Export:
    """Write a model as one file that runs without jaxcnn, for any number of images; it is read back and compared."""

    run_dir: Path
    """Run directory of the model."""

    out: Path | None = None
    """The file to write; None is model.stablehlo or model.onnx in the run directory."""

    format: Format = "stablehlo"
    """stablehlo: for JAX and XLA (jax.export). onnx: for every runtime of ONNX (needs the extra onnx)."""


@command(Export, "no model was written", ("runs/a", "runs/a --format onnx --out model.onnx"))
def main(options: Export) -> int:
    """Export a run's model, and say how far the file's logits are from the run's."""
    check_choice("format", options.format, get_args(Format))
    from jaxcnn.train.export import BATCH, BATCH_SIZES, INPUT, OUTPUT, export
    from jaxcnn.train.saved import open_run

    run = open_run(options.run_dir)
    path = options.out or run.path / f"model.{options.format}"
    difference, greatest = export(run, path, options.format)
    note(*run.notes)
    sides = ", ".join(map(str, run.image))
    sizes = " and ".join(map(str, BATCH_SIZES))
    say(
        f"{path}: {INPUT} ({BATCH}, {sides}) to {OUTPUT} ({BATCH}, {len(run.classes)})",
        f"read back and run on {sizes} images: logits differ from the run's by at most {difference:.1e} "
        f"(the greatest is {greatest:.1f})",
    )
    return 0
