"""lp and any callable reduce windows as a loop over them does, with gradients, in every way of computing them."""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, value_and_gradients

import jaxcnn as jc

X = np.random.default_rng(0).normal(size=(2, 7, 6)).astype("float32")
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


@pytest.mark.parametrize("method", cases.REDUCTIONS)
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("p", [1, 2, 3, 2.5])
def test_lp(p, name, method):
    x = X.astype(np.float64)
    y = jax.jit(partial(jc.pool, window=WINDOW, mode="lp", p=p, method=method, **OPTIONS[name]))(X)
    assert_close(y, (np.abs(flat_windows(x, **OPTIONS[name])) ** p).sum(-1) ** (1 / p))


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_scales_a_partial_window_up(p):
    """Ceil mode's last window of 7 cells by 3 has one tap: its mean power, times three."""
    y = jc.pool(X[0, :, 0], (3,), "lp", p=p, ceil_mode=True)
    assert_close(y[-1], (3 * np.abs(X[0, 6, 0].astype(float)) ** p) ** (1 / p))


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_has_no_gradient_at_zeros(p):
    gradient = jax.grad(lambda x: jc.pool(x, (2,), "lp", p=p).sum())(jnp.array([0.0, 0.0, 3.0, 4.0]))
    expected = {1: [1, 1], 2: [0.6, 0.8], 3: [9 / 91 ** (2 / 3), 16 / 91 ** (2 / 3)]}[p]
    np.testing.assert_allclose(gradient, [0, 0, *expected], rtol=1e-6)


@pytest.mark.parametrize("method", cases.REDUCTIONS)
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("reducer", REDUCERS)
def test_callable(reducer, name, method):
    ours, loops = REDUCERS[reducer]
    y = jax.jit(lambda x: jc.pool(x, WINDOW, ours, method=method, **OPTIONS[name]))(X)
    assert_close(y, loops(flat_windows(X.astype(np.float64), **OPTIONS[name]), axis=-1))


@pytest.mark.parametrize("reducer", REDUCERS)
def test_callable_has_a_gradient(reducer):
    """That of the reducer on windows gathered by index."""
    ours, _ = REDUCERS[reducer]
    rows, columns = np.arange(5)[:, None] + np.arange(3), np.arange(5)[:, None] + np.arange(2)
    gathered = lambda x: ours(x[:, rows[:, None, :, None], columns[None, :, None, :]].reshape(2, 5, 5, 6), axis=-1)
    pooled = lambda x: jc.pool(x, WINDOW, ours, stride=1)
    cotangent = np.random.default_rng(1).normal(size=(2, 5, 5)).astype("float32")
    assert_close(*(jax.jit(value_and_gradients, static_argnums=0)(f, X, cotangent) for f in (pooled, gathered)))


def test_callable_fills_the_overhang():
    assert jc.pool(jnp.arange(4.0), (3,), jnp.median, ceil_mode=True, fill=9.0).tolist() == [1, 9]


def test_callable_fills_the_overhang_beside_padding_of_the_map():
    """x = 0 1 2 3, padded to 1 0 1 2 3, and a window that reaches two cells further."""
    reflected = {"padding": ((1, 0),), "padding_mode": "reflect", "ceil_mode": True, "stride": 3}
    assert jc.pool(jnp.arange(4.0), (4,), jnp.sum, fill=9.0, **reflected).tolist() == [4, 23]
    with pytest.raises(ValueError, match="pool: fill is None, but a callable mode has no identity"):
        jc.pool(jnp.arange(4.0), (4,), jnp.sum, **reflected)


def test_callable_needs_no_fill_where_nothing_constant_is_padded():
    """x = 0 1 2 over 3 4 5, padded on the reflected axis only."""
    laid = {"padding": (0, 1), "padding_mode": ("constant", "reflect"), "stride": (2, 1)}
    assert jc.pool(jnp.arange(6.0).reshape(2, 3), (2, 3), jnp.sum, **laid).tolist() == [[13, 15, 17]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": jnp.median, "padding": 1}, "pool: fill is None, but a callable mode has no identity"),
        ({"mode": jnp.median, "ceil_mode": True}, "pool: fill is None, but a callable mode has no identity"),
        ({"mode": jnp.cumsum}, "pool: mode 'cumsum' gave shape"),
        ({"mode": "lp", "p": 0.5}, "pool: p is 0.5, but must be at least 1"),
        ({"mode": "lp", "p": float("inf")}, "pool: p is inf, but must be at least 1 and finite"),
        ({"mode": "max", "p": 2}, "pool: p means nothing for 'max'"),
        ({"mode": "max", "axes": (1,)}, "pool: axes names 1 axes, but the window has 2"),
        ({"mode": "max", "axes": (1, 3)}, "pool: axes names axis 3, but x has 3 axes"),
        ({"mode": "max", "axes": (1, -2)}, "names an axis twice"),
    ],
    ids=range(9),
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        jc.pool(X, WINDOW, **options)
