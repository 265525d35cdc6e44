"""What the results of a trial have to be, in double precision, and how near: the one place of the bounds."""

from functools import partial

import jax.numpy as jnp
import numpy as np
from cases import TRANSFORMS as SPREADING

FLOATS = ("float32", "float64", "complex64")
HALVES = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")  # of which the last two have no small numbers
INTEGERS = ("int32", "int8", "uint8")

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


def judge(trial, operation, inputs):
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
            scale = np.broadcast_to(largest(scale, values), values.shape)
        bound = part(trial, operation, derivative) * scale
        if v:
            bound = 8 * bound + _rounding_of_differences(trial, operation, absolute(args), absolute(ct), absolute(v))
            if derivative and not operation.multilinear:
                bound = bound + 1e-6 * largest(scale, values)
        if _may_spread(trial, operation):
            bound = bound + SPREAD.get(trial.dtype, 0) * _spread(trial, args, ct, v)
        if trial.dtype in HALVES:
            bound = bound + 4 * float(jnp.finfo(trial.dtype).smallest_subnormal)
        bounds[name] = np.zeros(values.shape) if operation.moves and not derivative else bound
    return exact, bounds


def _may_spread(trial, operation):
    return trial.method in SPREADING  # "auto" takes none at the highest precision, in which all is tried


def _rounding_of_differences(trial, operation, args, ct, v):
    step = 1 if operation.multilinear else STEP
    f = _value if trial.transform == "jvp" else partial(_slope, ct=ct)
    around = f(operation, args={name: a + 2 * step * v[name] for name, a in args.items()})
    return 64 * np.finfo(float).eps * largest(*around.values()) / step


def largest(*arrays):
    return max((np.abs(a[np.isfinite(a)]).max(initial=0) for a in map(np.asarray, arrays)), default=0)


def _spread(trial, args, ct, v):
    """How large a result could be where a transform mixes all cells of a map, whatever the windows see."""
    x = largest(*(arrays.get(name, 0) for arrays in (args, v) for name in ("x", "fill")))
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


def assert_within(results, oracle, bounds, dtype, against):
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
        if dtype.startswith("float8"):  # what is beyond its numbers may be infinite, NaN or the largest of them
            there = ~(np.abs(exact) + bound > float(jnp.finfo(dtype).max))
            bound = np.broadcast_to(bound, exact.shape)[there]
            actual, exact = actual[there], exact[there]
        finite = np.isfinite(exact)
        np.testing.assert_array_equal(actual[~finite], exact[~finite].astype(actual.dtype), err_msg=f"{name} {against}")
        off = np.abs(actual - np.where(finite, exact, 0))[finite] - np.broadcast_to(bound, exact.shape)[finite]
        if off.size and not (off <= 1e-30).all():
            worst = np.argmax(np.where(np.isnan(off), np.inf, off))
            a, e = actual[finite][worst], exact[finite][worst]
            raise AssertionError(
                f"{name} {against}: {a}, not {e} ({np.broadcast_to(bound, exact.shape)[finite][worst]:.2e} allowed)"
            )
