"""A batch of zero samples gives zero results of the right shape, and gradients of zero."""

from functools import partial

import cases
import jax
import numpy as np
import pytest
from checks import assert_close, run, value_and_gradients

import jaxcnn as jc
from jaxcnn._engine.platforms import methods


def assert_empty(f, methods, args):
    """f(args, method) by each method, with no samples in place of those of args; the first axis of x is the batch."""
    one = jax.eval_shape(partial(f, method=methods[0]), args)
    none = args | {"x": args["x"][:0]}
    cotangent = np.zeros((0, *one.shape[1:]), np.float32)
    every = lambda *of: {method: value_and_gradients(partial(f, method=method), *of) for method in methods}
    results = run(every, none, cotangent)
    assert_close(results, dict.fromkeys(results, (cotangent, jax.tree.map(np.zeros_like, none))))


@pytest.mark.parametrize("row", cases.PICKED_CONVS[::3], ids=str)
def test_conv(row):
    f = lambda args, method: jc.conv(**args, **row.options, method=method)
    assert_empty(f, cases.CONTRACTIONS, row.arguments("float32"))


@pytest.mark.parametrize("row", [row for row in cases.PICKED_POOLS if len(row.x) > len(row.window)][::3], ids=str)
def test_pool(row):
    f = lambda args, method: jc.pool(**args, **row.options, method=method)
    assert_empty(f, cases.REDUCTIONS, row.arguments("float32"))


def test_pool_of_an_axis_before_the_samples():
    f = lambda args, method: jc.pool(args["x"].T, (3,), "mean", axes=(0,), method=method).T
    assert_empty(f, cases.REDUCTIONS, {"x": np.ones((2, 7), np.float32)})


@pytest.mark.parametrize("row", [row for row in cases.PICKED_WINDOWS if len(row.x) > len(row.size)], ids=str)
def test_windows(row):
    assert_empty(lambda args, method: jc.windows(**args, **row.options), ["auto"], row.arguments("float32"))


@pytest.mark.parametrize(("ins", "outs"), [(0, 3), (2, 0)])
def test_no_channels(ins, outs):
    """A sum over no channels is zero, and there may be no results, as in lax."""
    args = np.ones((2, ins, 4, 3), np.float32), np.ones((outs, ins, 2, 2), np.float32)
    f = lambda args, method: jc.conv(*args, padding=1, method=method)
    every = lambda *of: {method: value_and_gradients(partial(f, method=method), *of) for method in ("auto", *methods())}
    results = run(every, args, np.ones((2, outs, 5, 4), np.float32))
    nothing = np.zeros((2, outs, 5, 4)), tuple(map(np.zeros_like, args))
    assert_close(results, dict.fromkeys(results, nothing))
