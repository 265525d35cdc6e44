"""Values, and gradients in every argument along a random cotangent, equal those of lax."""

import cases
import jax
import oracles
import pytest
from checks import assert_close, quick_jit, value_and_gradients

import jaxcnn as jc

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def assert_equal_to_lax(ours, theirs, row, args, dtype):
    cotangent = row.random(dtype, jax.eval_shape(theirs, args).shape, "cotangent")
    both = quick_jit(lambda args, ct: [value_and_gradients(f, args, ct) for f in (ours, theirs)])
    assert_close(*both(args, cotangent))


@DTYPES
@pytest.mark.parametrize("row", cases.CONVS, ids=str)
def test_conv(row, dtype):
    with jax.enable_x64(dtype == "float64"):
        ours = lambda args: jc.conv(**args, **row.options)
        lax = lambda args: oracles.lax_conv(**args, **row.options)
        assert_equal_to_lax(ours, lax, row, row.arguments(dtype), dtype)


@DTYPES
@pytest.mark.parametrize("row", cases.POOLS, ids=str)
def test_pool(row, dtype):
    with jax.enable_x64(dtype == "float64"):
        ours = lambda args: jc.pool(**args, **row.options)
        lax = lambda args: oracles.lax_pool(**args, **row.options)
        if row.lax_has_gradient:
            assert_equal_to_lax(ours, lax, row, row.arguments(dtype), dtype)
        else:  # there the loops of test_first_winner judge the gradient
            assert_close(*quick_jit(lambda args: [ours(args), lax(args)])(row.arguments(dtype)))


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_correlate(row):
    ours = lambda args: jc.correlate(**args, **row.common)
    lax = lambda args: oracles.lax_correlate(**args, **row.common)
    assert_equal_to_lax(ours, lax, row, row.arguments("float32", kernel=row.size), "float32")
