"""Windows, fold, correlation, sums and means are linear: f(a x + b y) = a f(x) + b f(y)."""

from dataclasses import replace

import cases
import jax
import numpy as np
import oracles
from checks import BOUND
from hypothesis import given
from hypothesis import strategies as st

import jaxcnn as jc

WEIGHTS = st.tuples(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32))


def assert_linear(f, shape, weights):
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=shape).astype(np.float32) for _ in range(2)]
    weighted = lambda pair: sum(
        np.float32(weight) * np.asarray(each) for weight, each in zip(weights, pair, strict=True)
    )
    f = jax.jit(f)
    results = [f(each) for each in maps]
    # The sum may cancel, so the bound is relative to its terms.
    largest = max(np.abs(result).max() for result in results) * max(1, *map(abs, weights))
    np.testing.assert_allclose(f(weighted(maps)), weighted(results), rtol=0, atol=4 * BOUND["float32"] * largest)


@given(cases.any_row(cases.a_conv), WEIGHTS)
def test_conv(row, weights):
    row = replace(row, bias=None, fill=None)
    args = row.arguments("float32")
    for name in args:
        assert_linear(
            lambda value, name=name: jc.conv(**args | {name: value}, **row.options), args[name].shape, weights
        )


@given(cases.any_row(cases.a_pool).filter(lambda row: row.mode in ("sum", "mean")), WEIGHTS)
def test_pool(row, weights):
    row = replace(row, fill=None, count_include_pad=True)
    assert_linear(lambda x: jc.pool(x, **row.options), row.x, weights)


@given(cases.any_row(cases.a_windows), WEIGHTS)
def test_windows_and_fold(row, weights):
    row = replace(row, fill=None)
    assert_linear(lambda x: jc.windows(x, **row.options), row.x, weights)
    row = replace(row, padding_mode="constant")
    w, spatial = oracles.windows(np.zeros(row.x), **row.options).shape, row.x[len(row.x) - len(row.size) :]
    assert_linear(lambda w: jc.fold(w, spatial, **row.common), w, weights)
