"""Max and min give the whole gradient to the first winner of a window in row-major order, a NaN before all numbers."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, value_and_gradients

import jaxcnn as jc

METHODS = pytest.mark.parametrize("method", cases.REDUCTIONS)


@pytest.mark.parametrize("row", [row for row in cases.POOLS if row.mode in ("max", "min")][::3], ids=str)
def test_ties_and_nan(row):
    options = {name: value for name, value in row.options.items() if name != "fill"}
    with jax.enable_x64(True):
        args = row.arguments("float64")
        rng = np.random.default_rng(0)
        tied = rng.integers(0, 3, args["x"].shape) / 2  # 0, 0.5 and 1, which tie with each other and with some fills
        broken = np.where(rng.random(tied.shape) < 0.2, np.nan, tied)

        @jax.jit
        def gradients(args, cotangent):
            pooled = lambda method: lambda args: jc.pool(**args, **row.options, method=method)
            return {method: value_and_gradients(pooled(method), args, cotangent)[1] for method in cases.REDUCTIONS}

        cotangent = row.random("float64", oracles.pool(tied, **options).shape)
        for x in (tied, broken):
            to_x, to_fill = oracles.winner_gradient(x, cotangent, **options, fill=row.fill)
            oracle = {"x": to_x} | ({} if row.fill is None else {"fill": to_fill})
            # The gradient of the fill is one number, whose terms may cancel.
            scale = {name: to_x if name == "x" else np.abs(cotangent).sum() for name in oracle}
            for ours in gradients(args | {"x": x}, cotangent).values():
                assert_close(ours, oracle, scale)


def gradient(x, window, mode, **options):
    return jax.grad(lambda x: jc.pool(x, window, mode, **options).sum())(jnp.array(x))


@METHODS
@pytest.mark.parametrize("mode", ["max", "min"])
def test_all_tied(mode, method):
    assert gradient([[1.0, 1.0], [1.0, 1.0]], (2, 2), mode, method=method).tolist() == [[1, 0], [0, 0]]


@METHODS
def test_row_major_order_is_not_column_major(method):
    assert gradient([[0.0, 1.0], [1.0, 0.0]], (2, 2), "max", method=method).tolist() == [[0, 1], [0, 0]]


@METHODS
@pytest.mark.parametrize("mode", ["max", "min"])
def test_first_of_two_nans(mode, method):
    nan = float("nan")
    assert gradient([[5.0, -5.0], [nan, nan]], (2, 2), mode, method=method).tolist() == [[0, 0], [1, 0]]


@METHODS
def test_a_given_fill_competes_like_a_cell(method):
    """Padding comes before the map in row-major order, so that a fill that ties with the map takes the gradient."""
    for fill, taken in [(0.5, [1, 0]), (1.0, [0, 0]), (2.0, [0, 0])]:
        assert gradient([1.0, 0.0], (3,), "max", padding=((1, 0),), fill=fill, method=method).tolist() == taken
