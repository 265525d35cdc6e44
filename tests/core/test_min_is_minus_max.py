"""min(x) = -max(-x), and its gradient is that of max(-x)."""

from dataclasses import replace

import cases
import jax
import numpy as np
import pytest
from checks import value_and_gradients

import jaxcnn as jc


@pytest.mark.parametrize("row", cases.a_fifth([row for row in cases.POOLS if row.mode in ("max", "min")]), ids=str)
def test_min_is_minus_max(row):
    args = row.arguments("float32")
    low = lambda args: jc.pool(**args, **replace(row, mode="min").options)
    high = lambda args: -jc.pool(**jax.tree.map(lambda a: -a, args), **replace(row, mode="max").options)
    cotangent = row.random("float32", jax.eval_shape(low, args).shape, "cotangent")
    both = jax.jit(lambda args, ct: [value_and_gradients(f, args, ct) for f in (low, high)])
    jax.tree.map(np.testing.assert_array_equal, *both(args, cotangent))
