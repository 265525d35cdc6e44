"""`reduce_window` gives what lax gives, refuses what lax refuses, by the same type, and has every gradient."""

import random
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, assert_refused_alike, assert_same_signature, run, run_both, value_and_gradients
from jax import lax

import jaxcnn as jc
from jaxcnn._arrays import accumulator

REDUCERS = {
    "max": (-jnp.inf, lax.max),
    "min": (jnp.inf, lax.min),
    "sum": (0.0, lax.add),
    "max from 0": (0.0, lax.max),
    "sum from 1": (1.0, jnp.add),
    "product": (1.0, lax.mul),
    "log of sum": (-jnp.inf, jnp.logaddexp),
}
# lax differentiates these alone, and of max and min neither with a dilation.
WITH_GRADIENT = {"max", "min", "sum"}


def a_call(rng):
    """A shape and options, drawn so that some windows fit nowhere."""
    n = rng.randint(1, 4)  # without an axis lax aborts the process
    ints = lambda low, high: tuple(rng.randint(low, high) for _ in range(n))
    pairs = list(zip(ints(-1, 3), ints(-1, 3), strict=True))
    options = {
        "window_dimensions": ints(1, 3),
        "window_strides": ints(1, 3),
        "padding": rng.choice(["VALID", "SAME", "same_lower", *[pairs] * 4]),
        "base_dilation": rng.choice([None, None, ints(1, 3)]),
        "window_dilation": rng.choice([None, None, ints(1, 2)]),
    }
    return rng.choice(list(REDUCERS)), ints(1, 6), options


RNG = random.Random(0)
CALLS = [a_call(RNG) for _ in range(40)]
AT_ONCE = 8  # calls in one program


def has_gradient(name, options):
    dilated = max(options["window_dilation"] or [1]) > 1 or max(options["base_dilation"] or [1]) > 1
    return name == "sum" or (name in WITH_GRADIENT and not dilated)


def on_lax(x, start, computation, *, padding, base_dilation, **options):
    """lax itself, but crops are done before, since their gradient aborts the process inside XLA (jax 0.10.2)."""
    if not isinstance(padding, str) and min([0, *sum(padding, ())]) < 0 and start in (0, jnp.inf, -jnp.inf):
        config = [(low, high, apart - 1) for (low, high), apart in zip(padding, base_dilation or [1] * 9, strict=False)]
        x, padding, base_dilation = lax.pad(x, jnp.asarray(start, x.dtype), config), [(0, 0)] * x.ndim, None
    return lax.reduce_window(x, start, computation, padding=padding, base_dilation=base_dilation, **options)


@pytest.mark.parametrize("first", range(0, len(CALLS), AT_ONCE))
def test_equals_lax(first):
    calls = CALLS[first : first + AT_ONCE]
    arrays = [np.random.default_rng(0).normal(size=shape).astype("float32") for _, shape, _ in calls]

    def every(door, arrays):
        results = []
        for (name, _, options), x in zip(calls, arrays, strict=True):
            start, computation = REDUCERS[name]
            f = lambda x, start=start, computation=computation, options=options: door(x, start, computation, **options)
            results.append(value_and_gradients(f, x, jnp.cos(f(x))) if has_gradient(name, options) else f(x))
        return results

    assert_close(*run_both(partial(every, on_lax), partial(every, jc.reduce_window), arrays))


def test_signature_is_that_of_lax():
    assert_same_signature(jc.reduce_window, lax.reduce_window)


GRADIENTS = {
    "product": (1.0, lax.mul, {}),
    "sum from 2": (2.0, lax.add, {"window_dilation": (2, 1)}),
    "max, dilated": (-jnp.inf, lax.max, {"window_dilation": (1, 2), "base_dilation": (2, 1)}),
    "max from 0": (0.1, lax.max, {"base_dilation": (1, 2)}),
    "log of sum": (-jnp.inf, jnp.logaddexp, {"padding": "SAME"}),
    "our own": (0.5, lambda a, b: a * b + a + b, {"window_strides": (2, 1), "padding": ((1, -1), (0, 2))}),
}


def test_every_reducer_has_a_gradient():
    """In the operand and in the start, equal to a difference."""
    step = 1e-6

    def of(name):
        start, computation, options = GRADIENTS[name]
        f = lambda x, at: jnp.sum(jnp.sin(jc.reduce_window(x, at, computation, (2, 2), **options)))
        return f, start

    @jax.jit
    def every(x, along):
        slopes = {}
        for name in GRADIENTS:
            f, start = of(name)
            both = (x, jnp.asarray(start, x.dtype))
            moves = (along, jnp.asarray(0.0 if np.isinf(start) else 0.7, x.dtype))
            there, back = (f(*(a + sign * step * m for a, m in zip(both, moves, strict=True))) for sign in (1, -1))
            gradient = jax.grad(f, (0, 1) if not np.isinf(start) else 0)(*both)
            slope = sum(jnp.vdot(g, m) for g, m in zip(jax.tree.leaves(gradient), moves, strict=False))
            slopes[name] = slope, (there - back) / (2 * step), jax.jvp(f, both, moves)[1]
        return slopes

    with jax.enable_x64(True):
        x, along = np.random.default_rng(0).normal(size=(2, 5, 4))
        for name, (reverse, difference, forward) in every(x, along).items():
            np.testing.assert_allclose([reverse, forward], [difference] * 2, rtol=1e-6, err_msg=name)


def test_several_arrays_at_once():
    """The largest cell and where it was, from a tree of two arrays, with the gradient of the first."""
    x = np.random.default_rng(0).normal(size=(4, 7)).astype("float32")
    places = np.arange(28, dtype=np.int32).reshape(4, 7)

    def larger(a, b):
        keep = a["value"] >= b["value"]
        return jax.tree.map(lambda p, q: jnp.where(keep, p, q), a, b)

    def best(door, x):
        start = {"value": -jnp.inf, "place": np.int32(-1)}
        return door({"value": x, "place": places}, start, larger, (2, 3), (1, 2), "SAME")

    of_ours = jax.grad(lambda x: best(jc.reduce_window, x)["value"].sum())
    ours, theirs, gradient = run(lambda x: (best(jc.reduce_window, x), best(lax.reduce_window, x), of_ours(x)), x)
    assert_close(ours["value"], theirs["value"])
    np.testing.assert_array_equal(ours["place"], theirs["place"])
    np.testing.assert_array_equal(gradient.ravel(), np.bincount(np.ravel(ours["place"]), minlength=28))


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "bool", "float16", "bfloat16", "complex64"])
def test_dtypes(dtype):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, size=(3, 6)).astype(jnp.dtype(dtype))
    starts = {lax.max: x.min(), lax.min: x.max(), lax.mul: np.ones((), x.dtype)[()], lax.add: np.zeros((), x.dtype)[()]}
    if dtype == "bool":
        starts = {lax.max: x.min(), lax.bitwise_and: True, lax.bitwise_xor: False}
    doors = [
        lambda x, door=door: [door(x, start, f, (1, 3), (1, 2), "SAME") for f, start in starts.items()]
        for door in (lax.reduce_window, jc.reduce_window)
    ]
    ours, theirs = run_both(*doors, x)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype == x.dtype
        exact = accumulator(x.dtype) == x.dtype
        np.testing.assert_allclose(one.astype("complex64"), other.astype("complex64"), rtol=0 if exact else 0.02)


def test_half_precisions_are_added_up_in_float32():
    assert jc.reduce_window(jnp.ones((32, 32), jnp.bfloat16), 0.0, lax.add, (32, 32)) == 1024


def test_long_windows_and_no_windows():
    x = np.random.default_rng(0).normal(size=(2, 150)).astype("float32")
    every = lambda door: [
        door(x, start, f, window, (1, 1), padding)
        for start, f in [(-jnp.inf, lax.max), (0.0, lax.add), (0.0, lambda a, b: a + b)]
        for window, padding in [((1, 101), "SAME"), ((2, 151), "VALID"), ((1, 1), ((0, 0), (-80, -80)))]
    ]
    assert_close(*run(lambda: (every(jc.reduce_window), every(lax.reduce_window))))
    assert jc.reduce_window(jnp.ones((0, 4)), -jnp.inf, lax.max, (1, 2)).shape == (0, 3)


BASE = {
    "operand": np.ones((2, 5, 6), np.float32),
    "init_value": -np.inf,
    "computation": lax.max,
    "window_dimensions": (1, 2, 2),
}
REFUSED = [
    {"window_dimensions": (2, 2)},
    {"window_dimensions": 2},
    {"window_dimensions": None},
    {"window_dimensions": (1, 0, 2)},
    {"window_dimensions": (1, -1, 2)},
    {"window_dimensions": (1, 1.5, 2)},
    {"window_strides": (0, 1, 1)},
    {"window_strides": (1, 1)},
    {"window_strides": 2},
    {"window_strides": (1.5, 1, 1)},
    {"padding": "foo"},
    {"padding": "FULL"},
    {"padding": 1},
    {"padding": None},
    {"padding": [(1, 1)]},
    {"padding": [(1, 1)] * 4},
    {"padding": [(1.0, 1)] * 3},
    {"base_dilation": (0, 1, 1)},
    {"base_dilation": (-1, 1, 1)},
    {"base_dilation": (1, 1)},
    {"base_dilation": 2},
    {"window_dilation": (0, 1, 1)},
    {"window_dilation": (1, 1)},
    {"window_dilation": 2},
    {"init_value": np.zeros(2, np.float32)},
    {"init_value": (0.0, 1.0)},
    {"init_value": None},
    {"init_value": "a"},
    {"init_value": np.int32(0)},
    {"init_value": np.float16(0)},
    {"computation": 3},
    {"computation": lambda a, b: (a, b)},
    {"computation": lambda a, b: a > b},
    {"operand": (), "init_value": ()},
    {"operand": np.ones((2, 5, 6), bool), "init_value": False, "computation": lax.add},
    {"operand": [1.0, 2.0]},
]


@pytest.mark.parametrize("changed", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refuses_like_lax(changed):
    assert_refused_alike(jc.reduce_window, lax.reduce_window, **BASE | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"init_value": np.zeros(2, np.float32)}, "init_value has shape (2,), but must be a scalar; pass"),
        ({"window_strides": (1, 2)}, "window_strides has 2 entries, but operand has 3 axes; use 1 for an axis"),
        ({"init_value": np.int32(0)}, "init_value is int32, but operand is float32; give both one dtype"),
        ({"computation": "max"}, "computation must be a function of two scalars, not str; pass e.g. jax.lax.max"),
    ],
)
def test_errors_speak(changed, message):
    with pytest.raises(TypeError) as error:
        jc.reduce_window(**BASE | changed)
    assert f"reduce_window: {message}" in str(error.value)


@pytest.mark.parametrize("argument", ["window_dimensions", "window_strides", "window_dilation", "base_dilation"])
def test_a_traced_window_is_refused(argument):
    with pytest.raises(
        TypeError, match=rf"^reduce_window: {argument} on axis 1 must be an int, not a \w*Tracer; pass a"
    ):
        jax.jit(lambda side: jc.reduce_window(**BASE | {argument: (1, side, 2)}))(2)
