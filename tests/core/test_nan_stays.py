"""A NaN, and an infinity, stay in the windows that see them, whichever way the windows are computed."""

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import assert_close

import jaxcnn as jc


def assert_stays(f, methods, loops, row, args):
    args["x"].flat[0] = np.nan
    args["x"].flat[-1] = np.inf
    with np.errstate(invalid="ignore"):  # inf - inf, where padding shows one infinity twice
        oracle = loops(args)
    for value in jax.jit(lambda args: [f(args, method) for method in methods])(args):
        assert_close(value, oracle)


@pytest.mark.parametrize("row", cases.FEW_CONVS, ids=str)
def test_conv(row):
    ours = lambda args, method: jc.conv(**args, **row.options, method=method)
    loops = lambda args: oracles.conv(**args, **row.options)
    assert_stays(ours, cases.CONTRACTIONS, loops, row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.FEW_POOLS, ids=str)
def test_pool(row):
    ours = lambda args, method: jc.pool(**args, **row.options, method=method)
    loops = lambda args: oracles.pool(**args, **row.options)
    assert_stays(ours, cases.REDUCTIONS, loops, row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.FEW_WINDOWS, ids=str)
def test_windows(row):
    ours = lambda args, _: jc.windows(**args, **row.options)
    assert_stays(ours, ("windows",), lambda args: oracles.windows(**args, **row.options), row, row.arguments("float32"))


def test_between_the_taps_it_is_not_seen():
    x = np.array([1, np.nan, 3], np.float32)
    assert jc.correlate(x, np.ones(2, np.float32), dilation=2).tolist() == [4]
    assert jc.pool(x, (2,), "mean", dilation=2).tolist() == [2]
