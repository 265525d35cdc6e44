"""Every method equals loops in NumPy; a NaN or an infinity stays in the windows that see it, and not between taps."""

from functools import partial

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import assert_close, double

import jaxcnn as jc


def broken(args):
    """The same with a NaN in the first cell of the map and an infinity in the last."""
    x = args["x"].copy()
    x.flat[0], x.flat[-1] = np.nan, np.inf
    return args | {"x": x}


def assert_equal_to_loops(f, methods, loops, args):
    """f(args, method) for every method, against loops(args) in float64, all in one program."""
    every = jax.jit(lambda args: [f(args, method) for method in methods])
    for each in (args, broken(args)):
        with np.errstate(invalid="ignore"):  # inf - inf, where padding shows one infinity twice
            oracle = loops(double(each))
        for value in every(each):
            assert_close(value, oracle)


@pytest.mark.parametrize("row", cases.CONVS, ids=str)
def test_conv(row):
    ours = lambda args, method: jc.conv(**args, **row.options, method=method)
    loops = lambda args: oracles.conv(**args, **row.options)
    assert_equal_to_loops(ours, cases.CONTRACTIONS, loops, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.POOLS, ids=str)
def test_pool(row):
    ours = lambda args, method: jc.pool(**args, **row.options, method=method)
    loops = lambda args: oracles.pool(**args, **row.options)
    assert_equal_to_loops(ours, cases.REDUCTIONS, loops, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_windows(row):
    """Windows, and all that is made of them with one kernel."""
    args = row.arguments("float32", kernel=row.size)
    spatial = row.x[len(row.x) - len(row.size) :]
    w = row.random("float32", oracles.windows(np.zeros(row.x), row.size, **row.laid).shape)

    @jax.jit
    def every(args, w):
        kernel, map_of_it = args["kernel"], {name: value for name, value in args.items() if name != "kernel"}
        correlate = partial(jc.correlate, kernel=kernel, **map_of_it, **row.common)
        correlated = [correlate(method=method) for method in cases.CONTRACTIONS]
        convolved = jc.convolve(kernel=kernel, **map_of_it, **row.common)
        return jc.windows(**map_of_it, **row.options), jc.fold(w, spatial, **row.laid), correlated, convolved

    for each in (args, broken(args)):
        seen, folded, correlated, convolved = every(each, w)
        map_of_it = {name: value for name, value in each.items() if name != "kernel"}
        np.testing.assert_array_equal(seen, oracles.windows(**map_of_it, **row.options))
        with np.errstate(invalid="ignore"):
            oracle, flipped = (f(**double(each), **row.common) for f in (oracles.correlate, oracles.convolve))
        for value, exact in [(convolved, flipped), *((value, oracle) for value in correlated)]:
            assert_close(value, exact)
    assert_close(folded, oracles.fold(np.float64(w), spatial, **row.laid))
