"""The largest error of each way, against float64, is at most twice lax's; a transform's bound is another test's."""

import cases
import pytest
import rounding

SHORT = ("LeNet's first, 5x5", "stem, 7x7, stride 2", "depthwise 3x3", "3-D, 3x3x3")


@pytest.mark.parametrize("data", rounding.DATA)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "table", [{name: rounding.LAYERS[name] for name in SHORT}, rounding.POOLS], ids=["layer", "pool"]
)
def test_values_and_gradients(table, dtype, data):
    found, _ = rounding.largest(table, dtype, data)
    theirs = found.pop("lax")
    for method in set(found) - set(cases.TRANSFORMS):
        for ours, lax in zip(found[method], theirs, strict=True):
            assert rounding.beyond_lax(ours, lax, dtype) <= 2, method
