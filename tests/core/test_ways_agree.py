"""Every way of computing a thing has the gradients of the definition."""

from functools import partial

import cases
import jax
import pytest
from checks import assert_close, value_and_gradients

import jaxcnn as jc


def assert_ways_agree(f, methods, row, args):
    cotangent = row.random("float32", jax.eval_shape(partial(f, method="auto"), args).shape, "cotangent")

    @jax.jit
    def every(args, cotangent):
        return {method: value_and_gradients(partial(f, method=method), args, cotangent) for method in methods}

    results = every(args, cotangent)
    for result in results.values():
        assert_close(result, results["definition"])


@pytest.mark.parametrize("row", dict.fromkeys((*cases.STRIDED_CONVS, *cases.FEW_CONVS)), ids=str)
def test_conv(row):
    f = lambda args, method: jc.conv(**args, **row.options, method=method)
    assert_ways_agree(f, ("auto", *cases.CONTRACTIONS), row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.FEW_POOLS, ids=str)
def test_pool(row):
    f = lambda args, method: jc.pool(**args, **row.options, method=method)
    assert_ways_agree(f, cases.REDUCTIONS, row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.FEW_WINDOWS, ids=str)
def test_correlate(row):
    f = lambda args, method: jc.correlate(**args, **row.common, method=method)
    assert_ways_agree(f, cases.CONTRACTIONS, row, row.arguments("float32", kernel=row.size))
