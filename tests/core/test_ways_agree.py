"""Every method has the gradients of the oracle by index, in every argument."""

from functools import partial

import cases
import gathered
import jax
import numpy as np
import pytest
from checks import assert_close, value_and_gradients
from problems import by_index

import jaxcnn as jc


def assert_ways_agree(operation, methods, oracle, row):
    """The operation and its gradients, by every method in one program."""
    args, f = row.arguments("float32"), lambda args, method: operation(**args, **row.options, method=method)
    cotangent, expected, scale = by_index(oracle, row, args)

    @jax.jit
    def every(args, cotangent):
        return {method: value_and_gradients(partial(f, method=method), args, cotangent) for method in methods}

    for result in every(args, cotangent).values():
        assert_close(result, expected, scale)


@pytest.mark.parametrize("row", dict.fromkeys((*cases.STRIDED_CONVS, *cases.FEW_CONVS)), ids=str)
def test_conv(row):
    assert_ways_agree(jc.conv, ("auto", *cases.CONTRACTIONS), gathered.conv, row)


@pytest.mark.parametrize("row", cases.FEW_POOLS, ids=str)
def test_pool(row):
    with np.errstate(invalid="ignore", divide="ignore"):  # a mean of nothing
        assert_ways_agree(jc.pool, cases.REDUCTIONS, gathered.pool, row)
