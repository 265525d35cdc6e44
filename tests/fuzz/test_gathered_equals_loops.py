"""The oracle by index equals the loops of `oracles`, whose windows are taken a cell at a time."""

import random

import cases
import gathered
import jax
import numpy as np
import operations
import oracles
import pytest


@pytest.mark.parametrize("row", cases.WINDOWS[::3], ids=str)
def test_windows(row):
    args = row.arguments("float64")
    np.testing.assert_array_equal(gathered.windows(**args, **row.options)[0], oracles.windows(**args, **row.options))


@pytest.mark.parametrize("row", cases.WINDOWS[::3], ids=str)
def test_fold(row):
    spatial = row.x[len(row.x) - len(row.size) :]
    w = row.random("float64", oracles.windows(np.zeros(row.x), row.size, **row.laid).shape)
    np.testing.assert_allclose(
        gathered.fold(w, spatial, **row.laid)[0], oracles.fold(w, spatial, **row.laid), atol=1e-13
    )


@pytest.mark.parametrize("row", cases.CONVS[::3], ids=str)
def test_conv(row):
    args = row.arguments("float64")
    y, _ = gathered.conv(**args, **row.options)
    np.testing.assert_allclose(y, oracles.conv(**args, **row.options), atol=1e-12)


@pytest.mark.parametrize("row", cases.POOLS[::3], ids=str)
def test_pool(row):
    args = row.arguments("float64")
    with np.errstate(all="ignore"):
        y, _ = gathered.pool(**args, **row.options)
    np.testing.assert_allclose(y, oracles.pool(**args, **row.options), atol=1e-13)


@pytest.mark.parametrize("row", [row for row in cases.POOLS[::3] if row.mode in ("max", "min")], ids=str)
def test_first_winner(row):
    args = {name: np.round(value) for name, value in row.arguments("float64").items()}
    y, pull = gathered.pool(**args, **row.options)
    ct = row.random("float64", y.shape, "ct")
    in_x, in_fill = oracles.winner_gradient(**args, cotangent=ct, **row.options)
    np.testing.assert_allclose(pull(ct)["x"], in_x, atol=1e-13)
    if row.fill is not None:
        np.testing.assert_allclose(pull(ct)["fill"], in_fill, atol=1e-13)


def test_reduce_window():
    """Which has no loops but lax's own."""
    rng = random.Random(0)
    rows = [operations.a_reduction(rng, n) for n in (1, 2, 3) * 4]
    drawn = {str(row): (operations.reduce_window(row, "float32"), row.arguments("float32")) for row in rows}
    theirs = jax.jit(lambda: {name: operation.lax(args)["y"] for name, (operation, args) in drawn.items()})()
    for name, (operation, args) in drawn.items():
        np.testing.assert_allclose(operation.oracle(args)[0]["y"], theirs[name], rtol=1e-5, atol=1e-5, err_msg=name)
