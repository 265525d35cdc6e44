"""Derivatives equal differences of values.

The steps are not small: a linear or piecewise linear function is moved by a step that stays on one piece, where the
difference is the derivative up to rounding; its square has a second derivative.
"""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, assert_same_product, value_and_gradients

import jaxcnn as jc


def assert_derivatives(f, row, args, step):
    """f is linear in each of args between args - step and args + step."""
    cotangent = row.random("float64", jax.eval_shape(f, args).shape, "cotangent")
    gradient = jax.grad(lambda args: jnp.sum(cotangent * f(args) ** 2))

    @jax.jit
    def ahead(args, step):
        """The value and the square's gradient one step ahead, and as extrapolated from one step behind."""
        move = lambda factor: jax.tree.map(lambda a, v: a + factor * v, args, step)
        both = lambda args: (f(args), gradient(args))
        slope = jax.jvp(both, (args,), (step,))[1]
        return both(move(1)), jax.tree.map(lambda behind, s: behind + 2 * s, both(move(-1)), slope)

    for name in args:
        assert_close(*ahead(args, {other: step[other] * (other == name) for other in args}))

    @jax.jit
    def forward_and_reverse(args, step, cotangent):
        return jax.jvp(f, (args,), (step,))[1], value_and_gradients(f, args, cotangent)[1]

    # Forward and reverse mode are each other's transposes.
    forward, reverse = forward_and_reverse(args, step, cotangent)
    assert_same_product(forward, cotangent, step, reverse)


def steps(row, args):
    return {name: row.random("float64", value.shape, f"step of {name}") for name, value in args.items()}


@pytest.mark.parametrize("row", cases.CONVS[::11], ids=str)
def test_conv(row):
    with jax.enable_x64(True):
        args = row.arguments("float64")
        assert_derivatives(lambda args: jc.conv(**args, **row.options), row, args, steps(row, args))


@pytest.mark.parametrize("row", [row for row in cases.POOLS[::11] if row.every_window_meets_the_map], ids=str)
def test_pool(row):
    with jax.enable_x64(True):
        # Cells differ from each other and from any fill by a quarter at least, and a step is at most a tenth: no winner
        # changes.
        args = row.arguments("float64")
        args["x"] = np.random.default_rng(0).permutation(args["x"].size).reshape(args["x"].shape) + 0.25
        small = {name: 0.1 * np.tanh(step) for name, step in steps(row, args).items()}
        assert_derivatives(lambda args: jc.pool(**args, **row.options), row, args, small)
