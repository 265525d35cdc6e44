"""Option sets drawn at random, each with a transformation under which it is tried, and a law that is to hold."""

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import oracles
from cases import TRANSFORMS as SPREADING
from gathered import CALLABLES
from judging import FLOATS, HALVES, INTEGERS
from kinds import KINDS, lax_is_right, window_of
from operations import OPERATIONS, Door, Reduction, Transposed
from spoilt import spoil

# In x, where there is neither bias nor fill.
LINEAR = ("windows", "fold", "correlate", "convolve", "conv", "conv_transpose")


@dataclass(frozen=True)
class Trial:
    operation: str
    row: Any
    dtype: str = "float32"
    method: str | None = None
    layout: tuple = ()  # conv: three permutations; pool: the axes
    transform: str = "value"  # "value", "gradient", "jvp", "second"
    maps: tuple = ()  # for each vmap, outermost first: (name, axis) pairs of what is mapped
    law: str = "loops"  # and that for which it is tried besides
    data: str = "normal"
    x64: bool = False
    cells: int | None = None  # how much may be laid out at a time
    run: str = "quick"  # "quick" compiled in haste, "jit" as users have it, "eager", "export", a kind of mesh
    platform: str = "cpu"  # whose plan is carried out, here
    kind: str = "plain"
    through: str = ""  # "lax", or what stands in its place: "accelerate", which may be "accelerate the whole"
    mesh: tuple = ()  # what is divided, on which axis, by how many devices
    spoilt: int | None = None  # what is spoilt in it: it must be refused

    @property
    def transformed(self):
        """The name that the table of a campaign has for it."""
        if self.law == "refused":
            return "none"
        named = {"value": self.run if self.run in ("eager", "export") else "jit"}.get(self.transform, self.transform)
        if not self.maps:
            return named
        return "vmap" if self.transform == "value" else f"vmap of {self.transform}"

    def spoil(self):
        operation = OPERATIONS[self.operation][0](self.row, self.dtype)
        return spoil(random.Random(self.spoilt), operation, window_of(self.row))

    def __str__(self):
        if self.spoilt is not None:
            return f"{self.operation} {self.row} {self.spoil()[2]} law=refused"
        told = [self.operation, str(self.row), self.dtype, f"method={self.method}" if self.method else ""]
        told += [f"layout={self.layout}" if self.layout else "", self.transform]
        told += ["vmap(" + ",".join(f"{name}@{axis}" for name, axis in level) + ")" for level in self.maps]
        told += [f"law={self.law}", "" if self.data == "normal" else f"data={self.data}", "x64" if self.x64 else ""]
        told += [f"cells={self.cells}" if self.cells else "", self.run, self.through]
        told += [f"{name}@{axis}/{count}" for name, axis, count in self.mesh]
        told += [f"platform={self.platform}" if self.platform != "cpu" else ""]
        return " ".join(filter(None, told))


@np.errstate(all="ignore")
def draw(seed, index, kinds=None):
    """Trial `index` of a campaign among these kinds, all by default: it depends on nothing else.

    hypothesis could draw and shrink them too, but of 300 trials it draws 148 different ones, and this 300.
    """
    rng = random.Random(f"{seed}:{index}")
    kinds = kinds or list(KINDS)
    (kind,) = rng.choices(kinds, [KINDS[kind].often for kind in kinds])
    while not (trial := _drawn(rng, kind)):
        pass
    return replace(trial, kind=kind)


def _drawn(rng, kind):
    """A trial, or None where the kind does not fit what was drawn."""
    name = rng.choice(("conv", "conv", "pool", "pool", "conv_transpose", *OPERATIONS))
    make, a_row = OPERATIONS[name]
    row = a_row(rng, n=rng.randint(1, 4))
    if kind == "plain" and rng.random() < 0.12:
        return Trial(name, row, spoilt=rng.randrange(2**32), law="refused")
    row = _stretched(rng, name, row)
    if len(row.x) > 0 and window_of(row) == 1 and rng.random() < 0.06:
        row = _lengthened(row, rng.choice((33, 40, 121)))
    if name in SHRINKING and rng.random() < 0.08:
        row = _shrunk(rng, row)
        if not _fits(row):
            return Trial(name, row, law="refused") if kind == "plain" else None
    row = KINDS[kind].row(rng, name, row)
    if row is None:
        return None
    transform = rng.choice(("value", "value", "gradient", "gradient", "jvp", "second"))
    dtype = rng.choice({
        "value": ("float32", "float32", "float64", *HALVES, *INTEGERS, "complex64"),
        "gradient": ("float32", "float32", "float64", *HALVES, "complex64"),
        "jvp": ("float32", "float32", "float64"),
        "second": ("float32", "float64", "float64"),
    }[transform])  # fmt: skip
    row, dtype = _fitting(rng, row, dtype)
    operation = make(row, dtype)
    methods = [m for m in operation.methods if m not in SPREADING or dtype not in INTEGERS]
    if transform == "second" and not _is_finite(operation):
        transform = "jvp"  # inf - inf
    if transform in ("jvp", "second") and (getattr(row, "p", None) or 1) < 1:
        transform = "gradient"  # the powers of numbers near 0 have no good differences
    trial = Trial(
        name, row, dtype, transform=transform, layout=_a_layout(rng, name, row),
        method=rng.choice([*methods, "auto"]) if methods else None,
        x64=dtype == "float64" or rng.random() < 0.15, run=rng.choice(("quick",) * 12 + ("jit",) * 3),
    )  # fmt: skip
    trial = replace(trial, data=rng.choice(_kinds_of_data(trial, operation)))
    if rng.random() < 0.3:
        trial = replace(trial, cells=rng.choice((1, 40, 300)))
    if 0 not in _sides(operation) and rng.random() < 0.4:
        names = inputs_of(trial, operation)
        trial = replace(trial, maps=tuple(_a_map(rng, operation, names) for _ in range(rng.choice((1, 1, 1, 2)))))
    trial = replace(trial, law=rng.choice(["loops", *_laws(trial, operation)]))
    if name in PLANNED:
        trial = replace(trial, platform=rng.choice(("cpu", "cpu", "gpu", "other")))
    if (
        trial.law == "loops"
        and trial.platform == "cpu"
        and not trial.maps
        and not trial.cells
        and transform in ("value", "gradient")
    ):
        trial = replace(trial, run=rng.choice((trial.run,) * 7 + ("eager",)))  # which compiles each step by itself
    return KINDS[kind].trial(rng, trial, operation)


def _stretched(rng, name, row):
    """Now and then a side of 1, no samples, more samples, or more cells than the table of cases has."""
    if name in ("adaptive_pool", "fold") or row.x == () or (row.fill is None and getattr(row, "mode", "") in CALLABLES):
        return row  # (a callable without a fill can't have the overhang that more cells may bring)
    lead = len(row.x) - window_of(row)
    x = list(row.x)
    what = rng.random()
    if what < 0.03 and lead:
        x[0] = 0
    elif what < 0.08 and lead and getattr(row, "batches", 1) == 1:
        x[0] = rng.randint(3, 9)
    elif what < 0.25 and name != "conv_transpose":
        x[lead:] = [side + rng.randint(0, {1: 40, 2: 9, 3: 4, 4: 2}[len(x) - lead]) for side in x[lead:]]
    stretched = replace(row, x=tuple(x))
    return stretched if name != "indices" or stretched.every_window_meets_the_map else row


PLANNED = ("correlate", "convolve", "conv", "conv_transpose", "conv_general_dilated", "pool", "reduce_window")
SHRINKING = ("windows", "correlate", "convolve", "conv")


def _is_finite(operation):
    results, _ = operation.oracle({name: np.zeros(shape) for name, shape in operation.shapes.items()})
    return all(np.isfinite(y).all() for y in results.values())


def _lengthened(row, window):
    """A long window, taken as a window of windows or by a transform, and as many of them as before."""
    for name in ("kernel", "size", "window"):
        shape = getattr(row, name, ())
        if shape and not isinstance(row, Transposed | Door | Reduction):
            (dilation,) = oracles.per_axis(row.dilation, 1)
            side = row.x[-1] + (window - shape[-1]) * dilation
            return replace(row, **{name: (*shape[:-1], window)}, x=(*row.x[:-1], side))
    return row


def _shrunk(rng, row):
    """With fewer cells, so that the windows may not fit."""
    lead = len(row.x) - window_of(row)
    return replace(row, x=(*row.x[:lead], *(max(side - rng.randint(0, 3), 0) for side in row.x[lead:])))


def _fits(row):
    window = row.kernel[2:] if hasattr(row, "kernel") else row.size
    spatial = row.x[len(row.x) - len(window) :]
    _, dilation, pads = laid_by_numbers(row, spatial, window)
    modes = oracles.per_axis(row.padding_mode, len(window))
    columns = zip(spatial, window, dilation, pads, modes, strict=True)
    return all(
        side + low + high >= (k - 1) * d + 1
        and (mode == "constant" or (low, high) == (0, 0) or side + min(low, 0) + min(high, 0) > 0)
        for side, k, d, (low, high), mode in columns
    )


def _kinds_of_data(trial, operation):
    if trial.dtype not in ("float32", "float64"):
        return ["normal"]
    if trial.transform in ("jvp", "second"):  # whose oracle takes differences: no winner may change
        return ["normal" if operation.smooth else "apart"]
    if operation.in_its_dtype:  # which winner a median takes at a tie is its own affair, as are a callable's NaN
        return ["normal"]
    spreads = (None, "auto", *SPREADING, *(["xla"] if trial.dtype == "float64" else []))  # over groups, a vmap's too
    keeps_nan = trial.method not in spreads and getattr(trial.row, "mode", "") != "lp"
    return ["normal", "normal", "ties"] + ["nan"] * (keeps_nan and trial.transform == "value")


def _fitting(rng, row, dtype):
    """A row and a dtype that go together."""
    mode = getattr(row, "mode", None)
    if dtype == "complex64" and mode not in (None, "sum", "mean"):
        dtype = "float32"
    if dtype in INTEGERS and mode in ("lp", "logsumexp", "squares", "median", "product", "logaddexp"):
        dtype = "float32"
    if dtype in INTEGERS and row.fill is not None:
        row = replace(row, fill=float(rng.randint(0, 9)))
    return row, dtype


def _a_layout(rng, name, row):
    if rng.random() < 0.5:
        return ()
    if name in ("conv", "conv_transpose", "conv_general_dilated"):
        return tuple(tuple(rng.sample(range(len(row.x)), len(row.x))) for _ in range(3))
    if name in ("pool", "indices"):
        return tuple(rng.sample(range(len(row.x)), len(row.window)))
    return ()


def _a_map(rng, operation, names):
    mapped = [name for name in names if rng.random() < 0.5 or name.startswith("ct")] or [rng.choice(list(names))]
    return tuple((name, rng.randint(0, len(names[name]))) for name in mapped)


def _laws(trial, operation):
    laws = ["loops"]
    if operation.lax and trial.transform in ("value", "gradient") and lax_is_right(trial):
        laws += ["lax"] * (trial.dtype not in INTEGERS)
    if trial.maps and trial.dtype in FLOATS:
        laws.append("stack")
    if operation.methods and trial.dtype in FLOATS and trial.data != "nan":
        laws.append("methods")
    if trial.operation in LINEAR and trial.transform == "value" and not trial.maps and trial.data == "normal":
        if set(operation.shapes) & {"fill", "bias"} or trial.dtype not in FLOATS:
            return laws
        laws.append("linearity")
        # No transposed layer gives a side of 0.
        if getattr(trial.row, "padding_mode", "constant") == "constant" and trial.operation != "convolve":
            laws += ["adjoint"] if 0 not in _sides(operation) else []
    return laws


def _sides(operation):
    return [side for shape in operation.shapes.values() for side in shape]


def inputs_of(trial, operation):
    """The shape of every array that goes in: arguments, and along what there is a derivative."""
    shapes = dict(operation.shapes)
    if trial.transform in ("gradient", "second"):
        zeros = {name: np.zeros(shape) for name, shape in shapes.items()}
        results, _ = operation.oracle(zeros)
        shapes |= {f"ct {name}": results[name].shape for name in operation.outputs}
    if trial.transform in ("jvp", "second"):
        shapes |= {f"v {name}": shape for name, shape in operation.shapes.items()}
    return shapes


def laid_by_numbers(row, size, window):
    n = len(window)
    stride, dilation = (oracles.per_axis(each, n) for each in (row.stride, row.dilation))
    return stride, dilation, oracles.pads_of(row.padding, size, window, stride, dilation)
