"""The largest error of each way, against float64, is at most twice lax's; a transform's bound is another test's.

A part of the table that scripts/numerics.py prints whole.
"""

import cases
import pytest
import rounding

TABLES = {
    "layers": {name: rounding.LAYERS[name] for name in ("64 channels, 1x1", "depthwise 3x3")},
    "pools": {name: rounding.POOLS[name] for name in ("mean 3x3, stride 1", "mean 28x28")},
}


@pytest.mark.parametrize(("dtype", "data"), [("float32", "offset 1e3"), ("bfloat16", "normal")])
@pytest.mark.parametrize("table", TABLES)
def test_values_and_gradients(table, dtype, data):
    found, _ = rounding.largest(TABLES[table], dtype, data)
    theirs = found.pop("lax")
    for method in set(found) - set(cases.TRANSFORMS):
        for ours, lax in zip(found[method], theirs, strict=True):
            assert rounding.beyond_lax(ours, lax, dtype) <= 2, method
