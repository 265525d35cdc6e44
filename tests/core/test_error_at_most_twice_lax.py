"""The largest error of each method is at most twice lax's; the transform's bound is in test_transform_bound.py.

This is a part of the table that scripts/numerics.py prints.
"""

import cases
import pytest
import rounding

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
    layer = (rounding.LAYERS | rounding.POOLS)[name]
    errors = rounding.errors(layer, dtype, rounding.DATA[data], left_out=cases.TRANSFORMS)
    theirs = errors.pop("lax")
    for method, ours in errors.items():
        for part, error, of_lax in zip(layer.parts, ours, theirs, strict=True):
            assert rounding.beyond_lax(error, of_lax, dtype) <= 2, f"{method}, {part}"
