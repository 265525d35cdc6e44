"""Option sets drawn at random, each tried under a transformation and held against the oracle by index, and a law."""

import itertools
import random
import warnings
import zlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import oracles
from cases import TRANSFORMS as SPREADING
from checks import quick_jit
from operations import OPERATIONS
from spoilt import check_refused, spoil

import jaxcnn as jc
from jaxcnn._ways import reshape
from jaxcnn._ways.choose import MANY_TAPS

FLOATS, HALVES = ("float32", "float64", "complex64"), ("bfloat16", "float16")
INTEGERS = ("int32", "int8", "uint8")
LINEAR = (
    "windows",
    "fold",
    "correlate",
    "convolve",
    "conv",
    "conv_transpose",
)  # in x, where there is neither bias nor fill


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
    run: str = "quick"  # "quick" compiled in haste, "jit" as users have it, "eager"
    spoilt: int | None = None  # what is spoilt in it: it must be refused

    @property
    def transformed(self):
        """The name that the table of a campaign has for it."""
        if self.law == "refused":
            return "none"
        named = {"value": self.run if self.run == "eager" else "jit"}.get(self.transform, self.transform)
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
        told += [f"cells={self.cells}" if self.cells else "", self.run]
        return " ".join(filter(None, told))


# Drawn ---------------------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def draw(seed, index):
    """Trial `index` of a campaign: it depends on nothing else."""
    rng = random.Random(f"{seed}:{index}")
    name = rng.choice(("conv", "conv", "pool", "pool", "conv_transpose", *OPERATIONS))
    make, a_row = OPERATIONS[name]
    row = a_row(rng, n=rng.randint(1, 4))
    if rng.random() < 0.08:
        return Trial(name, row, spoilt=rng.randrange(2**32), law="refused")
    row = _stretched(rng, name, row)
    if len(row.x) > 0 and window_of(row) == 1 and rng.random() < 0.06:
        row = _lengthened(row, rng.choice((33, 40, 121)))
    if name in SHRINKING and rng.random() < 0.08:
        row = _shrunk(rng, row)
        if not _fits(row):
            return Trial(name, row, law="refused")
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
    trial = Trial(
        name, row, dtype, transform=transform, layout=_a_layout(rng, name, row),
        method=rng.choice([*methods, "auto"]) if methods else None,
        x64=dtype == "float64" or rng.random() < 0.15, run=rng.choice(("quick",) * 12 + ("jit",) * 3),
    )  # fmt: skip
    trial = replace(trial, data=rng.choice(_kinds_of_data(trial, operation)))
    if rng.random() < 0.3:
        trial = replace(trial, cells=rng.choice((1, 40, 300)))
    if 0 not in _sides(operation) and rng.random() < 0.4:
        names = _inputs(trial, operation)
        trial = replace(trial, maps=tuple(_a_map(rng, operation, names) for _ in range(rng.choice((1, 1, 1, 2)))))
    trial = replace(trial, law=rng.choice(["loops", *_laws(trial, operation)]))
    if trial.law == "loops" and not trial.maps and not trial.cells and transform in ("value", "gradient"):
        return replace(trial, run=rng.choice((trial.run,) * 7 + ("eager",)))  # which compiles each step by itself
    return trial


def _stretched(rng, name, row):
    """Now and then a side of 1, no samples, more samples, or more cells than the table of cases has."""
    if name in ("adaptive_pool", "fold") or row.x == ():
        return row
    n = {"conv_transpose": 2, "conv": 2, "conv_general_dilated": 2}.get(name)
    lead = n if n else len(row.x) - len(getattr(row, "size", ()) or row.window)
    x = list(row.x)
    what = rng.random()
    if what < 0.03 and lead:
        x[0] = 0
    elif what < 0.08 and lead and getattr(row, "batches", 1) == 1:
        x[0] = rng.randint(3, 9)
    elif what < 0.25 and name != "conv_transpose":
        x[lead:] = [side + rng.randint(0, {1: 40, 2: 9, 3: 4, 4: 2}[len(x) - lead]) for side in x[lead:]]
    return replace(row, x=tuple(x))


SHRINKING = ("windows", "correlate", "convolve", "conv")


def _is_finite(operation):
    results, _ = operation.oracle({name: np.zeros(shape) for name, shape in operation.shapes.items()})
    return all(np.isfinite(y).all() for y in results.values())


def window_of(row):
    """How many axes are windowed."""
    if hasattr(row, "kernel"):
        return len(row.kernel) - 2
    return len(getattr(row, "size", ()) or getattr(row, "window", ()) or row.output_size)


def _lengthened(row, window):
    """A long window, taken as a window of windows or by a transform, and as many of them as before."""
    for name in ("kernel", "size", "window"):
        shape = getattr(row, name, ())
        if shape and type(row).__name__ not in ("Transposed", "Door"):
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
    _, dilation, pads = _numeric(row, spatial, window)
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
    keeps_nan = trial.method not in (None, "auto", *SPREADING) and getattr(trial.row, "mode", "") != "lp"
    return ["normal", "normal", "ties"] + ["nan"] * (keeps_nan and trial.transform == "value")


def _fitting(rng, row, dtype):
    """A row and a dtype that go together."""
    mode = getattr(row, "mode", None)
    if dtype == "complex64" and mode not in (None, "sum", "mean"):
        dtype = "float32"
    if dtype in INTEGERS and mode in ("lp", "logsumexp", "squares", "median"):
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
    if operation.lax and trial.dtype in ("float32", "float64") and trial.transform == "value" and trial.data != "nan":
        laws.append("lax")
    if trial.maps and trial.dtype in FLOATS:
        laws.append("stack")
    if operation.methods and trial.dtype in FLOATS and trial.data != "nan":
        laws.append("methods")
    if trial.operation in LINEAR and trial.transform == "value" and not trial.maps and trial.data == "normal":
        if set(operation.shapes) & {"fill", "bias"} or trial.dtype not in FLOATS:
            return laws
        laws.append("linearity")
        if getattr(trial.row, "padding_mode", "constant") == "constant" and trial.operation != "convolve":
            laws.append("adjoint")
    return laws


# Tried ---------------------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def check(trial):
    """Raise an AssertionError where jaxcnn and the oracle differ, and whatever comes up."""
    cells = reshape.CELLS if trial.cells is None else trial.cells
    with warnings.catch_warnings(), jax.enable_x64(trial.x64), mock.patch.object(reshape, "CELLS", cells):
        warnings.simplefilter("error")
        operation = None if trial.law == "refused" else OPERATIONS[trial.operation][0](trial.row, trial.dtype)
        if operation:
            _check(trial, operation)
        elif trial.spoilt is not None:
            check_refused(*trial.spoil()[:2])
        else:
            _check_does_not_fit(trial)


def _check_does_not_fit(trial):
    shapes = {"x": trial.row.x} | {
        name: getattr(trial.row, name) for name in ("kernel", "bias") if getattr(trial.row, name, None)
    }
    options = trial.row.options
    if trial.operation in ("correlate", "convolve"):
        shapes["kernel"], options = trial.row.size, trial.row.common
    fill = {} if trial.row.fill is None else {"fill": trial.row.fill}
    check_refused(trial.operation, {name: jnp.ones(shape) for name, shape in shapes.items()} | fill | options)


def _check(trial, operation):
    inputs = _arrays(trial, operation)
    judge = partial(_judge, trial, operation)
    oracle, bounds = _mapped_by_loops(judge, trial.maps, {name: _exact(a) for name, a in inputs.items()})
    methods = _some_methods(trial, operation) if trial.law == "methods" else [trial.method]
    programs = {method: _program(trial, operation, method) for method in methods}
    if trial.law in ("linearity", "adjoint"):
        _check_law(trial, operation, inputs, oracle, bounds)
        return
    mapped = {method: _mapped(f, trial.maps) for method, f in programs.items()}
    results = _compiled(trial, lambda inputs: {method: f(inputs) for method, f in mapped.items()})(inputs)
    for method, result in results.items():
        _assert_within(result, oracle, bounds, trial.dtype, f"method {method}" if method else "")
    if trial.law == "stack":
        called = quick_jit(programs[trial.method])
        stacked = _mapped_by_loops(lambda inputs: (dict(called(inputs)), {}), trial.maps, inputs)[0]
        _assert_within(
            results[trial.method], stacked, {k: 2 * v for k, v in bounds.items()}, trial.dtype, "the stack of calls"
        )
    if trial.law == "lax":
        theirs = _mapped(lambda args: operation.lax(args), trial.maps)
        with jax.enable_x64(True):
            values = quick_jit(theirs)({name: np.float64(a) for name, a in inputs.items()})
        values = {name: np.asarray(value) for name, value in values.items()}
        _assert_within(results[trial.method], values, bounds, trial.dtype, "lax")


def _some_methods(trial, operation):
    """Three, its own among them: each compiles for as long as a trial."""
    others = [m for m in operation.methods if m not in (*SPREADING, trial.method)]
    return [trial.method, *random.Random(str(trial)).sample(others, 2)]


def _compiled(trial, f):
    return {"quick": quick_jit, "jit": jax.jit, "eager": lambda f: f}[trial.run](f)


def _exact(array):
    array = np.asarray(array)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


# Arrays --------------------------------------------------------------------------------------------------------------


def _sides(operation):
    return [side for shape in operation.shapes.values() for side in shape]


def _inputs(trial, operation):
    """The shape of every array that goes in: arguments, and along what there is a derivative."""
    shapes = dict(operation.shapes)
    if trial.transform in ("gradient", "second"):
        zeros = {name: np.zeros(shape) for name, shape in shapes.items()}
        results, _ = operation.oracle(zeros)
        shapes |= {f"ct {name}": results[name].shape for name in operation.outputs}
    if trial.transform in ("jvp", "second"):
        shapes |= {f"v {name}": shape for name, shape in operation.shapes.items()}
    return shapes


def _arrays(trial, operation):
    rng = np.random.default_rng(_seed_of(trial))
    arrays = {}
    for name, shape in _inputs(trial, operation).items():
        build = partial(_numbers, rng, trial, name, shape)
        for level in reversed(trial.maps):
            axis = dict(level).get(name)
            if axis is not None:
                build = partial(lambda build, axis: _stack_of_two(build, axis), build, axis)
        arrays[name] = build()
    return arrays


def _stack_of_two(build, axis):
    first, second = build(), build()
    return np.stack([first, second], min(axis, first.ndim))


def _seed_of(trial):
    return zlib.crc32(str(trial.row).encode())


def _numbers(rng, trial, name, shape):
    dtype = jnp.dtype(trial.dtype)
    if trial.dtype in INTEGERS:
        info = jnp.iinfo(dtype)
        if name == "fill":
            return np.array(int(trial.row.fill), dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    if name == "fill":
        return np.asarray(trial.row.fill).astype(dtype)
    numbers = rng.normal(size=shape)
    if trial.dtype == "complex64":
        return (numbers + 1j * rng.normal(size=shape)).astype(dtype)
    if trial.data == "apart" and name == "x":
        numbers = rng.permutation(int(np.prod(shape))).reshape(shape) + 0.25
    if trial.data == "apart" and name.startswith("v "):
        numbers = np.tanh(numbers)
    if trial.data == "ties" and name in ("x", "w"):
        numbers = np.round(numbers)
    if trial.data == "nan" and name == "x":
        numbers = np.where(rng.random(shape) < 0.1, rng.choice([np.nan, np.inf, -np.inf], shape), numbers)
    return np.asarray(numbers).astype(dtype)


# What jaxcnn is asked ------------------------------------------------------------------------------------------------


def _program(trial, operation, method):
    """From all inputs, by name, to all results."""
    f = partial(_laid_out, trial, operation, method)

    def floats(args):
        results = f(args)
        return {name: results[name] for name in operation.outputs}

    def parts(inputs):
        of = lambda kind: {name[len(kind) :]: a for name, a in inputs.items() if name.startswith(kind)}
        return {name: inputs[name] for name in operation.shapes}, of("ct "), of("v ")

    def value(inputs):
        return f(parts(inputs)[0])

    def gradient(inputs):
        args, ct, _ = parts(inputs)
        results, pull = jax.vjp(floats, args)
        return results | {f"in {name}": g for name, g in pull(ct)[0].items()}

    def jvp(inputs):
        args, _, v = parts(inputs)
        results, along = jax.jvp(floats, (args,), (v,))
        return results | {f"along {name}": a for name, a in along.items()}

    def second(inputs):
        args, ct, v = parts(inputs)
        loss = lambda args: sum(jnp.sum(ct[name] * y * y) for name, y in floats(args).items())
        if len(str(trial)) % 2:  # forward over reverse, or reverse over forward
            made = jax.jvp(jax.grad(loss), (args,), (v,))[1]
        else:
            made = jax.grad(lambda args: jax.jvp(loss, (args,), (v,))[1])(args)
        return {f"in {name}": g for name, g in made.items()}

    return {"value": value, "gradient": gradient, "jvp": jvp, "second": second}[trial.transform]


def _laid_out(trial, operation, method, args):
    """The operation with its arrays in another layout, there and back."""
    if not trial.layout:
        return operation.ours(args, method)
    if trial.operation in ("pool", "indices"):
        n = len(trial.layout)
        rank = args["x"].ndim
        there = partial(jnp.moveaxis, source=range(rank - n, rank), destination=trial.layout)
        back = partial(jnp.moveaxis, source=trial.layout, destination=range(rank - n, rank))
        axes = tuple(axis - rank if i % 2 else axis for i, axis in enumerate(trial.layout))
        changed = replace(operation, keywords=operation.keywords | {"axes": axes})
        x = jnp.moveaxis(args["x"], range(rank - n, rank), trial.layout)
        if trial.operation == "pool":
            return {"y": jnp.moveaxis(changed.ours(args | {"x": x}, method)["y"], trial.layout, range(rank - n, rank))}
        values, indices = (back(a) for a in jc.max_pool_with_indices(there(args["x"]), **changed.keywords))
        return {
            "values": values,
            "indices": indices,
            "unpooled": jc.max_unpool(values, indices, args["x"].shape[rank - n :]),
        }
    lhs, rhs, out = trial.layout  # where axis i of ours lies in theirs
    kernel_order = (1, 0, *range(2, len(rhs))) if trial.operation == "conv_transpose" else tuple(range(len(rhs)))
    numbers = jax.lax.ConvDimensionNumbers(lhs, tuple(rhs[i] for i in kernel_order), out)
    if list(rhs[2:]) == sorted(rhs[2:]):  # strings count the spatial axes in the order of the kernel's
        numbers = _spelled(numbers)
    changed = replace(operation, keywords=operation.keywords | {"dimension_numbers": numbers})
    moved = {"x": jnp.transpose(args["x"], np.argsort(lhs)), "kernel": jnp.transpose(args["kernel"], np.argsort(rhs))}
    return {"y": jnp.transpose(changed.ours(args | moved, method)["y"], out)}


def _spelled(numbers):
    """As three strings."""
    letters = "abcdefgh"
    spell = lambda spec, two: "".join(dict(zip(spec, two + letters, strict=False))[i] for i in range(len(spec)))
    return tuple(map(spell, numbers, ("NC", "OI", "NC")))


def _mapped(f, maps):
    """f under one vmap for each level."""
    for level in reversed(maps):
        axes = dict(level)
        f = partial(lambda f, axes, inputs: _vmap(f, axes, inputs), f, axes)
    return f


def _vmap(f, axes, inputs):
    in_axes = {name: min(axes[name], a.ndim - 1) if name in axes else None for name, a in inputs.items()}
    return jax.vmap(f, in_axes=(in_axes,))(inputs)


def _mapped_by_loops(f, maps, inputs):
    """The same for NumPy: f of each by itself, stacked."""
    if not maps:
        return f(inputs)
    axes = {name: min(axis, inputs[name].ndim - 1) for name, axis in maps[0]}
    calls = []
    for i in range(2):
        one = {name: np.take(a, i, axes[name]) if name in axes else a for name, a in inputs.items()}
        calls.append(_mapped_by_loops(f, maps[1:], one))
    return tuple(
        {name: np.stack([np.asarray(call[k][name]) for call in calls]) for name in calls[0][k]} for k in (0, 1)
    )


# What it has to be, and how near -------------------------------------------------------------------------------------

# Roundings to its own dtype of a half precision, whose sums are kept in float32: a derivative goes through several.
ROUNDINGS = {"value": 4, "gradient": 16}
# What a transform may be off, as a part of the largest number there could be (test_transform_bound.py).
SPREAD = {"float32": 1e-5, "complex64": 1e-5, "bfloat16": 1e-5, "float16": 1e-5, "float64": 1e-12}
STEP = 0.01  # of differences, and 1 where they are exact: up to the fourth degree


def part(trial, operation, derivative):
    """How far off a result may be, as a part of the sum of the absolute values of its terms."""
    if trial.dtype in INTEGERS and getattr(trial.row, "mode", "") != "mean":
        return 0.0
    sums = jnp.finfo("float64" if trial.dtype == "float64" else "float32").eps
    bound = (16 + operation.terms) * float(sums)
    if trial.dtype in HALVES:
        own = float(jnp.finfo(trial.dtype).eps)
        bound += (
            16 + operation.terms if operation.in_its_dtype else ROUNDINGS["gradient" if derivative else "value"]
        ) * own
    return bound


def _judge(trial, operation, inputs):
    """(results, bounds), by name, of double precision inputs."""
    args = {name: inputs[name] for name in operation.shapes}
    ct = {name[3:]: a for name, a in inputs.items() if name.startswith("ct ")}
    v = {name[2:]: a for name, a in inputs.items() if name.startswith("v ")}
    absolute = lambda arrays: {name: np.abs(a) for name, a in arrays.items()}
    exact = _results(trial, operation, args, ct, v)
    if operation.multilinear:
        terms = _results(trial, operation, absolute(args), absolute(ct), absolute(v))
    else:
        terms = _results(trial, operation, args, absolute(ct), v)
    bounds = {}
    for name, values in exact.items():
        derivative = name.startswith(("in ", "along "))
        scale = np.abs(terms[name])
        if not operation.multilinear or trial.transform == "second":
            scale = np.broadcast_to(_largest(scale, values), values.shape)
        bound = part(trial, operation, derivative) * scale
        if v:
            bound = 8 * bound + _rounding_of_differences(trial, operation, absolute(args), absolute(ct), absolute(v))
            if derivative and not operation.multilinear:
                bound = bound + 1e-6 * _largest(scale, values)
        if _may_spread(trial, operation):
            bound = bound + SPREAD.get(trial.dtype, 0) * _spread(trial, args, ct, v)
        bounds[name] = np.zeros(values.shape) if operation.moves and not derivative else bound
    return exact, bounds


def _may_spread(trial, operation):
    taps = int(np.prod(operation.shapes.get("kernel", ())))
    return trial.method in SPREADING or (trial.method in ("auto", None) and taps > MANY_TAPS)


def _rounding_of_differences(trial, operation, args, ct, v):
    step = 1 if operation.multilinear else STEP
    f = _value if trial.transform == "jvp" else partial(_slope, ct=ct)
    around = f(operation, args={name: a + 2 * step * v[name] for name, a in args.items()})
    return 64 * np.finfo(float).eps * _largest(*around.values()) / step


def _largest(*arrays):
    return max((np.abs(a[np.isfinite(a)]).max(initial=0) for a in map(np.asarray, arrays)), default=0)


def _spread(trial, args, ct, v):
    """How large a result could be where a transform mixes all cells of a map, whatever the windows see."""
    x = _largest(*(arrays.get(name, 0) for arrays in (args, v) for name in ("x", "fill")))
    kernel = sum(np.abs(arrays["kernel"]).sum() for arrays in (args, v) if "kernel" in arrays)
    ct = np.abs(ct["y"]).sum() if ct else 0
    if trial.transform == "second":
        return ct * x * kernel * max(x, kernel)
    return max(x * kernel, ct * kernel, ct * x)


def _results(trial, operation, args, ct, v):
    step = 1 if operation.multilinear else STEP
    if trial.transform == "value":
        results, _ = operation.oracle(args)
        return results
    if trial.transform == "gradient":
        results, pull = operation.oracle(args)
        pulled = pull({name: ct[name].astype(np.result_type(ct[name], float)) for name in operation.outputs})
        return {name: results[name] for name in operation.outputs} | {f"in {name}": pulled[name] for name in args}
    if trial.transform == "jvp":
        results = _value(operation, args)
        moved = _difference(partial(_value, operation), args, v, step)
        return results | {f"along {name}": moved[name] for name in operation.outputs}
    moved = _difference(partial(_slope, operation, ct=ct), args, v, step)
    return {f"in {name}": moved[name] for name in args}


def _value(operation, args):
    results, _ = operation.oracle(args)
    return {name: results[name] for name in operation.outputs}


def _slope(operation, args, ct):
    """The gradient of the sum of ct * results ** 2."""
    results, pull = operation.oracle(args)
    pulled = pull({name: 2 * ct[name] * results[name] for name in operation.outputs})
    return {name: pulled[name] for name in args}


def _difference(f, args, v, step):
    """The derivative of f along v, from four values around."""
    at = lambda steps: f({name: a + steps * step * v[name] for name, a in args.items()})
    values = [at(steps) for steps in (-2, -1, 1, 2)]
    finite = lambda a: np.where(np.isinf(a), 0, a)  # what is infinite stays so
    weighed = lambda name, weights: sum(w * finite(y[name]) for w, y in zip(weights, values, strict=True)) / (12 * step)
    return {name: weighed(name, (1, -8, 8, -1)) for name in values[0]}


def _assert_within(results, oracle, bounds, dtype, against):
    for name, exact in oracle.items():
        actual, exact, bound = np.asarray(results[name]), np.asarray(exact), np.asarray(bounds[name])
        assert actual.shape == exact.shape, f"{name} {against}: shape {actual.shape}, not {exact.shape}"
        if name == "indices":
            assert actual.dtype == np.int32, f"indices are {actual.dtype}"
            np.testing.assert_array_equal(actual, exact, err_msg=f"{name} {against}")
            continue
        if actual.dtype.kind in "iu":
            assert str(actual.dtype) == dtype, f"{name} is {actual.dtype}"
            np.testing.assert_array_equal(actual, exact.astype(actual.dtype), err_msg=f"{name} {against}")
            continue
        expected = "float32" if dtype in INTEGERS else dtype
        assert str(actual.dtype) == expected, f"{name} {against}: dtype {actual.dtype}, not {expected}"
        actual = actual.astype(exact.dtype) if actual.dtype.kind == "V" or actual.dtype.itemsize < 4 else actual
        finite = np.isfinite(exact)
        np.testing.assert_array_equal(actual[~finite], exact[~finite].astype(actual.dtype), err_msg=f"{name} {against}")
        off = np.abs(actual - np.where(finite, exact, 0))[finite] - np.broadcast_to(bound, exact.shape)[finite]
        if off.size and not (off <= 1e-30).all():
            worst = np.argmax(np.where(np.isnan(off), np.inf, off))
            a, e = actual[finite][worst], exact[finite][worst]
            raise AssertionError(
                f"{name} {against}: {a}, not {e} ({np.broadcast_to(bound, exact.shape)[finite][worst]:.2e} allowed)"
            )


# Laws that need calls of their own -----------------------------------------------------------------------------------


def _check_law(trial, operation, inputs, oracle, bounds):
    (first,) = itertools.islice(inputs, 1)
    f = lambda args: _laid_out(trial, operation, trial.method, args)["y"]
    other = {**inputs, first: np.roll(inputs[first], 1) * inputs[first].dtype.type(-0.5)}
    if trial.law == "linearity":
        both = {**inputs, first: 2 * inputs[first] + other[first]}
        allowed = 16 * max(_largest(bounds["y"]), float(jnp.finfo(trial.dtype).eps) * _largest(oracle["y"]))
        made = _compiled(trial, lambda a, b, c: f(c) - 2 * f(a) - f(b))(inputs, other, both)
        _assert_within({"y": made}, {"y": np.zeros(made.shape)}, {"y": allowed}, trial.dtype, "linearity")
        return
    ct = np.round(np.random.default_rng(0).normal(size=oracle["y"].shape), 2).astype(inputs[first].dtype)
    kernel = {name: a for name, a in inputs.items() if name == "kernel"}
    made = _compiled(trial, lambda args, ct, kernel: (f(args), adjoint(trial, ct, **kernel)))(inputs, ct, kernel)
    value, back = (_exact(a) for a in made)
    left, right = (value * _exact(ct)).sum(), (back * _exact(inputs[first])).sum()
    allowed = (
        4
        * part(trial, operation, True)
        * (np.abs(_exact(ct)) * _largest(bounds["y"])).sum()
        / part(trial, operation, False)
    )
    allowed += SPREAD[trial.dtype] * 10 * np.abs(value).max(initial=0) * np.abs(ct).sum()
    assert abs(left - right) <= allowed, f"<f(x), y> = {left}, but <x, adjoint(y)> = {right} ({allowed:.2e} allowed)"


def adjoint(trial, ct, kernel=None):
    """The partner of each operation, with the same options."""
    row = trial.row
    method = {"method": trial.method}
    if trial.operation in ("windows", "fold"):
        laid = {name: value for name, value in row.common.items() if name in ("stride", "padding", "dilation")}
        if trial.operation == "fold":
            return jc.windows(ct, row.size, **laid)
        return jc.fold(ct, row.x[len(row.x) - len(row.size) :], **laid)
    if trial.operation == "conv_transpose":
        return _adjoint_of_transposed(row, ct, kernel, method)
    if trial.operation == "correlate":
        lead = row.x[: len(row.x) - kernel.ndim]
        spatial = row.x[len(lead) :]
        back = _transposed(
            ct.reshape(int(np.prod(lead)), 1, *ct.shape[len(lead) :]), kernel[None, None], spatial, row, 1, method
        )
        return back.reshape(*lead, *spatial)
    return _transposed(ct, kernel, row.x[2:], row, row.groups, method)


def _numeric(row, size, window):
    n = len(window)
    stride, dilation = (oracles.per_axis(each, n) for each in (row.stride, row.dilation))
    return stride, dilation, oracles.pads_of(row.padding, size, window, stride, dilation)


def _transposed(ct, kernel, size, row, groups, method):
    window = kernel.shape[2:]
    stride, dilation, pads = _numeric(row, size, window)
    over = tuple(
        (side + low + high - (k - 1) * d - 1) % s
        for side, k, s, d, (low, high) in zip(size, window, stride, dilation, pads, strict=True)
    )
    laid = {"stride": stride, "dilation": dilation, "padding": tuple(pads), "output_padding": over}
    return jc.conv_transpose(ct, kernel, **laid, groups=groups, **method)


def _adjoint_of_transposed(row, ct, kernel, method):
    size, window, n = row.x[2:], row.kernel[2:], len(row.x) - 2
    stride, dilation, pads = _numeric(
        row, [m * s for m, s in zip(size, oracles.per_axis(row.stride, n), strict=True)], window
    )
    if row.padding in ("SAME", "SAME_LOWER"):
        whole = [(m - 1) * s + (k - 1) * d + 1 for m, s, k, d in zip(size, stride, window, dilation, strict=True)]
        pads = [(low, w - low - m * s) for (low, _), w, m, s in zip(pads, whole, size, stride, strict=True)]
    x = jc.conv(ct, kernel, stride=stride, dilation=dilation, padding=tuple(pads), groups=row.groups, **method)
    return x[(..., *(slice(side) for side in size))]
