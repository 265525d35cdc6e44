"""The table of cases: rows picked by hand because they are odd, and rows drawn with a fixed seed.

jaxcnn and its oracles are both called as `f(**row.arguments(dtype), **row.options)`: the arguments are the arrays, each
of which has a gradient; the options are what is known when the function is traced.
"""

import random
import zlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import oracles
from hypothesis import strategies as st

from jaxcnn._engine.platforms import methods
from jaxcnn._pool import METHODS

Shape = tuple[int, ...]
# Every method that computes the same ("auto" takes one of them): a new one is tested from its first day. A transform
# spreads its rounding, and a NaN, over a whole map, so it has its own law: test_transform_bound.py.
TRANSFORMS = ("fft",)
CONTRACTIONS = tuple(name for name in methods() if name not in TRANSFORMS)
REDUCTIONS = tuple(name for name in METHODS if name != "auto")

NAMED = ("VALID", "SAME", "SAME_LOWER", "FULL", "CAUSAL")
FROM_MAP = ("reflect", "replicate", "circular", "symmetric")


@dataclass(frozen=True)
class Row:
    """What every operation on windows takes. `fill=None` is the default, and then there is no gradient in fill."""

    x: Shape
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    padding_mode: Any = "constant"
    fill: float | None = None

    ARRAYS = ("x", "fill")

    @property
    def options(self) -> dict[str, Any]:
        """The keywords that are not left at their defaults."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.ARRAYS}
        defaults = {f.name: f.default for f in fields(self)}
        return {name: value for name, value in given.items() if value != defaults[name]}

    def arguments(self, dtype: str, **shapes: Shape) -> dict[str, np.ndarray]:
        """Random normal arrays, the same for a row on each run; `shapes` replace the row's own."""
        shapes = {name: getattr(self, name) for name in self.ARRAYS if name != "fill"} | shapes
        arrays = {name: self.random(dtype, shape, name) for name, shape in shapes.items() if shape is not None}
        return arrays if self.fill is None else arrays | {"fill": np.array(self.fill, dtype)}

    def random(self, dtype: str, shape: Shape, name: str = "") -> np.ndarray:
        return np.random.default_rng(zlib.crc32(f"{self}{name}".encode())).normal(size=shape).astype(dtype)

    def __str__(self) -> str:
        """A readable test id: the shapes, and what differs from the defaults."""
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        first = ["x", *(name for name in ("kernel", "bias", "size", "window", "mode") if name in changed)]
        names = [*first, *(name for name in changed if name not in first)]
        return ",".join(f"{name}={_show(getattr(self, name))}" for name in names)


@dataclass(frozen=True)
class Windows(Row):
    """A row for `windows`; with a kernel of the window's shape, for `correlate` and `convolve`."""

    size: Shape = ()

    @property
    def common(self) -> dict[str, Any]:
        """The options of `correlate`, whose kernel says the size."""
        return {name: value for name, value in self.options.items() if name != "size"}

    @property
    def laid(self) -> dict[str, Any]:
        """The options of `fold`: where the windows lie."""
        return {name: value for name, value in self.options.items() if name in ("stride", "padding", "dilation")}


@dataclass(frozen=True)
class Conv(Row):
    kernel: Shape = ()
    bias: Shape | None = None
    groups: int = 1

    ARRAYS = ("x", "kernel", "bias", "fill")


@dataclass(frozen=True)
class Pool(Row):
    stride: Any = None
    window: Shape = ()
    mode: str = "max"
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        return super().options | {"mode": self.mode}

    @property
    def every_window_meets_the_map(self) -> bool:
        """No window lies wholly in the padding, where max is the identity and a mean without padding is 0 / 0."""
        return bool(np.isfinite(oracles.pool(np.zeros(self.x), **self.options)).all())

    @property
    def lax_has_gradient(self) -> bool:
        """lax cannot differentiate a dilated maximum in reverse."""
        return self.mode not in ("max", "min") or all(d == 1 for d in _each(self.dilation, len(self.window)))


def _show(value: Any) -> str:
    if not isinstance(value, tuple):
        return str(value)
    pairs = any(isinstance(entry, tuple) for entry in value)
    return "x".join(":".join(map(str, entry)) if pairs else str(entry) for entry in value)


# Drawn ---------------------------------------------------------------------------------------------------------------


def draw(make, count: int, seed: int = 0) -> tuple[Any, ...]:
    """`count` different rows of one kind, ranks 1 to 4 in turn."""
    rng, rows = random.Random(seed), {}
    while len(rows) < count:
        rows[make(rng, n=1 + len(rows) % 4)] = None
    return tuple(rows)


def any_row(make):
    """Rows of one kind for hypothesis, which shrinks them."""
    return st.builds(make, st.randoms(use_true_random=False), n=st.integers(1, 4))


def a_windows(rng: random.Random, n: int) -> Windows:
    spatial, size, common = _common(rng, n)
    lead = rng.choice([(), (2,), (2, 3)])
    return Windows(x=(*lead, *spatial), size=size, **common)


def a_conv(rng: random.Random, n: int) -> Conv:
    spatial, window, common = _common(rng, n)
    groups = rng.choice([1, 1, 2, 3])
    ins, outs = rng.randint(1, 2), rng.randint(1, 2)
    return Conv(
        x=(rng.randint(1, 2), ins * groups, *spatial),
        kernel=(outs * groups, ins, *window),
        bias=rng.choice([None, (outs * groups,)]),
        groups=groups,
        **common,
    )


def a_pool(rng: random.Random, n: int) -> Pool:
    spatial, window, common = _common(rng, n)
    common["stride"] = rng.choice([None, common["stride"]])
    mode = rng.choice(["max", "min", "sum", "mean", "mean"])
    how_counted = [{}, {"divisor": rng.randint(1, 5)}]
    if common["fill"] is None:
        how_counted.append({"count_include_pad": False})
    ceil_mode = rng.random() < 0.4 and _windows_outlast(common["padding"], window, common["dilation"])
    lead = rng.choice([(), (2,), (2, 2)])
    counted = rng.choice(how_counted) if mode == "mean" else {}
    return Pool(x=(*lead, *spatial), window=window, mode=mode, ceil_mode=ceil_mode, **common, **counted)


def _common(rng: random.Random, n: int) -> tuple[Shape, Shape, dict[str, Any]]:
    """A map, a window that fits on it, and options; small, since NumPy loops over it."""
    longest = {1: 4, 2: 3, 3: 3, 4: 2}[n]
    window = tuple(rng.randint(1, longest) for _ in range(n))
    stride = _one_or_each(rng, n, (1, 1, 2, 3))
    dilation = _one_or_each(rng, n, (1, 1, 1, 2, 3))
    spans = [(k - 1) * d + 1 for k, d in zip(window, _each(dilation, n), strict=True)]
    padding = _padding(rng, n)
    padding_mode, fill = "constant", None
    if padding not in (0, "VALID"):
        fill = rng.choice([None, None, 0.0, -0.5, 1.5])
        if rng.random() < 0.4:
            padding_mode, fill = rng.choice(FROM_MAP), None
            if n > 1 and rng.random() < 0.4:
                padding_mode = tuple(rng.choice(("constant", *FROM_MAP)) for _ in range(n))
    spatial = []
    for span, (low, high) in zip(spans, _pairs(padding, n), strict=True):
        a_cell_to_pad_with = 1 - min(low, 0) - min(high, 0)
        spatial.append(max(span - low - high, a_cell_to_pad_with) + rng.randint(0, longest))
    return tuple(spatial), window, {
        "stride": stride, "padding": padding, "dilation": dilation, "padding_mode": padding_mode, "fill": fill,
    }  # fmt: skip


def _padding(rng: random.Random, n: int) -> Any:
    return rng.choice([
        0,
        rng.randint(1, 2),
        tuple(rng.randint(0, 2) for _ in range(n)) if n > 1 else rng.randint(-1, 2),
        tuple((rng.randint(-1, 2), rng.randint(-1, 2)) for _ in range(n)),
        rng.choice(NAMED),
        rng.choice(NAMED),
    ])  # fmt: skip


def _pairs(padding: Any, n: int) -> list[tuple[int, int]]:
    if isinstance(padding, str):  # as for VALID, which needs the largest map
        return [(0, 0)] * n
    return [(p, p) if isinstance(p, int) else p for p in _each(padding, n)]


def _windows_outlast(padding: Any, window: Shape, dilation: Any) -> bool:
    """Whether each window is longer than the high padding; otherwise libraries differ on ceil mode."""
    if isinstance(padding, str):
        return True
    n = len(window)
    spans = [(k - 1) * d + 1 for k, d in zip(window, _each(dilation, n), strict=True)]
    return all(high < span for (_, high), span in zip(_pairs(padding, n), spans, strict=True))


def _one_or_each(rng: random.Random, n: int, choices: tuple[int, ...]) -> Any:
    return rng.choice([rng.choice(choices), tuple(rng.choice(choices) for _ in range(n))])


def _each(value: Any, n: int) -> Shape:
    return (value,) * n if isinstance(value, int) else value


# The table -----------------------------------------------------------------------------------------------------------

PICKED_CONVS = (
    Conv(x=(2, 1, 28, 28), kernel=(6, 1, 5, 5), bias=(6,), padding=2),  # LeNet's first layer
    Conv(x=(1, 1, 3, 3), kernel=(1, 1, 2, 2)),
    Conv(x=(1, 1, 1), kernel=(1, 1, 1), bias=(1,)),  # one cell, one tap
    Conv(x=(2, 3, 5), kernel=(4, 3, 5)),  # a window as large as the map
    Conv(x=(2, 3, 7, 5), kernel=(4, 3, 3, 2), bias=(4,), stride=(2, 3), padding=((2, 0), (1, 3))),
    Conv(x=(2, 2, 9, 9), kernel=(2, 2, 1, 1), stride=3),  # strides step over cells
    Conv(x=(2, 3, 4, 6), kernel=(6, 1, 3, 3), bias=(6,), groups=3, padding="SAME"),  # depthwise, multiplier 2
    Conv(x=(1, 4, 6, 5), kernel=(6, 2, 2, 3), groups=2, dilation=(2, 1), padding=1),
    Conv(x=(1, 2, 8, 7), kernel=(3, 2, 3, 3), padding=((-1, 2), (0, -2))),  # crops
    Conv(x=(2, 2, 3), kernel=(2, 2, 2), padding=((4, 5),)),  # windows wholly inside the padding
    Conv(x=(2, 2, 5, 4), kernel=(2, 2, 3, 3), bias=(2,), padding=1, fill=2.0),
    Conv(x=(1, 2, 3, 4), kernel=(2, 2, 3, 3), padding=((5, 4), (0, 6)), padding_mode="reflect"),  # wider than the map
    Conv(x=(2, 1, 4), kernel=(1, 1, 3), padding=((2, 1),), padding_mode="replicate"),
    Conv(x=(1, 1, 4, 3), kernel=(2, 1, 3, 3), padding=(2, 1), padding_mode=("circular", "reflect")),  # a globe
    Conv(x=(2, 2, 8), kernel=(3, 2, 2), bias=(3,), dilation=4, padding="CAUSAL"),  # a WaveNet's
    Conv(x=(1, 2, 3, 4, 5), kernel=(2, 2, 3, 2, 1), bias=(2,), stride=(1, 2, 1), padding=(1, 0, 2)),
    Conv(x=(1, 2, 3, 2, 4, 3), kernel=(2, 1, 2, 1, 2, 2), groups=2, padding="SAME", stride=2),
    # Found by scripts/fuzz_ops.py.
    Conv(x=(2, 2, 5), kernel=(3, 2, 4), bias=(3,), stride=3, padding=1),  # JAX's transpose of half precisions, integers
    Conv(x=(1, 2, 1, 2), kernel=(2, 2, 1, 2), padding=((-2, 3), (0, 1))),  # a crop of more cells than there are
)

# Strides that become a reshape into blocks, on all axes or on some.
STRIDED_CONVS = (
    Conv(x=(2, 3, 8, 6), kernel=(4, 3, 2, 3), bias=(4,), stride=(2, 3)),  # patches
    Conv(x=(2, 2, 11, 10), kernel=(3, 2, 4, 6), stride=(2, 3), padding=((1, 1), (2, 1))),  # cells left over
    Conv(x=(2, 4, 7, 8), kernel=(2, 2, 3, 4), stride=2, groups=2, padding=1),  # blocks on the second axis only
    Conv(x=(1, 2, 9, 7), kernel=(2, 2, 2, 4), stride=2, dilation=(3, 1), padding="SAME"),  # the same, for a dilation
    Conv(x=(2, 2, 9, 8), kernel=(2, 2, 2, 4), stride=2, padding=((-1, -2), (3, -1))),  # blocks from a cropped map
    Conv(x=(2, 1, 3), kernel=(1, 1, 4), stride=2, padding=((7, 6),), fill=1.5),  # windows wholly inside the padding
    Conv(x=(1, 3, 5, 4, 7), kernel=(6, 1, 2, 1, 6), stride=(2, 4, 3), groups=3, padding=(1, 0, 2)),  # depthwise
)

PICKED_POOLS = (
    Pool(x=(2, 6, 28, 28), window=(2, 2), mode="mean"),  # LeNet's
    Pool(x=(2, 6, 28, 28), window=(2, 2), mode="max"),
    Pool(x=(1,), window=(1,), mode="sum"),
    Pool(x=(2, 3, 7, 5), window=(3, 2), mode="max", stride=(1, 2), padding=((1, 0), (0, 1))),  # overlap
    Pool(x=(2, 7, 7), window=(3, 3), mode="max", stride=2, padding=1, fill=0.0),  # the starting text's zero padding
    Pool(x=(2, 9), window=(2,), mode="min", stride=4),  # gaps
    Pool(x=(2, 5, 6), window=(2, 3), mode="max", dilation=(2, 1), stride=1),
    Pool(x=(2, 6, 5), window=(3, 3), mode="mean", stride=2, padding=1, ceil_mode=True),
    Pool(x=(2, 6, 5), window=(3, 3), mode="mean", stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    Pool(x=(2, 6), window=(2,), mode="mean", stride=2, padding=((0, -1),), ceil_mode=True, count_include_pad=False),
    Pool(x=(2, 4), window=(2,), mode="mean", stride=3, padding=1, dilation=3, ceil_mode=True),  # taps count, not span
    Pool(x=(2, 3), window=(2,), mode="max", stride=2, padding=((3, 3),)),  # windows wholly inside the padding
    Pool(x=(2, 3), window=(2,), mode="mean", stride=2, padding=((3, 3),), count_include_pad=False),  # 0 / 0
    Pool(x=(2, 5, 5), window=(3, 3), mode="mean", stride=1, padding=1, padding_mode="reflect", count_include_pad=False),
    Pool(
        x=(5, 7), window=(3, 3), mode="max", dilation=(1, 2), padding=((1, -1), (0, 2)), ceil_mode=True
    ),  # crop, overhang
    Pool(x=(3, 4, 4), window=(4, 4), mode="sum"),  # global
    Pool(x=(2, 4, 3, 5), window=(2, 1, 3), mode="max", stride=(1, 2, 2), padding=(1, 0, 1)),
    Pool(x=(3, 2, 4, 3), window=(2, 1, 2, 2), mode="mean", stride=1, padding="SAME"),
    # Found by scripts/fuzz_ops.py: an overhang where padding copies the map.
    Pool(x=(2, 4), window=(3,), mode="max", stride=2, padding=((1, 0),), padding_mode="reflect", ceil_mode=True),
)

PICKED_WINDOWS = (
    Windows(x=(3, 3), size=(2, 2)),
    Windows(x=(2, 1), size=(1,)),
    Windows(x=(2, 3, 6, 4), size=(2, 2), stride=2),  # a reshape
    Windows(x=(7, 5), size=(3, 2), stride=(2, 1), padding=((1, 2), (0, 1)), dilation=(1, 2)),
    Windows(x=(2, 9), size=(2,), stride=4),
    Windows(x=(2, 5, 5), size=(3, 3), padding=((-1, 0), (2, -2))),
    Windows(x=(2, 2), size=(2, 2), padding=((3, 0), (2, 5)), padding_mode="symmetric"),
    Windows(x=(4, 5), size=(2, 3), stride=2, padding="SAME", padding_mode="replicate"),
    Windows(x=(2, 3, 4, 5), size=(2, 3, 2), padding="FULL", fill=1.0),
)

CONVS = (*PICKED_CONVS, *STRIDED_CONVS, *draw(a_conv, 80))
POOLS = (*PICKED_POOLS, *draw(a_pool, 70))
WINDOWS = (*PICKED_WINDOWS, *draw(a_windows, 50))

# For laws that need several compilations a row. Ranks come in turns of four, so that every seventh row has all of them.
FEW_CONVS, FEW_POOLS = CONVS[::7], POOLS[::7]


def a_fifth(rows):
    """For laws that hold for all rows of a kind or for none."""
    return rows[::5]
