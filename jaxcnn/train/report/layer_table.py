"""LeNet's layers in numbers, with the arithmetic written out."""

import math
from collections.abc import Sequence
from typing import Any

from jaxcnn import lenet
from jaxcnn.train.config import Config
from jaxcnn.train.model import layer_shapes

TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"
PAPER = dict(zip(lenet.LAYERS, ("C1", "S2", "C3", "S4", "C5", "F6", "Output"), strict=True))


def layer_table(config: Config, params: dict[str, dict[str, Any]], image: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each layer: its shape, parameters, multiply-adds and receptive field, and how they come about.

    Returns:
      Rows {"layer", "paper", "does", "shape", "shape_written", "parameters", "parameters_written", "multiply_adds",
      "multiply_adds_written", "receptive_field"}, the last None for a dense layer, which sees the whole map before it.

    >>> import jax
    >>> rows = layer_table(Config(), lenet.init(jax.random.key(0)), (1, 28, 28))
    >>> rows[2]["paper"], rows[2]["shape_written"], rows[2]["multiply_adds_written"], rows[2]["receptive_field"]
    ('C3', '⌊(14 − 5) / 1⌋ + 1 = 10', '10 × 10 × 16 × 6 × 5 × 5', 14)
    """
    shapes = {name: shape[1:] for name, shape in layer_shapes(params, (1, *image)).items()}
    rows, field, jump = [], 1, 1
    for before, name in zip(shapes, lenet.LAYERS, strict=False):
        source, shape = shapes[before], shapes[name]
        row: dict[str, Any] = {"layer": name, "paper": PAPER[name], "shape": list(shape)}
        if name in lenet.DENSE:
            row |= _dense(params[name], source, last=name == lenet.DENSE[-1], activation=config.activation)
        else:
            window, stride, padding = lenet.WINDOWED[name]
            field, jump = field + (window - 1) * jump, jump * stride
            row |= {"shape_written": _sides(source[1:], shape[1:], window, stride, padding), "receptive_field": field}
            if name in lenet.CONVS:
                row |= _conv(params[name], shape, padding, config.activation)
            else:
                row |= _pool([window] * (len(shape) - 1), stride, config.pool_mode)
        rows.append(row)
    return rows


def _sides(source: Sequence[int], made: Sequence[int], window: int, stride: int, padding: int) -> str:
    """The output size of each axis; equal sides are written once."""
    pad = f" + 2 {TIMES} {padding}" if padding else ""
    return "; ".join(
        f"⌊({n}{pad} {MINUS} {window}) / {stride}⌋ + 1 = {m}" for n, m in dict.fromkeys(zip(source, made, strict=True))
    )


def _conv(params: dict[str, Any], shape: Sequence[int], padding: int, activation: str) -> dict[str, Any]:
    outs, ins, *window = params["kernel"].shape
    taps = _product(ins, *window)
    around = f", padding {padding}" if padding else ""
    return {
        "does": f"{_product(*window)} correlation{around}, bias, {activation}",
        "parameters": sum(array.size for array in params.values()),
        "parameters_written": f"{outs} {TIMES} ({taps} + 1)",
        "multiply_adds": math.prod(shape[1:]) * params["kernel"].size,
        "multiply_adds_written": f"{_product(*shape[1:])} {TIMES} {outs} {TIMES} {taps}",
    }


def _pool(window: Sequence[int], stride: int, mode: str) -> dict[str, Any]:
    nothing = {"parameters": 0, "parameters_written": "", "multiply_adds": 0, "multiply_adds_written": ""}
    return {"does": f"{_product(*window)} {mode} pooling, stride {stride}", **nothing}


def _dense(params: dict[str, Any], source: Sequence[int], *, last: bool, activation: str) -> dict[str, Any]:
    ins, outs = params["kernel"].shape
    steps = ["dense", *(["bias"] if "bias" in params else []), "softmax" if last else activation]
    return {
        "does": ", ".join(steps),
        "shape_written": f"{_product(*source)} = {ins} → {outs}" if len(source) > 1 else f"{ins} → {outs}",
        "parameters": sum(array.size for array in params.values()),
        "parameters_written": f"{outs} {TIMES} ({ins} + 1)" if "bias" in params else f"{outs} {TIMES} {ins}",
        "multiply_adds": params["kernel"].size,
        "multiply_adds_written": f"{ins} {TIMES} {outs}",
        "receptive_field": None,
    }


def _product(*factors: int) -> str:
    return f" {TIMES} ".join(map(str, factors))
