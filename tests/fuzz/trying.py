"""A trial is tried: jaxcnn's results against the oracle by index, and against the law for which it was drawn."""

import random
import warnings
import zlib
from dataclasses import replace
from functools import partial
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import oracles
from cases import TRANSFORMS as SPREADING
from checks import AS_USERS
from judging import INTEGERS, SPREAD, assert_within, judge, largest, part
from operations import OPERATIONS
from running import RefusedError, results_of
from spoilt import check_refused
from trials import inputs_of, laid_by_numbers

import jaxcnn as jc
from jaxcnn import _reduce
from jaxcnn._engine import primitive
from jaxcnn._engine.plan import plan
from jaxcnn._engine.platforms import platform_of
from jaxcnn._engine.rewrites import sample_blocks
from jaxcnn._primitives import resharded_like


@np.errstate(all="ignore")
def check(trial):
    """Raise an AssertionError where jaxcnn and the oracle differ, and whatever comes up."""
    cells = sample_blocks.CELLS if trial.cells is None else trial.cells
    planned = lambda problem, method: plan(problem.but(platform=trial.platform), method)
    with (
        warnings.catch_warnings(),
        jax.enable_x64(trial.x64),
        mock.patch.object(sample_blocks, "CELLS", cells),
        mock.patch.object(primitive, "plan", plan if trial.platform == "cpu" else planned),
        mock.patch.object(_reduce, "platform_of", return_value=platform_of(trial.platform)),
    ):
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
    judged = partial(judge, trial, operation)
    oracle, bounds = _mapped_by_loops(judged, trial.maps, {name: _exact(a) for name, a in inputs.items()})
    methods = _some_methods(trial, operation) if trial.law == "methods" else [trial.method]
    programs = {method: _program(trial, operation, method) for method in methods}
    if trial.law in ("linearity", "adjoint"):
        _check_law(trial, operation, inputs, oracle, bounds)
        return
    mapped = {method: _mapped(f, trial.maps) for method, f in programs.items()}
    together = lambda inputs: {method: f(inputs) for method, f in mapped.items()}
    try:
        results = results_of(trial, operation, together, partial(_laid_out, trial, operation, trial.method), inputs)
    except RefusedError:
        return
    for method, result in results.items():
        assert_within(result, oracle, bounds, trial.dtype, f"method {method}" if method else "")
    if trial.law == "stack":
        called = jax.jit(programs[trial.method])
        stacked = _mapped_by_loops(lambda inputs: (dict(called(inputs)), {}), trial.maps, inputs)[0]
        assert_within(
            results[trial.method], stacked, {k: 2 * v for k, v in bounds.items()}, trial.dtype, "the stack of calls"
        )
    if trial.law == "lax":
        theirs = _mapped(_program(replace(trial, through="lax", layout=()), operation, None), trial.maps)
        with jax.enable_x64(True):
            values = jax.jit(theirs)({name: np.float64(a) for name, a in inputs.items()})
        values = {name: np.asarray(value) for name, value in values.items()}
        assert_within(results[trial.method], values, bounds, trial.dtype, "lax")


def _some_methods(trial, operation):
    """Three, its own among them: each compiles for as long as a trial."""
    others = [m for m in operation.methods if m not in (*SPREADING, trial.method)]
    return [trial.method, *random.Random(str(trial)).sample(others, 2)]


def _compiled(trial, f):
    if trial.run == "eager":
        return f
    return jax.jit(f, compiler_options=AS_USERS if trial.run == "jit" else None)


def _exact(array):
    array = np.asarray(array)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


# Arrays ---------------------------------------------------------------------------------------------------------------


def _arrays(trial, operation):
    rng = np.random.default_rng(_seed_of(trial))
    arrays = {}
    for name, shape in inputs_of(trial, operation).items():
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


# What jaxcnn is asked -------------------------------------------------------------------------------------------------


def _program(trial, operation, method):
    """From all inputs, by name, to all results."""
    f = partial(_laid_out, trial, operation, method)
    if trial.through:
        f = jc.accelerate(operation.lax, platform=trial.platform) if trial.through == "accelerate" else operation.lax

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
        ct = {name: resharded_like(ct[name], jax.typeof(y)) for name, y in results.items()}
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

    made = {"value": value, "gradient": gradient, "jvp": jvp, "second": second}[trial.transform]
    return jc.accelerate(made, platform=trial.platform) if trial.through == "accelerate the whole" else made


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


# Laws that need calls of their own ------------------------------------------------------------------------------------


def _check_law(trial, operation, inputs, oracle, bounds):
    first = next(iter(inputs))
    f = lambda args: _laid_out(trial, operation, trial.method, args)["y"]
    other = {**inputs, first: np.roll(inputs[first], 1) * inputs[first].dtype.type(-0.5)}
    if trial.law == "linearity":
        both = {**inputs, first: 2 * inputs[first] + other[first]}
        allowed = 16 * max(largest(bounds["y"]), float(jnp.finfo(trial.dtype).eps) * largest(oracle["y"]))
        made = _compiled(trial, lambda a, b, c: f(c) - 2 * f(a) - f(b))(inputs, other, both)
        assert_within({"y": made}, {"y": np.zeros(made.shape)}, {"y": allowed}, trial.dtype, "linearity")
        return
    ct = np.round(np.random.default_rng(0).normal(size=oracle["y"].shape), 2).astype(inputs[first].dtype)
    kernel = {name: a for name, a in inputs.items() if name == "kernel"}
    made = _compiled(trial, lambda args, ct, kernel: (f(args), adjoint(trial, ct, **kernel)))(inputs, ct, kernel)
    value, back = (_exact(a) for a in made)
    left, right = (value * _exact(ct)).sum(), (back * _exact(inputs[first])).sum()
    allowed = (
        4
        * part(trial, operation, True)
        * (np.abs(_exact(ct)) * largest(bounds["y"])).sum()
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


def _transposed(ct, kernel, size, row, groups, method):
    window = kernel.shape[2:]
    stride, dilation, pads = laid_by_numbers(row, size, window)
    over = tuple(
        (side + low + high - (k - 1) * d - 1) % s
        for side, k, s, d, (low, high) in zip(size, window, stride, dilation, pads, strict=True)
    )
    laid = {"stride": stride, "dilation": dilation, "padding": tuple(pads), "output_padding": over}
    return jc.conv_transpose(ct, kernel, **laid, groups=groups, **method)


def _adjoint_of_transposed(row, ct, kernel, method):
    size, window, n = row.x[2:], row.kernel[2:], len(row.x) - 2
    stride, dilation, pads = laid_by_numbers(
        row, [m * s for m, s in zip(size, oracles.per_axis(row.stride, n), strict=True)], window
    )
    if row.padding in ("SAME", "SAME_LOWER"):
        whole = [(m - 1) * s + (k - 1) * d + 1 for m, s, k, d in zip(size, stride, window, dilation, strict=True)]
        pads = [(low, w - low - m * s) for (low, _), w, m, s in zip(pads, whole, size, stride, strict=True)]
    x = jc.conv(ct, kernel, stride=stride, dilation=dilation, padding=tuple(pads), groups=row.groups, **method)
    return x[(..., *(slice(side) for side in size))]
