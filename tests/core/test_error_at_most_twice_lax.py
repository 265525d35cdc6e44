"""The largest error of each method is at most twice lax's; the transform's bound is in test_transform_bound.py.

This is a part of the table that scripts/numerics.py prints.
"""

from functools import partial

import cases
import jax
import numpy as np
import pytest
import rounding
from checks import value_and_gradients

TABLE = rounding.LAYERS | rounding.POOLS
# With an offset the order of a sum matters most, in a half precision its dtype.
ROWS = [
    ("dilated 3x3", "float32", "offset 1e3"),
    ("depthwise 3x3", "bfloat16", "normal"),
    ("mean 3x3, stride 1", "float32", "offset 1e3"),
    ("mean 3x3, stride 1", "bfloat16", "normal"),
    ("sum of 50", "float32", "offset 1e3"),
]


@pytest.mark.parametrize(("name", "dtype", "data"), ROWS)
def test_values_and_gradients(name, dtype, data):
    layer = TABLE[name]
    *arrays, cotangent = layer.arrays(dtype, rounding.DATA[data])
    exact = layer.exact(*(np.float64(each) for each in (*arrays, cotangent)))[: len(layer.parts)]
    ways = {method: partial(layer.ours, method=method) for method in layer.methods if method not in cases.TRANSFORMS}

    @jax.jit
    def every(arrays, cotangent):
        with_gradients = lambda f: value_and_gradients(lambda arrays: f(*arrays), arrays, cotangent)
        return {way: with_gradients(f) for way, f in {"lax": layer.lax, **ways}.items()}

    def errors(value, gradients):
        return list(map(rounding.error, (value, *gradients), exact))

    results = every(arrays, cotangent)
    theirs = errors(*results.pop("lax"))
    for method, result in results.items():
        for part, ours, lax in zip(layer.parts, errors(*result), theirs, strict=True):
            assert rounding.beyond_lax(ours, lax, dtype) <= 2, f"{method}, {part}"
