"""A batch of zero samples gives zero results of the right shape, and gradients of zero."""

import cases
import jax
import numpy as np
import pytest
from checks import assert_close, value_and_gradients

import jaxcnn as jc
from jaxcnn._engine.platforms import methods


def assert_empty(f, args):
    """With no sample in place of the samples of args; the first axis of x is the batch."""
    one = jax.eval_shape(f, args)
    none = args | {"x": args["x"][:0]}
    cotangent = np.zeros((0, *one.shape[1:]), np.float32)
    value, gradients = jax.jit(lambda args, ct: value_and_gradients(f, args, ct))(none, cotangent)
    assert value.shape == cotangent.shape
    assert_close(gradients, jax.tree.map(np.zeros_like, none))


@pytest.mark.parametrize("method", cases.CONTRACTIONS)
@pytest.mark.parametrize("row", cases.PICKED_CONVS, ids=str)
def test_conv(row, method):
    assert_empty(lambda args: jc.conv(**args, **row.options, method=method), row.arguments("float32"))


@pytest.mark.parametrize("method", cases.REDUCTIONS)
@pytest.mark.parametrize("row", [row for row in cases.PICKED_POOLS if len(row.x) > len(row.window)], ids=str)
def test_pool(row, method):
    assert_empty(lambda args: jc.pool(**args, **row.options, method=method), row.arguments("float32"))


@pytest.mark.parametrize("row", [row for row in cases.PICKED_WINDOWS if len(row.x) > len(row.size)], ids=str)
def test_windows(row):
    assert_empty(lambda args: jc.windows(**args, **row.options), row.arguments("float32"))


@pytest.mark.parametrize("method", ["auto", *methods()])
@pytest.mark.parametrize(("ins", "outs"), [(0, 3), (2, 0)])
def test_no_channels(ins, outs, method):
    """A sum over no channels is zero, and there may be no results, as in lax."""
    x, kernel = np.ones((2, ins, 4, 3), np.float32), np.ones((outs, ins, 2, 2), np.float32)
    f = lambda args: jc.conv(*args, padding=1, method=method)
    call = jax.jit(lambda args, ct: value_and_gradients(f, args, ct))
    actual = call((x, kernel), np.ones((2, outs, 5, 4), np.float32))
    assert_close(actual, (np.zeros((2, outs, 5, 4)), (np.zeros_like(x), np.zeros_like(kernel))))


def test_fold():
    assert jc.fold(np.zeros((0, 2, 3, 2, 2)), (3, 4)).shape == (0, 3, 4)


def test_correlate_maps_any_leading_axes():
    assert jc.correlate(np.zeros((2, 0, 3, 5)), np.zeros((2, 2))).shape == (2, 0, 2, 4)
