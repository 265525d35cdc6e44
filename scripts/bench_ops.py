"""Time each operator against lax's and torch's: forward, and the output with all gradients."""

import argparse
import dataclasses
import functools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.signal
from _timing import (
    PAUSE,
    Call,
    Comparison,
    figure,
    figures,
    headline,
    in_blocks,
    in_turn,
    machine,
    print_list,
    repeat,
    table_head,
    table_row,
    timed,
    torch_device,
    torch_if_there,
    write_json,
)
from jax import lax

import jaxcnn as jc

OPERATORS, KERNELS, CUDNN = "operators", "large kernels", "cuDNN-sized"
WAYS = ("forward", "both")
# Times the largest number. By default a GPU rounds the factors of float32 products to TF32, in all three libraries.
TOLERANCE = {"cpu": 1e-5, "gpu": 5e-3}
ROUNDINGS = 4  # of a half precision, by which results may differ
CAP = 20
MIB = 2**20


@dataclass(frozen=True)
class Row:
    """One operation, written three times."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    ours: Callable[..., jax.Array]
    theirs: Callable[..., jax.Array]
    torch: Callable[..., Any]
    """after torch.nn.functional it takes the same as the others"""
    torch_bar: float | None = 1.5
    """how many times torch's time ours may take"""
    table: str = OPERATORS
    exact: Callable[..., tuple[np.ndarray, ...]] | None = None
    """cotangent and inputs in float64 to output and gradients, where lax would take too long for that"""
    scipy: tuple[str, Callable[..., np.ndarray]] | None = None
    once: bool = False
    """lax and torch take a minute or more for a call: their forward pass runs once, their gradients not at all"""
    last: Callable[[], "Row"] | None = None
    """the same with channels last"""
    first: "Row | None" = None
    """the same with channels first, where these are last"""
    dtype: str = "float32"
    wide_kernel: bool = False
    """the kernel is float32, and a layer converts it first"""


def in_both_layouts(make):
    """A maker of rows, each of which knows the same row with channels last."""

    @functools.wraps(make)
    def made(*args, **options):
        row = make(*args, **options)

        def last():
            return dataclasses.replace(make(*args, last=True, **options), name=f"{row.name}, channels last", first=row)

        return dataclasses.replace(row, last=last)

    return made


def axis_names(n, last):
    """The axes of maps and kernels, by lax's letters."""
    axes = "DHW"[3 - n :]
    return (f"N{axes}C", f"{axes}IO", f"N{axes}C") if last else (f"NC{axes}", f"OI{axes}", f"NC{axes}")


def moved(x, *, kernel=False):
    """A shape with channels last."""
    lead, channels, *spatial = x
    return (*spatial, channels, lead) if kernel else (lead, *spatial, channels)


@in_both_layouts
def conv(name, x, kernel, *, stride=1, pad=0, dilation=1, groups=1, last=False, **rest):
    n = len(kernel) - 2
    each = lambda value: (value,) * n
    theirs = functools.partial(
        lax.conv_general_dilated, window_strides=each(stride), padding=[(pad, pad)] * n,
        rhs_dilation=each(dilation), feature_group_count=groups, dimension_numbers=axis_names(n, last),
    )  # fmt: skip
    ours = functools.partial(
        jc.conv, stride=stride, padding=pad, dilation=dilation, groups=groups, dimension_numbers=axis_names(n, last)
    )

    def torch(functional, x, kernel):
        layer = getattr(functional, f"conv{n}d")
        return layer(x, kernel, stride=stride, padding=pad, dilation=dilation, groups=groups)

    bar = None if name.startswith("dense") else 1.5
    x, kernel = (moved(x), moved(kernel, kernel=True)) if last else (x, kernel)
    return Row(name, (x, kernel), ours, theirs, torch, torch_bar=bar, **rest)


@in_both_layouts
def transposed(name, x, kernel, *, stride, pad=0, last=False, **rest):
    n = len(kernel) - 2
    edge = [(k - 1 - pad, k - 1 - pad) for k in kernel[2:]]
    maps, of_kernel, _ = axis_names(n, last)
    numbers = (maps, of_kernel.replace("OI", "IO"), maps)  # of channels in and out of this layer

    def theirs(x, kernel):
        flipped = jnp.flip(kernel, range(n) if last else range(2, 2 + n))
        return lax.conv_general_dilated(
            x, flipped, (1,) * n, edge, lhs_dilation=(stride,) * n, dimension_numbers=numbers
        )  # fmt: skip

    def torch(functional, x, kernel):
        return getattr(functional, f"conv_transpose{n}d")(x, kernel, stride=stride, padding=pad)

    ours = functools.partial(jc.conv_transpose, stride=stride, padding=pad, dimension_numbers=numbers)
    x, kernel = (moved(x), (*kernel[2:], *kernel[:2])) if last else (x, kernel)
    return Row(name, (x, kernel), ours, theirs, torch, **rest)


@in_both_layouts
def pool(name, x, window, mode, *, stride=None, pad=0, last=False, **rest):
    n = len(window)
    ones, still = (1,) * (len(x) - n), [(0, 0)] * (len(x) - n)
    steps = window if stride is None else (stride,) * n

    def around(middle, lead):
        """With what belongs to samples and channels."""
        return type(middle)([*lead[:1], *middle, *lead[1:]]) if last else type(middle)([*lead, *middle])

    windows, strides, pads = around(window, ones), around(steps, ones), around([(pad, pad)] * n, still)

    def theirs(x):
        if mode == "max":
            return lax.reduce_window(x, -jnp.inf, lax.max, windows, strides, pads)
        return lax.reduce_window(x, 0.0, lax.add, windows, strides, pads) / math.prod(window)

    def torch(functional, x):
        layer = getattr(functional, f"{'max' if mode == 'max' else 'avg'}_pool{n}d")
        return layer(x, window, stride=stride, padding=pad)

    axes = tuple(range(1, 1 + n)) if last else None
    ours = functools.partial(jc.pool, window=window, mode=mode, stride=stride, padding=pad, axes=axes)
    return Row(name, (moved(x) if last else x,), ours, theirs, torch, torch_bar=1.0, **rest)


by_fft = functools.partial(scipy.signal.fftconvolve, axes=(-2, -1))


def flip(x):
    return np.flip(x, (-2, -1))


def full(size, **rest):
    """Convolution of two squares, everything that overlaps."""
    pad = size - 1

    def theirs(x, kernel):
        flipped = jnp.flip(kernel)[None, None]
        return lax.conv_general_dilated(x[None, None], flipped, (1, 1), [(pad, pad)] * 2)[0, 0]

    def torch(functional, x, kernel):
        return functional.conv2d(x[None, None], kernel.flip((0, 1))[None, None], padding=pad)[0, 0]

    def exact(cotangent, x, kernel):
        return (
            by_fft(x, kernel),
            by_fft(cotangent, flip(kernel), mode="valid"),
            by_fft(cotangent, flip(x), mode="valid"),
        )

    square = (size, size)
    return Row(
        f"FULL: {size}x{size} on {size}x{size}", (square, square),
        functools.partial(jc.convolve, padding="FULL"), theirs, torch,
        table=KERNELS, exact=exact, scipy=("scipy.signal.fftconvolve", scipy.signal.fftconvolve), **rest,
    )  # fmt: skip


def depthwise(name, x, side, **rest):
    return conv(name, x, (x[1], 1, side, side), pad=side // 2, groups=x[1], **rest)


def depthwise_by_fft(cotangent, x, kernel):
    """One sample, an odd window, as much padding as keeps the size."""
    cotangent, x, kernel = cotangent[0], x[0], kernel[:, 0]
    pad = kernel.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    dx = by_fft(cotangent, kernel)[:, pad:-pad, pad:-pad]
    dk = by_fft(padded, flip(cotangent), mode="valid")
    return by_fft(padded, flip(kernel), mode="valid")[None], dx[None], dk[:, None]


ROWS = (
    conv("LeNet conv1: (128,1,28,28), 6 of 5x5, pad 2", (128, 1, 28, 28), (6, 1, 5, 5), pad=2),
    conv("LeNet conv2: (128,6,14,14), 16 of 5x5", (128, 6, 14, 14), (16, 6, 5, 5)),
    conv("dense: (4,64,56,56), 64 of 3x3, pad 1", (4, 64, 56, 56), (64, 64, 3, 3), pad=1),
    conv("dense: (8,256,14,14), 256 of 3x3, pad 1", (8, 256, 14, 14), (256, 256, 3, 3), pad=1),
    conv("dense: (4,3,224,224), 64 of 7x7, stride 2, pad 3", (4, 3, 224, 224), (64, 3, 7, 7), stride=2, pad=3),
    conv("dense: (4,64,56,56), 128 of 3x3, stride 2, pad 1", (4, 64, 56, 56), (128, 64, 3, 3), stride=2, pad=1),
    conv("dilated: (4,64,32,32), 64 of 3x3, dilation 4, pad 4", (4, 64, 32, 32), (64, 64, 3, 3), dilation=4, pad=4),
    conv("grouped: (4,64,32,32), 64 of 3x3, pad 1, 8 groups", (4, 64, 32, 32), (64, 8, 3, 3), pad=1, groups=8),
    depthwise("depthwise: (4,64,56,56), 3x3, pad 1", (4, 64, 56, 56), 3),
    depthwise("depthwise: (4,96,28,28), 7x7, pad 3", (4, 96, 28, 28), 7),
    conv("depthwise 1-D: (8,512,1024), 5, pad 2", (8, 512, 1024), (512, 1, 5), pad=2, groups=512),
    conv("1-D: (8,64,4096), 64 of 9, pad 4", (8, 64, 4096), (64, 64, 9), pad=4),
    conv("3-D: (1,16,32,32,32), 16 of 3x3x3, pad 1", (1, 16, 32, 32, 32), (16, 16, 3, 3, 3), pad=1),
    transposed("transposed 2-D: (4,64,32,32) to 32, 4x4, stride 2, pad 1", (4, 64, 32, 32), (64, 32, 4, 4),
               stride=2, pad=1),
    transposed("transposed 1-D: (1,64,128) to 1, 1024, stride 256", (1, 64, 128), (64, 1, 1024), stride=256),
    transposed("transposed 3-D: (1,64,32,32,16) to 1, 3x3x3, stride 2, pad 1", (1, 64, 32, 32, 16), (64, 1, 3, 3, 3),
               stride=2, pad=1),
    pool("max pool 2x2: (64,6,28,28)", (64, 6, 28, 28), (2, 2), "max"),
    pool("max pool 3x3, stride 2, pad 1: (4,64,112,112)", (4, 64, 112, 112), (3, 3), "max", stride=2, pad=1),
    pool("max pool 5x5, stride 1, pad 2: (4,64,56,56)", (4, 64, 56, 56), (5, 5), "max", stride=1, pad=2),
    pool("mean pool 2x2: (128,6,28,28)", (128, 6, 28, 28), (2, 2), "mean"),
    pool("mean pool 3x3, stride 1, pad 1: (4,64,56,56)", (4, 64, 56, 56), (3, 3), "mean", stride=1, pad=1),
    pool("max pool 3-D 2x2x2: (2,16,32,32,32)", (2, 16, 32, 32, 32), (2, 2, 2), "max"),
    full(300, once=True),
    depthwise("depthwise 31x31: (1,64,56,56), pad 15", (1, 64, 56, 56), 31, table=KERNELS, exact=depthwise_by_fft),
)  # fmt: skip

LARGE = tuple(
    dataclasses.replace(row, table=CUDNN)
    for row in (
        conv("dense: (64,64,56,56), 64 of 3x3, pad 1", (64, 64, 56, 56), (64, 64, 3, 3), pad=1),
        depthwise("depthwise: (64,96,56,56), 7x7, pad 3", (64, 96, 56, 56), 7),
        depthwise("depthwise: (64,144,56,56), 3x3, pad 1", (64, 144, 56, 56), 3),
        conv("depthwise: (64,144,56,56), 3x3, stride 2, pad 1", (64, 144, 56, 56), (144, 1, 3, 3),
             stride=2, pad=1, groups=144),
        conv("depthwise 1-D: (8,2048,4096), 4, pad 3", (8, 2048, 4096), (2048, 1, 4), pad=3, groups=2048),
        depthwise("depthwise: (32,64,56,56), 31x31, pad 15", (32, 64, 56, 56), 31),
        conv("depthwise 3-D: (4,64,32,56,56), 3x3x3, pad 1", (4, 64, 32, 56, 56), (64, 1, 3, 3, 3), pad=1, groups=64),
        conv("grouped: (64,128,56,56), 128 of 3x3, pad 1, 32 groups", (64, 128, 56, 56), (128, 4, 3, 3),
             pad=1, groups=32),
        conv("LeNet conv1: (1024,1,28,28), 6 of 5x5, pad 2", (1024, 1, 28, 28), (6, 1, 5, 5), pad=2),
        conv("LeNet conv2: (1024,6,14,14), 16 of 5x5", (1024, 6, 14, 14), (16, 6, 5, 5)),
        conv("dense: (64,3,224,224), 64 of 7x7, stride 2, pad 3", (64, 3, 224, 224), (64, 3, 7, 7), stride=2, pad=3),
        conv("dilated: (32,256,28,28), 256 of 3x3, dilation 2, pad 2", (32, 256, 28, 28), (256, 256, 3, 3),
             dilation=2, pad=2),
        transposed("transposed 2-D: (32,256,32,32) to 128, 4x4, stride 2, pad 1", (32, 256, 32, 32), (256, 128, 4, 4),
                   stride=2, pad=1),
        transposed("transposed 3-D: (4,64,32,32,16) to 32, 3x3x3, stride 2, pad 1", (4, 64, 32, 32, 16),
                   (64, 32, 3, 3, 3), stride=2, pad=1),
        transposed("transposed 1-D: (16,256,512) to 128, 16, stride 8, pad 4", (16, 256, 512), (256, 128, 16),
                   stride=8, pad=4),
        conv("3-D: (4,64,32,56,56), 64 of 3x3x3, pad 1", (4, 64, 32, 56, 56), (64, 64, 3, 3, 3), pad=1),
        conv("1-D: (32,128,8192), 128 of 9, pad 4", (32, 128, 8192), (128, 128, 9), pad=4),
        pool("max pool 2x2: (64,64,112,112)", (64, 64, 112, 112), (2, 2), "max"),
        pool("max pool 3x3, stride 2, pad 1: (64,64,112,112)", (64, 64, 112, 112), (3, 3), "max", stride=2, pad=1),
        pool("max pool 5x5, stride 1, pad 2: (64,64,56,56)", (64, 64, 56, 56), (5, 5), "max", stride=1, pad=2),
        pool("max pool 3-D 2x2x2: (8,32,64,64,64)", (8, 32, 64, 64, 64), (2, 2, 2), "max"),
        pool("mean pool 3x3, stride 1, pad 1: (64,64,56,56)", (64, 64, 56, 56), (3, 3), "mean", stride=1, pad=1),
        pool("mean pool 2x2: (64,256,56,56)", (64, 256, 56, 56), (2, 2), "mean"),
    )
)  # fmt: skip


def with_gradients(f):
    def call(cotangent, *args):
        y, pull = jax.vjp(f, *args)
        return y, pull(cotangent)

    return call


def draw(row: Row) -> list[np.ndarray]:
    """A cotangent and the inputs."""
    generator = np.random.default_rng(0)
    shapes = [jax.ShapeDtypeStruct(shape, np.float32) for shape in row.shapes]
    shapes = [jax.eval_shape(row.theirs, *shapes), *shapes]
    drawn = [generator.standard_normal(shape.shape, np.float32).astype(row.dtype) for shape in shapes]
    return [*drawn[:2], *(kernel.astype(np.float32) if row.wide_kernel else kernel for kernel in drawn[2:])]


def in_dtype(row: Row, dtype: str, wide_kernel: bool) -> Row:
    """The same in another dtype; with a wide kernel as a Flax layer of this dtype computes it."""

    def layer(f):
        return lambda x, *kernels: f(x, *(kernel.astype(x.dtype) for kernel in kernels))

    wide = wide_kernel and len(row.shapes) > 1
    if wide:
        row = dataclasses.replace(row, ours=layer(row.ours), theirs=layer(row.theirs))
    return dataclasses.replace(row, name=f"{row.name}, {dtype}", dtype=dtype, wide_kernel=wide)


class Program:
    """One function compiled for its arguments, with what that took."""

    def __init__(self, f: Callable[..., Any], drawn: list[np.ndarray], way: str):
        self.arguments = jax.block_until_ready([jnp.asarray(x) for x in drawn[way == "forward" :]])
        start = time.perf_counter()
        f = with_gradients(f) if way == "both" else f
        self.compiled = jax.jit(f).lower(*self.arguments).compile()
        self.seconds = time.perf_counter() - start
        memory = self.compiled.memory_analysis()
        parts = (memory.temp_size_in_bytes, memory.output_size_in_bytes, memory.argument_size_in_bytes)
        self.mib = sum(parts) / MIB

    def __call__(self):
        return self.compiled(*self.arguments)


def torch_call(torch, row: Row, drawn: list[np.ndarray], way: str) -> Call:
    cotangent, *inputs = (torch.tensor(x, device=torch_device()) for x in drawn)
    inputs = [x.requires_grad_() for x in inputs]

    def forward():
        with torch.no_grad():
            return row.torch(torch.nn.functional, *inputs)

    def both():
        y = row.torch(torch.nn.functional, *inputs)
        return y, torch.autograd.grad(y, inputs, cotangent)

    return both if way == "both" else forward


def in_numpy(answer) -> list[np.ndarray]:
    """Output, and gradients if it has them, in float64."""
    leaves = (leaf.detach().cpu() if hasattr(leaf, "detach") else leaf for leaf in jax.tree.leaves(answer))
    return [np.asarray(leaf).astype(np.float64) for leaf in leaves]


def in_float64(row: Row, drawn: list[np.ndarray]) -> list[np.ndarray]:
    """Output and gradients."""
    wide = [x.astype(np.float64) for x in drawn]
    if row.exact:
        return list(row.exact(*wide))
    with jax.enable_x64(True):
        return in_numpy(jax.jit(with_gradients(row.theirs))(*wide))


def distances(answer: list[np.ndarray], expected: list[np.ndarray]) -> list[float]:
    """The largest difference of the outputs and of each gradient, divided by the largest number."""
    assert [a.shape for a in answer] == [b.shape for b in expected]
    return [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(answer, expected, strict=True)]


def check(
    case: str, answers: dict[str, list[np.ndarray]], exact: Callable[[], list[np.ndarray]], tolerance: float
) -> None:
    """Each result must be near ours, or both near float64; without another one ours must be near float64."""
    near = lambda one, other: np.max(distances(one, other)) <= tolerance
    far = [whose for whose, answer in answers.items() if whose != "jaxcnn" and not near(answers["jaxcnn"], answer)]
    for whose in ("jaxcnn", *far) if far or len(answers) == 1 else ():
        expected = exact()[: len(answers[whose])]
        if not near(answers[whose], expected):
            off = figures(*distances(answers[whose], expected))
            raise AssertionError(f"{case}: {whose} is off from float64, output / gradients, by {off} of the largest")


def measure(row: Row, way: str, torch, seconds: float) -> dict[str, Any]:
    """All figures of one row, forward or with gradients, after a check that the results agree."""
    drawn = draw(row)
    ours = Program(row.ours, drawn, way)
    theirs = Program(row.theirs, drawn, way)
    result = {
        "compile_s": {"jaxcnn": ours.seconds, "lax": theirs.seconds},
        "mib": {"jaxcnn": ours.mib, "lax": theirs.mib},
    }
    rivals: dict[str, Call] = {}
    if not (row.once and way == "both"):
        rivals["lax"] = theirs
        if torch:
            rivals["torch"] = torch_call(torch, row, drawn, way)

    first, answers = {}, {}
    for whose, call in {"jaxcnn": ours, **rivals}.items():
        first[whose], answer = timed(call)
        answers[whose] = in_numpy(answer)
    halves = 0.0 if row.dtype == "float32" else ROUNDINGS * float(jnp.finfo(row.dtype).eps)
    tolerance = max(TOLERANCE[jax.default_backend()], halves)
    check(f"{row.name}, {way}", answers, functools.cache(lambda: in_float64(row, drawn)), tolerance)
    if torch:
        time.sleep(PAUSE)

    compared: dict[str, Comparison] = {}
    if row.scipy and way == "forward":
        name, f = row.scipy
        compared[name] = in_turn(ours, lambda: f(*drawn[1:]), seconds)
    if row.once:
        result["jaxcnn_ms"] = statistics.median(repeat(ours, seconds))
        for whose in rivals:
            compared[whose] = Comparison.of([(result["jaxcnn_ms"], first[whose])])
    else:
        if row.first:
            compared["channels first"] = in_turn(ours, Program(row.first.ours, draw(row.first), way), seconds)
        compared["lax"] = in_turn(ours, theirs, seconds)
        result["jaxcnn_ms"] = compared["lax"].ours
        if torch:
            compared["torch"] = in_blocks(ours, rivals["torch"], seconds)
    behind = "lax" in compared and compared["lax"].behind
    return result | {"compared": {whose: vars(one) for whose, one in compared.items()}, "behind_lax": behind}


def line(row: dict[str, Any]) -> str:
    ways = [row[way] for way in WAYS]
    pick = lambda whose, what: figures(*(way["compared"].get(whose, {}).get(what) for way in ways))
    behind = ", ".join(way for way in WAYS if row[way]["behind_lax"])
    return table_row(
        row["case"], pick("lax", "theirs"), pick("torch", "theirs"), figures(*(way["jaxcnn_ms"] for way in ways)),
        pick("lax", "ratio"), pick("channels first" if "channels last" in row["case"] else "torch", "ratio"),
        behind and f"behind lax: {behind}",
    )  # fmt: skip


class Cost(NamedTuple):
    """Compile time or memory, and up to where ours may be more than twice lax's."""

    key: str
    title: str
    bar: str
    least: Callable[[float], float]

    def broken(self, way: dict[str, Any]) -> bool:
        took = way.get(self.key, {})
        return "lax" in took and took["jaxcnn"] > max(2 * took["lax"], self.least(took["lax"]))


COSTS = (
    Cost("compile_s", "compile, s", "compiles longer than twice lax and 0.5 s", lambda lax: 0.5),
    Cost("mib", "program, MiB", "program of more memory than twice lax and lax + 64 MiB", lambda lax: lax + 64),
)


def costs(rows: list[dict[str, Any]]) -> str:
    """The table of compile times and memory."""
    columns = [(cost, whose) for cost in COSTS for whose in ("lax", "jaxcnn")]
    lines = [table_head("case, forward / both", *(f"{cost.title}: {whose}" for cost, whose in columns))]
    for row in rows:
        cells = (figures(*(row[way][cost.key].get(whose) for way in WAYS)) for cost, whose in columns)
        lines.append(table_row(row["case"], *cells))
    return "\n".join(lines)


def geometric_means(rows: list[dict[str, Any]], whose: str, cap: float = math.inf) -> list[float | None]:
    means = []
    for way in WAYS:
        ratios = [row[way]["compared"][whose]["ratio"] for row in rows if whose in row[way]["compared"]]
        means.append(statistics.geometric_mean(min(ratio, cap) for ratio in ratios) if ratios else None)
    return means


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows that are faster and slower than the others, and by how much."""

    def where(lost):
        found = {row["case"]: [way for way in WAYS if lost(row, row[way])] for row in rows}
        return [f"{case} ({', '.join(ways)})" for case, ways in found.items() if ways]

    def behind_torch(row, way):
        torch = way["compared"].get("torch")
        return torch is not None and row["torch_bar"] is not None and torch["ratio"] * row["torch_bar"] < 1

    lost = {
        "slower than 1.05 times lax and by more than 30 microseconds": where(lambda _, way: way["behind_lax"]),
        "slower than torch (pooling) or than 1.5 times torch (others but dense)": where(behind_torch),
    }
    lost |= {cost.bar: where(lambda _, way, cost=cost: cost.broken(way)) for cost in COSTS}
    tables = {}
    for table in (OPERATORS, KERNELS, CUDNN):
        if among := [row for row in rows if row["table"] == table]:
            tables[table] = {
                "rows": len(among),
                "behind lax": sum(any(row[way]["behind_lax"] for way in WAYS) for row in among),
                "lax / jaxcnn": geometric_means(among, "lax", CAP),
                "torch / jaxcnn": geometric_means(among, "torch"),
            }
    return {"lost": lost, "tables": tables}


def print_summary(rows: list[dict[str, Any]], found: dict[str, Any]) -> None:
    for row in rows:
        for whose, one in row["forward"]["compared"].items():
            if whose not in ("lax", "torch", "channels first"):
                print(f"{row['case']}: {whose} {figure(one['theirs'])} ms, jaxcnn {figure(one['ours'])} ms, "
                      f"{whose} / jaxcnn {figure(one['ratio'])}")  # fmt: skip
        if row["once"]:
            print(f"{row['case']}: lax and torch were called once, and their gradients left out: they take minutes")
    for table, of in found["tables"].items():
        print(f"{table}: {of['behind lax']} of {of['rows']} rows behind lax; geometric means, forward / both: "
              f"lax / jaxcnn (each at most {CAP}) {figures(*of['lax / jaxcnn'])}, "
              f"torch / jaxcnn {figures(*of['torch / jaxcnn'])}")  # fmt: skip
    for title, names in found["lost"].items():
        print_list(title, names)


def configure(platform: str) -> None:
    """Before any array is made."""
    if platform == "cpu":
        jax.config.update("jax_platforms", "cpu")
        return
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # torch needs some
    if jax.default_backend() != "gpu":
        sys.exit(f"bench_ops: --platform gpu: JAX runs on {jax.default_backend()}; pip install 'jax[cuda13]'")


def warm_up() -> None:
    """Compile once: the first compilation takes longer."""
    jax.jit(lambda x: x @ x + 1).lower(jnp.ones((8, 8))).compile()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name holds this")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--platform", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--large", action="store_true", help="cuDNN-sized rows as well")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, after each row")
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--channels-last", action="store_true", help="arrays whose channels lie last, without torch")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32", help="without torch")
    parser.add_argument("--wide-kernel", action="store_true", help="float32 kernels, which a layer converts, as Flax's")
    arguments = parser.parse_args()
    chosen = [row for row in ROWS + LARGE * arguments.large if arguments.only in row.name]
    if not chosen:
        parser.error(f"no row's name holds {arguments.only!r}")
    if arguments.channels_last:
        chosen = [row.last() for row in chosen if row.last and not row.exact]
    if arguments.dtype != "float32":
        chosen = [in_dtype(row, arguments.dtype, arguments.wide_kernel) for row in chosen]
    configure(arguments.platform)
    torch = torch_if_there(not arguments.no_torch and not arguments.channels_last and arguments.dtype == "float32")
    facts = machine(torch)
    print(headline(facts), f"; {arguments.dtype}, milliseconds, forward / both", sep="")
    last = "channels first / last" if arguments.channels_last else "torch / jaxcnn"
    print(table_head("case", "lax", "torch", "jaxcnn", "lax / jaxcnn", last, ""), flush=True)
    warm_up()
    rows = []
    for row in chosen:
        result = {"case": row.name, "table": row.table, "torch_bar": row.torch_bar, "once": row.once}
        for way in WAYS:
            result[way] = measure(row, way, torch, arguments.seconds)
        rows.append(result)
        print(line(result), flush=True)
        write_json(arguments.json, {"machine": facts, "rows": rows})  # also where a later row is interrupted
    print(f"\n{costs(rows)}\n")
    print_summary(rows, summary(rows))


if __name__ == "__main__":
    main()
