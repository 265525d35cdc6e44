"""lp and any callable reduce windows as a loop over them does, with gradients, by every method."""

import itertools
from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, normal, run, value_and_gradients

import jaxcnn as jc

X = normal(2, 7, 6)
OPTIONS = {
    "plain": {},
    "overlap": {"stride": (1, 2)},
    "padded": {"stride": 2, "padding": ((1, 0), (0, 2)), "fill": 0.5},
    "dilated": {"stride": 1, "dilation": (2, 1)},
    "reflected": {"stride": 1, "padding": 1, "padding_mode": "reflect"},
}
REDUCERS = {
    "median": (jnp.median, np.median),
    "logsumexp": (jax.nn.logsumexp, lambda w, axis: np.log(np.exp(w).sum(axis))),
    "std": (jnp.std, np.std),
    "a lambda": (lambda w, axis: w.max(axis) - w.min(axis), lambda w, axis: w.max(axis) - w.min(axis)),
}
WINDOW = (3, 2)


def flat_windows(x, **options):
    w = oracles.windows(x, WINDOW, **({"stride": WINDOW} | options))
    return w.reshape(*w.shape[:-2], 6)


def in_every_way(modes, geometry):
    """X pooled in each mode, given as options, by each method, in one program."""
    pool = lambda x, options, method: jc.pool(x, WINDOW, method=method, **options, **geometry)
    pairs = list(itertools.product(modes.items(), cases.REDUCTIONS))
    return run(lambda x: {(name, method): pool(x, options, method) for (name, options), method in pairs}, X)


@pytest.mark.parametrize("name", OPTIONS)
def test_lp(name):
    powers = (0.5, 1, 2, 2.5, np.inf)
    results = in_every_way({p: {"mode": "lp", "p": p} for p in powers}, OPTIONS[name])
    w = np.abs(flat_windows(X.astype(np.float64), **OPTIONS[name]))
    norm = lambda p: w.max(-1) if p == np.inf else (w**p).sum(-1) ** (1 / p)
    assert_close(results, {(p, method): norm(p) for p, method in results})


# Numbers whose powers overflow or underflow in float32, by p.
LARGE = {2: 1e30, 30: 100.0, 2.5: 1e20, 0.5: 1e-37, 400: 1e-30}


def test_lp_overflows_only_where_its_result_does():
    """Four equal numbers have the norm 4 ** (1 / p) times the number, and the gradient 4 ** (1 / p) / 4 each."""
    pool = lambda x, p, method: jc.pool(x, (2, 2), "lp", p=p, method=method).sum()
    every = lambda xs: {(p, m): jax.value_and_grad(pool)(xs[p], p, m) for p in LARGE for m in cases.REDUCTIONS}
    results = run(every, {p: np.full((2, 2), number, np.float32) for p, number in LARGE.items()})
    for (p, method), (y, gradient) in results.items():
        np.testing.assert_allclose(y, LARGE[p] * 4 ** (1 / p), rtol=1e-5, err_msg=f"{p} {method}")
        np.testing.assert_allclose(gradient, np.full((2, 2), 4 ** (1 / p) / 4), rtol=1e-5, err_msg=f"{p} {method}")


def test_lp_scales_a_partial_window_up():
    """Ceil mode's last window of 7 cells by 3 has one tap: its mean power, times three."""
    results = run(lambda x: {p: jc.pool(x, (3,), "lp", p=p, ceil_mode=True)[-1] for p in (1, 2, 3)}, X[0, :, 0])
    assert_close(results, {p: (3 * np.abs(X[0, 6, 0].astype(float)) ** p) ** (1 / p) for p in results})


def test_lp_has_no_gradient_at_zeros():
    powers = {
        0.5: [1 + (4 / 3) ** 0.5, 1 + (3 / 4) ** 0.5],
        np.inf: [0, 1],
        1: [1, 1],
        2: [0.6, 0.8],
        3: [9 / 91 ** (2 / 3), 16 / 91 ** (2 / 3)],
    }
    gradient = lambda x, p: jax.grad(lambda x: jc.pool(x, (2,), "lp", p=p).sum())(x)
    results = run(lambda x: {p: gradient(x, p) for p in powers}, np.float32([0, 0, 3, 4]))
    for p, expected in powers.items():
        np.testing.assert_allclose(results[p], [0, 0, *expected], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_callable(name):
    results = in_every_way({reducer: {"mode": ours} for reducer, (ours, _) in REDUCERS.items()}, OPTIONS[name])
    w = flat_windows(X.astype(np.float64), **OPTIONS[name])
    assert_close(results, {(reducer, method): REDUCERS[reducer][1](w, axis=-1) for reducer, method in results})


def test_callable_has_a_gradient():
    """That of the reducer on windows gathered by index."""
    rows, columns = np.arange(5)[:, None] + np.arange(3), np.arange(5)[:, None] + np.arange(2)
    window = lambda x: x[:, rows[:, None, :, None], columns[None, :, None, :]].reshape(2, 5, 5, 6)
    cotangent = normal(2, 5, 5, seed=1)

    @jax.jit
    def both(x, ct):
        pooled = {name: partial(jc.pool, window=WINDOW, mode=ours, stride=1) for name, (ours, _) in REDUCERS.items()}
        gathered = {name: lambda x, f=ours: f(window(x), axis=-1) for name, (ours, _) in REDUCERS.items()}
        return [{name: value_and_gradients(f, x, ct) for name, f in each.items()} for each in (pooled, gathered)]

    assert_close(*both(X, cotangent))


FOUR = np.arange(4, dtype=np.float32)


def test_callable_fills_the_overhang():
    options = {"window": (3,), "mode": jnp.median, "ceil_mode": True}
    assert run(lambda x: jc.pool(x, fill=9.0, **options), FOUR).tolist() == [1, 9]


def test_callable_fills_the_overhang_where_padding_copies_the_map():
    """x = 0 1 2 3, padded to 1 0 1 2 3, and a window that reaches two cells further."""
    geometry = {"padding": ((1, 0),), "padding_mode": "reflect", "ceil_mode": True, "stride": 3}
    assert run(lambda x: jc.pool(x, (4,), jnp.sum, fill=9.0, **geometry), FOUR).tolist() == [4, 23]
    with pytest.raises(ValueError, match="pool: fill is None, but a callable mode has no identity"):
        jc.pool(FOUR, (4,), jnp.sum, **geometry)


def test_callable_needs_no_fill_where_nothing_constant_is_padded():
    """x = 0 1 2 over 3 4 5, padded on the reflected axis only."""
    geometry = {"padding": (0, 1), "padding_mode": ("constant", "reflect"), "stride": (2, 1)}
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run(jc.pool, x, window=(2, 3), mode=jnp.sum, **geometry).tolist() == [[13, 15, 17]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": jnp.median, "padding": 1}, "pool: fill is None, but a callable mode has no identity"),
        ({"mode": jnp.median, "ceil_mode": True}, "pool: fill is None, but a callable mode has no identity"),
        ({"mode": jnp.cumsum}, "pool: mode 'cumsum' gave shape"),
        ({"mode": "lp", "p": 0}, "pool: p is 0, but must be above 0"),
        ({"mode": "lp", "p": float("-inf")}, "pool: p is -inf, but must be above 0; for p = -inf pool"),
        ({"mode": "max", "p": 2}, "pool: p means nothing for 'max'"),
        ({"mode": "max", "axes": (1,)}, "pool: axes names 1 axes, but the window has 2"),
        ({"mode": "max", "axes": (1, 3)}, "pool: axes names axis 3, but x has 3 axes"),
        ({"mode": "max", "axes": (1, -2)}, "names an axis twice"),
    ],
    ids=range(9),
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(partial(jc.pool, window=WINDOW, **options), X)
