"""Kinds of trials that are drawn on purpose, since chance alone would hardly bring them: the one table of them."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import oracles
from gathered import CALLABLES
from judging import INTEGERS

MOST_DEVICES = 8


class Kind(NamedTuple):
    """How often it is drawn, and what is done to a row and to the trial that is made of it.

    `row(rng, name, row)` and `trial(rng, trial, operation)` return None where it cannot be: another is drawn then.
    """

    often: int
    row: Callable[[Any, str, Any], Any] = lambda rng, name, row: row
    trial: Callable[[Any, Any, Any], Any] = lambda rng, trial, operation: trial


def window_of(row):
    """How many axes are windowed."""
    if hasattr(row, "kernel"):
        return len(row.kernel) - 2
    return len(getattr(row, "size", ()) or getattr(row, "window", ()) or row.output_size)


# Rows ----------------------------------------------------------------------------------------------------------------


def strides_above_the_window(rng, name, row):
    window = getattr(row, "size", ()) or getattr(row, "window", ()) or getattr(row, "kernel", ())[2:]
    if not window:
        return None
    drawn = oracles.per_axis(row.stride or window, len(window))  # less of it may leave a transposed layer no output
    strided = replace(row, stride=tuple(max(s, k + rng.randint(1, 3)) for s, k in zip(drawn, window, strict=True)))
    return strided if name != "indices" or strided.every_window_meets_the_map else None


def few_channels(rng, name, row):
    """None or one: of data, of the kernel, or of both."""
    lead = len(row.x) - window_of(row)
    if not hasattr(row, "kernel"):
        return replace(row, x=(rng.randint(0, 1), *row.x[1:])) if lead else None
    if getattr(row, "batches", 1) > 1:
        return None
    ins, outs, transposed = rng.randint(0, 1), rng.randint(0, 1), name == "conv_transpose"
    channels = (ins * row.groups, outs) if transposed else (outs * row.groups, ins)
    bias = {"bias": (outs * row.groups,)} if getattr(row, "bias", None) else {}
    return replace(
        row, x=(row.x[0], ins * row.groups, *row.x[2:]), kernel=(*channels, *row.kernel[2:]), **bias
    )  # fmt: skip


def sides_for_devices(rng, name, row):
    """One or two sides with more cells, so that devices can divide them."""
    if name in ("fold", "adaptive_pool"):
        return row
    at = rng.sample(range(len(row.x)), min(2, len(row.x)))
    counts = {axis: rng.choice((2, 2, 4, 8)) for axis in at}
    data_alone = len(row.x) - window_of(row) if not hasattr(row, "kernel") else 1
    may = [axis for axis in at if axis < data_alone or axis >= len(row.x) - window_of(row)]
    if getattr(row, "batches", 1) > 1:
        may = [axis for axis in may if axis]
    sides = [-(-side // counts[axis]) * counts[axis] if axis in may else side for axis, side in enumerate(row.x)]
    return replace(row, x=tuple(sides)) if name != "conv_transpose" or math.prod(sides) < 500 else row


# Trials --------------------------------------------------------------------------------------------------------------


def channels_last(rng, trial, operation):
    """As most models of today lie; of other layouts, any is drawn."""
    row, n = trial.row, window_of(trial.row)
    spatial = tuple(range(1, n + 1))
    if hasattr(row, "kernel"):
        here = (0, n + 1, *spatial)
        return replace(trial, layout=(here, (n + 1, n, *range(n)), here))
    if trial.operation not in ("pool", "indices") or len(row.x) == n:
        return None
    return replace(trial, layout=tuple(range(len(row.x) - n - 1, len(row.x) - 1)))


def accelerated(rng, trial, operation):
    """A function that is written with lax's operators; before or after its gradients are taken."""
    if not (operation.lax and lax_is_right(trial)):
        return None
    through = rng.choice(("accelerate", "accelerate the whole"))
    return replace(
        trial, through=through, method=None, layout=(), law="loops", platform=rng.choice(("cpu", "cpu", "gpu"))
    )


def lax_is_right(trial):
    """Whether lax computes this, and its gradients, in the dtype of the operands and without aborting the process."""
    row, n = trial.row, window_of(trial.row)
    if trial.operation == "reduce_window" and any("fill" in dict(level) for level in trial.maps):
        return False  # lax maps no start
    if trial.dtype not in ("float32", "float64", *INTEGERS) or trial.data == "nan" or 0 in row.x:
        return False
    if trial.dtype in INTEGERS and trial.operation == "pool":
        return False
    window = row.kernel[2:] if hasattr(row, "kernel") else getattr(row, "size", ()) or row.window
    dilation = oracles.per_axis(row.dilation, n)
    pads = oracles.pads_of(
        row.padding, row.x[len(row.x) - n :], window, oracles.per_axis(row.stride or window, n), dilation
    )
    if {*window} == {1} and min(map(min, pads)) < 0:
        return False  # XLA's simplifier aborts
    if trial.transform == "value":
        return True
    # Of maxima lax differentiates in reverse neither dilated ones nor a cropped map; nor a start that is no identity.
    if hasattr(row, "mode"):
        spread = getattr(row, "spread", ())
        start = trial.operation == "reduce_window" and (row.fill is not None or row.mode in ("product", "logaddexp"))
        dense = {*dilation, *spread} <= {1} and min(map(min, pads)) >= 0
        return not start and (row.mode in ("sum", "mean") or dense)
    grouped = n > 3 and getattr(row, "groups", 1) > 1  # where lax's gradient in the kernel is wrong
    return (
        not grouped
        and min(map(min, pads)) >= 0
        and not any(k == s == 2 for k, s in zip(window, oracles.per_axis(row.stride, n), strict=True))
    )


def exported(rng, trial, operation):
    """As a program for sizes that are not known yet, called with these."""
    if trial.transform not in ("value", "gradient") or trial.maps or 0 in _sides(operation):
        return None
    row = trial.row
    if getattr(row, "ceil_mode", False) and row.mode in CALLABLES and row.fill is None:
        return None  # larger maps have an overhang, for which a callable needs a fill
    return replace(trial, run="export", law="loops", cells=None)


def _sides(operation):
    return [side for shape in operation.shapes.values() for side in shape]


def divided(kind, rng, trial, operation):
    """Among devices: some axes of its arrays, each along an axis of a mesh of this kind."""
    if trial.transform == "second" or trial.maps or 0 in _sides(operation):
        return None
    as_jax_may = trial.method == "definition" or getattr(trial.row, "mode", "") in ("product", "logaddexp", "median")
    if kind == "Explicit" and as_jax_may:  # written in jnp, which names no place for what it can't divide
        return None
    if getattr(trial.row, "mode", "") == "median" and trial.transform != "value":
        return None  # the gradient of `jnp.median` is a scatter, and XLA aborts where devices divide one unevenly
    mesh, devices = [], 1
    shapes = {name: shape for name, shape in operation.shapes.items() if name != "bias"}  # which lies as it is added
    places = [(name, axis, side) for name, shape in shapes.items() for axis, side in enumerate(shape)]
    for name, axis, side in rng.sample(places, len(places)):
        counts = [count for count in (2, 3, 4, 8) if side and side % count == 0 and devices * count <= MOST_DEVICES]
        if counts and len(mesh) < 2:
            mesh.append((name, axis, rng.choice(counts)))
            devices *= mesh[-1][2]
    return replace(trial, run=kind, mesh=tuple(mesh), law="loops") if mesh else None


KINDS = {
    "plain": Kind(12),
    "stride above window": Kind(1, row=strides_above_the_window),
    "few channels": Kind(1, row=few_channels),
    "channels last": Kind(2, trial=channels_last),
    "accelerated": Kind(2, trial=accelerated),
    "exported": Kind(1, trial=exported),
    "Auto mesh": Kind(1, row=sides_for_devices, trial=partial(divided, "Auto")),
    "Explicit mesh": Kind(1, row=sides_for_devices, trial=partial(divided, "Explicit")),
}
# Those that one device is enough for.
ON_ONE_DEVICE = tuple(name for name in KINDS if "mesh" not in name)
