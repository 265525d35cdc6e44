"""What can be tried: each public operation on a row of options, beside its oracle by index, and lax where it has it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import cases
import gathered
import jax
import jax.numpy as jnp
import numpy as np
import oracles
from cases import Pool, Row, Shape
from jax import lax

import jaxcnn as jc


@dataclass(frozen=True)
class Transposed(Row):
    kernel: Shape = ()
    bias: Shape | None = None
    groups: int = 1
    output_padding: Any = 0

    ARRAYS = ("x", "kernel", "bias", "fill")


@dataclass(frozen=True)
class Door(Row):
    """Of `conv_general_dilated`: padding is in pairs or a name of lax's."""

    kernel: Shape = ()
    groups: int = 1
    batches: int = 1
    spread: Shape = ()

    ARRAYS = ("x", "kernel", "fill")


@dataclass(frozen=True)
class Reduction(Row):
    """Of `reduce_window`: each window takes `fill` once, unless it is None, the identity."""

    window: Shape = ()
    mode: str = "max"
    spread: Shape = ()


@dataclass(frozen=True)
class Adaptive(Row):
    output_size: Shape = ()
    mode: str = "max"


@dataclass(frozen=True)
class Reduced(Pool):
    """A pool that may be an "lp" or have the name of a callable."""

    p: float | None = None


# Drawn ---------------------------------------------------------------------------------------------------------------


def a_transposed(rng, n):
    row = cases.a_conv(rng, n)
    (outs, ins), window = row.kernel[:2], row.kernel[2:]
    size = tuple(rng.randint(1, 4 if n < 3 else 2) for _ in window)
    stride, dilation = (oracles.per_axis(each, n) for each in (row.stride, row.dilation))
    pairs = tuple((rng.randint(-2, 2), rng.randint(-2, 2)) for _ in size)
    padding = rng.choice([0, 0, "SAME", "SAME_LOWER", "VALID", pairs])
    extra = rng.choice([0, tuple(rng.randrange(max(pair)) for pair in zip(stride, dilation, strict=True))])
    extra = 0 if padding in ("SAME", "SAME_LOWER") else extra
    if isinstance(padding, tuple):  # something is left of the output
        room = [
            (m - 1) * s + (k - 1) * d + 1 + e
            for m, s, k, d, e in zip(size, stride, window, dilation, oracles.per_axis(extra, n), strict=True)
        ]
        lows = [min(low, side - 1) for (low, _), side in zip(padding, room, strict=True)]
        columns = zip(lows, padding, room, strict=True)
        padding = tuple((low, min(high, side - low - 1)) for low, (_, high), side in columns)
    return Transposed(
        x=(row.x[0], ins * row.groups, *size), kernel=(ins * row.groups, outs // row.groups, *window),
        bias=row.bias, groups=row.groups, stride=row.stride, dilation=row.dilation, padding=padding,
        output_padding=extra,
    )  # fmt: skip


def a_door(rng, n):
    row = cases.a_conv(rng, n)
    spatial, laid = _as_lax_lays(rng, row.kernel[2:], row)
    batches = rng.choice([1, 1, 2, 3]) if row.groups == 1 else 1
    outs, ins = row.kernel[:2]
    return Door(
        x=(row.x[0] * batches, row.x[1], *spatial), kernel=(outs * batches, ins, *row.kernel[2:]), groups=row.groups,
        batches=batches, **laid,
    )  # fmt: skip


def a_reduction(rng, n):
    row = cases.a_windows(rng, n)
    spatial, laid = _as_lax_lays(rng, row.size, row)
    mode = rng.choice(["max", "min", "sum", "sum", "product", "logaddexp"])
    fill = rng.choice([None, None, -0.5, 1.5]) if mode != "logaddexp" else 0.25  # -inf has a derivative of 0 * inf
    lead = row.x[: len(row.x) - n]
    return Reduction(x=(*lead, *spatial), window=row.size, mode=mode, fill=fill, **laid)


def _as_lax_lays(rng, window, row):
    """Sides of a map on which windows fit, and how they lie, in lax's words."""
    n, dilation = len(window), oracles.per_axis(row.dilation, len(window))
    spread = rng.choice([(1,) * n, tuple(rng.randint(1, 3) for _ in window)])
    named = all(s == 1 for s in spread)
    padding = rng.choice(["VALID", "SAME", "SAME_LOWER"] if named and rng.random() < 0.5 else [
        tuple((rng.randint(-1, 3), rng.randint(-1, 3)) for _ in window)])  # fmt: skip
    spatial = []
    pads = oracles.pads_of(padding, window, window, window, dilation)
    for k, d, s, (low, high) in zip(window, dilation, spread, pads, strict=True):
        least = (k - 1) * d + 1 - (0 if named and isinstance(padding, str) else low + high)
        spatial.append(max(-(-(least - 1) // s) + 1, 1, 1 - (-2 // s)) + rng.randint(0, 3))
    stride = oracles.per_axis(row.stride, n)
    return spatial, {"spread": spread, "stride": stride, "dilation": dilation, "padding": padding}


def an_adaptive(rng, n):
    spatial = tuple(rng.randint(1, {1: 12, 2: 8, 3: 5, 4: 4}[n]) for _ in range(n))
    outs = tuple(rng.randint(1, side + 2) for side in spatial)
    lead, mode = rng.choice([(), (2,), (2, 3)]), rng.choice(["max", "min", "mean", "sum"])
    return Adaptive(lead + spatial, output_size=outs, mode=mode)


def a_reduced(rng, n):
    row = Reduced(**vars(cases.a_pool(rng, n)))
    if row.ceil_mode and rng.random() < 0.2:  # a window that is larger than the map
        row = replace(row, window=tuple(k + rng.randint(0, 9) for k in row.window))
    if rng.random() < 0.6:
        return row
    row = replace(row, divisor=None, count_include_pad=True)
    if rng.random() < 0.5:
        fill = None if row.fill is None else 0.75  # at 0 a window of padding is a kink
        return replace(row, mode="lp", p=rng.choice([None, 1, 2, 3, 2.5, 0.5, 30, np.inf]), fill=fill)
    modes = oracles.per_axis(row.padding_mode, n)
    laid = {name: row.options[name] for name in ("padding", "dilation", "ceil_mode") if name in row.options}
    spatial, stride = row.x[len(row.x) - n :], row.window if row.stride is None else row.stride
    overhang = (gathered.seen_of(spatial, row.window, stride=stride, **laid).cell == gathered.OVERHANG).any()
    fill = row.fill if row.fill is not None else rng.choice([0.0, 0.75])
    return replace(row, mode=rng.choice(gathered.CALLABLES), fill=fill if overhang or "constant" in modes else None)


def a_fold(rng, n):
    row = cases.a_windows(rng, n)
    return replace(row, padding_mode="constant", fill=None)


def an_indexed(rng, n):
    while True:
        row = replace(cases.a_pool(rng, n), mode="max", padding_mode="constant", fill=None)
        row = replace(row, divisor=None, count_include_pad=True)
        if row.every_window_meets_the_map:
            return row


# Brought together ----------------------------------------------------------------------------------------------------


METHODS = ("auto", *cases.CONTRACTIONS, *cases.TRANSFORMS)


@dataclass(frozen=True)
class Operation:
    """jaxcnn's function with its keywords, and what it is held against.

    `oracle(args)` gives the results, by name, and `pull` from cotangents by name to gradients by name.
    """

    function: str
    shapes: dict[str, Shape]
    keywords: dict[str, Any]
    oracle: Callable[[dict[str, np.ndarray]], Any]
    methods: tuple[str, ...] = ()
    multilinear: bool = True
    moves: bool = False  # values are cells of the map, and exact
    smooth: bool = True
    in_its_dtype: bool = False  # a callable reduces half precisions as they are
    terms: int = 1
    lax: Callable[[dict[str, Any]], Any] | None = None
    names: dict[str, str] = field(default_factory=dict)  # what the function calls our arguments
    outputs: tuple[str, ...] = ("y",)

    def ours(self, args, method=None):
        arrays = {self.names.get(name, name): value for name, value in args.items()}
        chosen = {"method": method} if method else {}
        made = getattr(jc, self.function)(**arrays, **self.keywords, **chosen)
        if self.function == "max_pool_with_indices":
            values, indices = made
            n = len(self.keywords["window"])
            unpooled = jc.max_unpool(values, indices, args["x"].shape[args["x"].ndim - n :])
            return {"values": values, "indices": indices, "unpooled": unpooled}
        return {"y": made}


def _one(f):
    """The oracle of a function with one result."""

    def oracle(args):
        y, pull = f(**args)
        return {"y": y}, lambda ct: pull(ct["y"])

    return oracle


def _of_fill(row):
    return {} if row.fill is None else {"fill": ()}


def windows(row, dtype):
    shapes = {"x": row.x} | _of_fill(row)
    return Operation("windows", shapes, row.options, _one(partial(gathered.windows, **row.options)), moves=True)


def fold(row, dtype):
    spatial = row.x[len(row.x) - len(row.size) :]
    seen = gathered.seen_of(spatial, row.size, **row.laid)
    shape = (*row.x[: len(row.x) - len(row.size)], *seen.out, *row.size)
    keywords = row.laid | {"spatial": spatial}
    return Operation("fold", {"w": shape}, keywords, _one(partial(gathered.fold, **keywords)), terms=seen.cell.shape[1])


def correlate(row, dtype, function="correlate"):
    n, spatial = len(row.size), row.x[len(row.x) - len(row.size) :]

    def oracle(args):
        flip = (lambda kernel: np.flip(kernel)) if function == "convolve" else (lambda kernel: kernel)
        x, kernel = args["x"], flip(args["kernel"])
        fill = {name: args[name] for name in args if name == "fill"}
        y, pull = gathered.conv(
            x.reshape(int(np.prod(x.shape[: x.ndim - n])), 1, *spatial), kernel[None, None], **fill, **row.common
        )

        def back(ct):
            made = pull(ct["y"].reshape(y.shape))
            kernel = flip(made["kernel"].reshape(args["kernel"].shape))
            return made | {"x": made["x"].reshape(x.shape), "kernel": kernel}

        return {"y": y.reshape(*x.shape[: x.ndim - n], *y.shape[2:])}, back

    return Operation(
        function, {"x": row.x, "kernel": row.size} | _of_fill(row), row.common, oracle, methods=METHODS,
        terms=int(np.prod(row.x)), lax=(lambda args: {"y": oracles.lax_correlate(**args, **row.common)})
        if function == "correlate" and 0 not in row.x else None,
    )  # fmt: skip


def conv(row, dtype):
    shapes = {"x": row.x, "kernel": row.kernel} | ({"bias": row.bias} if row.bias else {}) | _of_fill(row)
    return Operation(
        "conv", shapes, row.options, _one(partial(gathered.conv, **row.options)), methods=METHODS,
        terms=int(np.prod(row.x)), lax=lambda args: {"y": oracles.lax_conv(**args, **row.options)},
    )  # fmt: skip


def conv_transpose(row, dtype):
    shapes = {"x": row.x, "kernel": row.kernel} | ({"bias": row.bias} if row.bias else {})
    return Operation(
        "conv_transpose", shapes, row.options, _one(partial(gathered.conv_transpose, **row.options)),
        methods=METHODS, terms=int(np.prod(row.x)) * 9,
    )  # fmt: skip


def conv_general_dilated(row, dtype):
    keywords = {
        "window_strides": row.stride, "padding": row.padding, "lhs_dilation": row.spread, "rhs_dilation": row.dilation,
        "feature_group_count": row.groups, "batch_group_count": row.batches,
    }  # fmt: skip
    oracle = partial(
        gathered.conv_general_dilated, spread=row.spread, batches=row.batches, stride=row.stride, padding=row.padding,
        dilation=row.dilation, groups=row.groups,
    )  # fmt: skip
    return Operation(
        "conv_general_dilated", {"x": row.x, "kernel": row.kernel}, keywords, _one(oracle),
        terms=int(np.prod(row.x)) * 9,
        lax=lambda args: {"y": lax.conv_general_dilated(args["x"], args["kernel"], **keywords)},
        names={"x": "lhs", "kernel": "rhs"},
    )  # fmt: skip


def _limits(dtype):
    if jnp.issubdtype(dtype, jnp.integer):
        return {"lowest": jnp.iinfo(dtype).min, "highest": jnp.iinfo(dtype).max}
    return {}


REDUCERS = {"logsumexp": jax.nn.logsumexp, "squares": lambda w, axis: (w * w).sum(axis=axis), "median": jnp.median}


def pool(row, dtype):
    options = row.options
    keywords = options | {"mode": REDUCERS.get(row.mode, row.mode)}
    lax_has_it = row.mode in ("max", "min", "sum", "mean") and row.every_window_meets_the_map
    ordered = row.mode in ("max", "min")
    return Operation(
        "pool", {"x": row.x} | _of_fill(row), keywords, _one(partial(gathered.pool, **options, **_limits(dtype))),
        methods=("auto", *cases.REDUCTIONS), multilinear=row.mode in ("sum", "mean"), moves=ordered,
        smooth=row.mode not in ("max", "min", "lp", "median"), in_its_dtype=row.mode in REDUCERS,
        terms=int(np.prod(row.x)) + 20,
        lax=(lambda args: {"y": oracles.lax_pool(**args, **options)}) if lax_has_it else None,
    )  # fmt: skip


OF_PAIRS = {
    "max": lax.max, "min": lax.min, "sum": lax.add, "product": lax.mul, "logaddexp": jnp.logaddexp
}  # fmt: skip


def reduce_window(row, dtype):
    lead = len(row.x) - len(row.window)
    pads = row.padding if isinstance(row.padding, str) else ((0, 0),) * lead + row.padding
    words = {"window_dimensions": row.window, "window_strides": row.stride, "base_dilation": row.spread,
             "window_dilation": row.dilation}  # fmt: skip
    keywords = {name: (1,) * lead + tuple(values) for name, values in words.items()} | {"padding": pads}
    keywords["computation"] = OF_PAIRS[row.mode]
    if row.fill is None:
        keywords["init_value"] = _identity(row.mode, jnp.dtype(dtype))
    oracle = partial(
        gathered.reduce_window, window=row.window, mode=row.mode, spread=row.spread, stride=row.stride,
        dilation=row.dilation, padding=row.padding, **_limits(dtype),
    )  # fmt: skip
    ordered = row.mode in ("max", "min")
    return Operation(
        "reduce_window", {"x": row.x} | _of_fill(row), keywords, _one(oracle), multilinear=row.mode == "sum",
        moves=ordered, smooth=not ordered, in_its_dtype=row.mode in ("product", "logaddexp"),
        terms=int(np.prod(row.x)) + 20,
        lax=lambda args: {"y": _lax_reduced(row.mode, keywords, **args)},
        names={"x": "operand", "fill": "init_value"},
    )  # fmt: skip


def _lax_reduced(mode, keywords, x, fill=None):
    start = _identity(mode, x.dtype) if fill is None else fill
    return lax.reduce_window(x, **keywords | {"init_value": start})


def _identity(mode, dtype):
    """A NumPy scalar; some floats have no infinity."""
    if mode in ("max", "min"):
        info = (jnp.iinfo if jnp.issubdtype(dtype, jnp.integer) else jnp.finfo)(dtype)
        infinite = jnp.issubdtype(dtype, jnp.inexact) and np.isinf(dtype.type(np.inf))
        number = np.inf if infinite else info.max
        return dtype.type(number if mode == "min" else -np.inf if infinite else info.min)
    return dtype.type(mode == "product")


def indices(row, dtype):
    options = {name: value for name, value in row.options.items() if name != "mode"}
    lowest = {"lowest": _limits(dtype).get("lowest", -np.inf)}
    oracle = lambda args: gathered.winners(args["x"], **options, **lowest)
    return Operation(
        "max_pool_with_indices", {"x": row.x}, options, oracle, multilinear=False, moves=True, smooth=False,
        outputs=("values", "unpooled"),
    )  # fmt: skip


def adaptive_pool(row, dtype):
    keywords = {"output_size": row.output_size, "mode": row.mode}
    ordered = row.mode in ("max", "min")
    return Operation(
        "adaptive_pool", {"x": row.x}, keywords, _one(partial(gathered.adaptive_pool, **keywords, **_limits(dtype))),
        multilinear=not ordered, moves=ordered, smooth=not ordered, terms=int(np.prod(row.x)),
    )  # fmt: skip


# Each with what draws its rows.
OPERATIONS = {
    "windows": (windows, cases.a_windows),
    "fold": (fold, a_fold),
    "correlate": (correlate, cases.a_windows),
    "convolve": (partial(correlate, function="convolve"), cases.a_windows),
    "conv": (conv, cases.a_conv),
    "conv_transpose": (conv_transpose, a_transposed),
    "conv_general_dilated": (conv_general_dilated, a_door),
    "pool": (pool, a_reduced),
    "reduce_window": (reduce_window, a_reduction),
    "indices": (indices, an_indexed),
    "adaptive_pool": (adaptive_pool, an_adaptive),
}
