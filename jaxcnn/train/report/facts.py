"""Compute everything that the report page shows, as one dict for JSON."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jaxcnn import lenet
from jaxcnn.train.data import Split
from jaxcnn.train.errors import InputError
from jaxcnn.train.model import ACTIVATIONS, initial_params
from jaxcnn.train.report.encode import colours, encoded, flat, shrunk, value_range
from jaxcnn.train.report.layer_table import layer_table
from jaxcnn.train.run_data import evaluation_split, reload
from jaxcnn.train.saved import FIRST, Run, load_params, logits_of, read_metrics
from jaxcnn.train.scores import confusion, likeliest, logits_of_all

Facts = dict[str, Any]

POINTS = 500
"""At most this many per curve; more would not be visible."""

MISTAKES = 16
MAPS = 64
CHANNELS = 8
SIDE = 64
EXPLORER_SIDE = 32


def facts_of(run: Run, *, data_dir: Path | None = None, data_file: Path | None = None) -> Facts:
    """Everything to show about a run.

    Args:
      run: read back by `open_run`; its data are loaded again.
      data_dir, data_file: where they are, if they have moved.

    Returns:
      {"run", "notes", "curves", "epochs", "confusion", "mistakes", "filters", "maps", "layers", "explorer"}: confusion
      and mistakes are None without a test split, explorer is None for volumes; notes are lines about the data.

    Raises:
      InputError: the data are gone or are others than the run's, a damaged metrics.jsonl, parameters that are no
        numbers.
    """
    records = read_metrics(run.path)
    steps, epochs = ([record for record in records if name in record] for name in ("step", "steps"))
    _check_finite(run)
    split, counted, notes = _data(run, data_dir, data_file)
    tested = counted["test"] is not None
    logits = logits_of_all(logits_of(run), split).astype(np.float64) if tested else None
    counts = None if logits is None else confusion(likeliest(split), logits.argmax(axis=-1), len(run.classes))
    return {
        "run": _summary(run, counted, steps, epochs),
        "notes": list(notes),
        "curves": curves(steps, epochs),
        "epochs": [{name: value for name, value in epoch.items() if np.isscalar(value)} for epoch in epochs],
        "confusion": None if counts is None else counts.tolist(),
        "mistakes": None if logits is None else mistakes(logits, split, run.classes),
        "filters": filters(run),
        "maps": feature_maps(run, split),
        "layers": layer_table(run.config, run.params, run.image),
        "explorer": explorer(run, split),
    }


def _check_finite(run: Run) -> None:
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(run.params)):
        raise InputError(f"{run.path}/params.npz holds numbers that aren't finite: train with a lower --learning-rate")


def _data(
    run: Run, data_dir: Path | None, data_file: Path | None
) -> tuple[Split, dict[str, int | None], tuple[str, ...]]:
    """The images to show, how many there are in each split (None: no such split), and notes about the data."""
    loaded = reload(run.config, run.known, data_dir=data_dir, data_file=data_file)
    counted = {name: count or None for name, count in run.known.counts.items()}
    if not counted["test"]:
        train = loaded.data.train
        if not len(train.targets):
            raise InputError(f"{run.path}: none of the data that it was trained on is there any more: bring them back")
        return train, counted, loaded.notes
    split, notes = evaluation_split(loaded, other=data_dir is not None or data_file is not None)
    return split, counted | {"test": len(split.targets)}, notes


def _summary(run: Run, counted: dict[str, int | None], steps: Sequence[Facts], epochs: Sequence[Facts]) -> Facts:
    settings = {name: value for name, value in json.loads(run.config.to_json()).items() if value is not None}
    return {
        "data": run.config.data,
        "path": str(run.path),
        "image": list(run.image),
        "classes": list(run.classes),
        **counted,
        "steps": epochs[-1]["steps"] if epochs else len(steps),
        "epochs": epochs[-1].get("epoch") if epochs else None,
        "seconds": epochs[-1].get("seconds") if epochs else None,
        "settings": settings,
    }


def curves(steps: Sequence[Facts], epochs: Sequence[Facts]) -> dict[str, list[Facts]]:
    """Loss and accuracy over the steps, as metrics.jsonl has them, at most 500 points a curve.

    Returns:
      {"loss", "accuracy"}, each a list of {"name", "points" [[steps done, value], ...]}; every number of an epoch
      whose name ends in loss or accuracy has a curve.

    >>> curves([{"step": 0, "loss": 2.5}], [{"steps": 1, "train_loss": 2.5, "test_accuracy": 0.25}])["accuracy"]
    [{'name': 'test accuracy', 'points': [[1, 0.25]]}]
    """
    loss = [_curve("loss of each step", [(line["step"], line["loss"]) for line in steps])]
    if steps and "entropy" in steps[0]:
        loss.append(_curve("entropy of the labels", [(line["step"], line["entropy"]) for line in steps]))
    made: dict[str, list[Facts]] = {"loss": [curve for curve in loss if curve["points"]], "accuracy": []}
    for kind, drawn in made.items():
        for name in dict.fromkeys(name for line in epochs for name in line if name.endswith(f"_{kind}")):
            found = [(line["steps"], line[name]) for line in epochs if line.get(name) is not None]
            drawn.append(_curve(name.replace("_", " "), found))
    return made


def _curve(name: str, points: Sequence[tuple[int, float]]) -> Facts:
    keep = np.unique(np.linspace(0, len(points) - 1, min(len(points), POINTS)).round().astype(int))
    return {"name": name, "points": [[points[i][0], _rounded(points[i][1])] for i in keep]}


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def _log_probabilities(logits: NDArray[Any]) -> NDArray[Any]:
    above = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(above - np.log(np.exp(above).sum(axis=-1, keepdims=True)))


def mistakes(logits: NDArray[Any], split: Split, classes: Sequence[str]) -> list[Facts]:
    """The worst mistakes, at most 16, the least probable truth first, with their pictures and probabilities."""
    truth, guess, log = likeliest(split), logits.argmax(axis=-1), _log_probabilities(logits)
    samples = np.arange(len(truth))
    wrong = samples[guess != truth]
    worst = wrong[np.argsort(log[wrong, truth[wrong]], kind="stable")][:MISTAKES]
    return [
        {
            "index": int(i),
            "truth": classes[truth[i]],
            "guess": classes[guess[i]],
            "truth_probability": _rounded(float(np.exp(log[i, truth[i]]))),
            "guess_probability": _rounded(float(np.exp(log[i, guess[i]]))),
            "picture": _photo(np.asarray(split.images[i])),
        }
        for i in worst
    ]


def _photo(image: NDArray[Any]) -> Facts:
    """An image (channels, *spatial) as a picture of one or three maps."""
    shown = shrunk(colours(flat(image.astype(np.float32), image.ndim - 1)), SIDE)
    return encoded(shown, *value_range([shown]))


def filters(run: Run) -> list[Facts]:
    """The kernels of both convolutions before the first step and after the last, on one scale of colours.

    Returns:
      A list of {"layer", "outs", "ins", "all_outs", "all_ins", "before", "after"}; the pictures are the kernels of
      output map 0 for every input map, then of output map 1, ...
    """
    first = run.path / FIRST
    before = load_params(first) if first.is_file() else initial_params(run.config, run.image, len(run.classes))
    made = []
    for layer in lenet.CONVS:
        both = [np.asarray(params[layer]["kernel"]) for params in (before, run.params)]
        all_outs, all_ins, *window = both[0].shape
        kept = [flat(kernel[:MAPS, :CHANNELS], len(window)) for kernel in both]
        outs, ins = kept[0].shape[:2]
        most = float(max(abs(kernel).max() for kernel in kept))
        pictures = [encoded(kernel.reshape(-1, *kernel.shape[2:]), -most, most) for kernel in kept]
        sizes = {"outs": outs, "ins": ins, "all_outs": all_outs, "all_ins": all_ins}
        made.append({"layer": layer, **sizes, "before": pictures[0], "after": pictures[1]})
    return made


def feature_maps(run: Run, split: Split) -> Facts:
    """The first image of a split, and the maps of C1, S2, C3, S4 and the output for it.

    Returns:
      {"truth", "image", "layers": [{"layer", "count", "picture"}, ...], "probabilities"}; at most 64 maps a layer.
    """
    image = np.asarray(split.images[0])
    config = run.config
    see = partial(lenet.layers, activation=ACTIVATIONS[config.activation], pool_mode=config.pool_mode)
    seen = jax.jit(see)(run.params, image)
    layers = []
    for layer in lenet.WINDOWED:
        maps = np.asarray(seen[layer], np.float32)
        shown = shrunk(flat(maps[:MAPS], maps.ndim - 1), SIDE)
        low, high = float(shown.min()), float(shown.max())
        layers.append({"layer": layer, "count": len(maps), "picture": encoded(shown, low, high)})
    probabilities = np.exp(_log_probabilities(np.asarray(seen[lenet.DENSE[-1]], np.float64)))
    return {
        "truth": run.classes[likeliest(split)[0]],
        "image": _photo(image),
        "layers": layers,
        "probabilities": [_rounded(p) for p in probabilities],
    }


def explorer(run: Run, split: Split) -> Facts | None:
    """The numbers for the window explorer: the first image, of a large one the middle, and the first layer.

    Returns:
      {"image" (channels, height, width), "cut", "kernels" (maps, channels, *window), "bias"}, or None unless images
      have two axes.
    """
    if len(run.image) != 3:
        return None
    image = np.asarray(split.images[0], np.float32)
    middle = [slice(max(0, (n - EXPLORER_SIDE) // 2), max(0, (n - EXPLORER_SIDE) // 2) + EXPLORER_SIDE)
              for n in image.shape[1:]]  # fmt: skip
    shown = image[:, *middle]
    layer = run.params["conv1"]
    kernels = np.asarray(layer["kernel"])[:MAPS]
    return {
        "image": _numbers(shown),
        "cut": shown.shape != image.shape,
        "kernels": _numbers(kernels),
        "bias": _numbers(layer["bias"])[: len(kernels)],
    }


def _numbers(array: Any) -> Any:
    """Nested lists of float32, with nine digits, which restore each number exactly."""
    shape, flat_list = np.shape(array), [float(f"{value:.9g}") for value in np.ravel(array).tolist()]
    return np.asarray(flat_list).reshape(shape).tolist()
