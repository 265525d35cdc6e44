"""Every method has the gradients of the oracle by index, in every argument."""

from functools import partial

import cases
import gathered
import jax
import numpy as np
import pytest
from checks import assert_close, value_and_gradients

import jaxcnn as jc


def double(args):
    return {name: np.asarray(value, np.float64) for name, value in args.items()}


def assert_ways_agree(f, methods, row, args, oracle):
    """f(args, method) and its gradients, for every method in one program."""
    value, pull = oracle(double(args))
    cotangent = row.random("float32", value.shape, "cotangent")
    pulled = pull(np.float64(cotangent))
    gradients = {name: np.reshape(pulled[name], np.shape(args[name])) for name in args}
    # The gradient in fill is one number, a sum whose terms may cancel.
    scale = value, gradients | ({"fill": np.abs(cotangent).sum()} if "fill" in args else {})

    @jax.jit
    def every(args, cotangent):
        return {method: value_and_gradients(partial(f, method=method), args, cotangent) for method in methods}

    for result in every(args, cotangent).values():
        assert_close(result, (value, gradients), scale)


@pytest.mark.parametrize("row", dict.fromkeys((*cases.STRIDED_CONVS, *cases.FEW_CONVS)), ids=str)
def test_conv(row):
    f = lambda args, method: jc.conv(**args, **row.options, method=method)
    oracle = lambda args: gathered.conv(**args, **row.options)
    assert_ways_agree(f, ("auto", *cases.CONTRACTIONS), row, row.arguments("float32"), oracle)


@pytest.mark.parametrize("row", cases.FEW_POOLS, ids=str)
def test_pool(row):
    f = lambda args, method: jc.pool(**args, **row.options, method=method)
    oracle = lambda args: gathered.pool(**args, **row.options)
    with np.errstate(invalid="ignore", divide="ignore"):  # a mean of nothing
        assert_ways_agree(f, cases.REDUCTIONS, row, row.arguments("float32"), oracle)
