"""Every way of computing a thing equals the loops in NumPy."""

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import assert_close
from hypothesis import given

import jaxcnn as jc


def double(args):
    return {name: np.asarray(value, np.float64) for name, value in args.items()}


def assert_equal_to_loops(f, methods, loops, args):
    """f(args, method) for every method, against loops(args) in float64."""
    oracle = loops(double(args))
    for value in jax.jit(lambda args: [f(args, method) for method in methods])(args):
        assert_close(value, oracle)


def check_conv(row):
    ours = lambda args, method: jc.conv(**args, **row.options, method=method)
    loops = lambda args: oracles.conv(**args, **row.options)
    assert_equal_to_loops(ours, cases.CONTRACTIONS, loops, row.arguments("float32"))


def check_pool(row):
    ours = lambda args, method: jc.pool(**args, **row.options, method=method)
    loops = lambda args: oracles.pool(**args, **row.options)
    assert_equal_to_loops(ours, cases.REDUCTIONS, loops, row.arguments("float32"))


def check_windows(row):
    args = row.arguments("float32")
    np.testing.assert_array_equal(
        jax.jit(lambda args: jc.windows(**args, **row.options))(args), oracles.windows(**args, **row.options)
    )


@pytest.mark.parametrize("row", cases.CONVS, ids=str)
def test_conv(row):
    check_conv(row)


@pytest.mark.parametrize("row", cases.POOLS, ids=str)
def test_pool(row):
    check_pool(row)


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_windows(row):
    check_windows(row)


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_correlate(row):
    ours = lambda args, method: jc.correlate(**args, **row.common, method=method)
    loops = lambda args: oracles.correlate(**args, **row.common)
    assert_equal_to_loops(ours, cases.CONTRACTIONS, loops, row.arguments("float32", kernel=row.size))


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_convolve(row):
    args = row.arguments("float32", kernel=row.size)
    assert_close(
        jax.jit(lambda args: jc.convolve(**args, **row.common))(args),
        oracles.convolve(**double(args), **row.common),
    )


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_fold(row):
    spatial = row.x[len(row.x) - len(row.size) :]
    w = row.random("float32", oracles.windows(np.zeros(row.x), row.size, **row.laid).shape)
    assert_close(
        jax.jit(lambda w: jc.fold(w, spatial, **row.laid))(w), oracles.fold(np.float64(w), spatial, **row.laid)
    )


# Shapes and options that are not in the table.


@given(cases.any_row(cases.a_conv))
def test_any_conv(row):
    check_conv(row)


@given(cases.any_row(cases.a_pool))
def test_any_pool(row):
    check_pool(row)


@given(cases.any_row(cases.a_windows))
def test_any_windows(row):
    check_windows(row)
