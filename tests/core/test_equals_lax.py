"""Values, and gradients in every argument along a random cotangent, equal those of lax."""

from functools import partial

import cases
import jax
import oracles
import pytest
from checks import assert_close, run_both, value_and_gradients

import jaxcnn as jc


def in_both_precisions(rows):
    """Every fifth row in float32 and every ninth in float64: both have all ranks."""
    pairs = [(row, "float32") for row in rows[::5]] + [(row, "float64") for row in rows[1::9]]
    return pytest.mark.parametrize(("row", "dtype"), pairs, ids=str)


def assert_equal_to_lax(ours, theirs, row, args, dtype):
    cotangent = row.random(dtype, jax.eval_shape(theirs, args).shape, "cotangent")

    oracle = lambda args, ct: (value_and_gradients(theirs, args, ct), terms_of_fill(theirs, args, ct))
    actual, (oracle, terms) = run_both(oracle, partial(value_and_gradients, ours), args, cotangent)
    value, gradients = oracle
    assert_close(actual, oracle, scale=(value, gradients | terms))


def terms_of_fill(f, args, cotangent):
    """The scale of the gradient in fill, which is one sum that may cancel: here its terms cannot."""
    if "fill" not in args:
        return {}
    sizes = {name: abs(value) if name == "kernel" else value for name, value in args.items()}
    return {"fill": value_and_gradients(f, sizes, abs(cotangent))[1]["fill"]}


@in_both_precisions(cases.CONVS)
def test_conv(row, dtype):
    with jax.enable_x64(dtype == "float64"):
        ours = lambda args: jc.conv(**args, **row.options)
        lax = lambda args: oracles.lax_conv(**args, **row.options)
        assert_equal_to_lax(ours, lax, row, row.arguments(dtype), dtype)


@in_both_precisions(cases.POOLS)
def test_pool(row, dtype):
    with jax.enable_x64(dtype == "float64"):
        ours = lambda args: jc.pool(**args, **row.options)
        lax = lambda args: oracles.lax_pool(**args, **row.options)
        if row.lax_has_gradient:
            assert_equal_to_lax(ours, lax, row, row.arguments(dtype), dtype)
        else:  # there the loops of test_first_winner judge the gradient
            assert_close(*run_both(lax, ours, row.arguments(dtype)))


@pytest.mark.parametrize("row", cases.a_fifth(cases.WINDOWS), ids=str)
def test_correlate(row):
    ours = lambda args: jc.correlate(**args, **row.common)
    lax = lambda args: oracles.lax_correlate(**args, **row.common)
    assert_equal_to_lax(ours, lax, row, row.arguments("float32", kernel=row.size), "float32")
