"""A NaN stays in the windows that see it: between the taps it is not seen. The table of cases: test_equals_loops.py."""

import cases
import numpy as np
import pytest

import jaxcnn as jc

X = np.array([1, np.nan, 3], np.float32)


@pytest.mark.parametrize("method", cases.CONTRACTIONS)
def test_correlate_looks_between_no_taps(method):
    assert jc.correlate(X, np.ones(2, np.float32), dilation=2, method=method).tolist() == [4]


@pytest.mark.parametrize("method", cases.REDUCTIONS)
@pytest.mark.parametrize(("mode", "value"), [("mean", 2), ("max", 3)])
def test_pool_looks_between_no_taps(method, mode, value):
    assert jc.pool(X, (2,), mode, dilation=2, method=method).tolist() == [value]
