"""A stride of s keeps every s-th result of a stride of 1."""

from dataclasses import replace

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import assert_close

import jaxcnn as jc

# The padding of SAME depends on the stride, and so does ceil mode: other windows, so no slice.
LAID_BY_STRIDE = ("SAME", "SAME_LOWER")


def strided(rows):
    return cases.a_fifth([row for row in rows if row.padding not in LAID_BY_STRIDE and row.stride != 1])


def assert_slice(f, row, n, axes_after=0):
    """f(args, options) with its n spatial axes last, but for `axes_after`."""
    args = row.arguments("float32")
    stride = oracles.per_axis(row.window if row.stride is None else row.stride, n)
    kept = (..., *(slice(None, None, s) for s in stride), *(slice(None),) * axes_after)
    each = [replace(row, stride=1).options, row.options]
    whole, some = jax.jit(lambda args: [f(args, options) for options in each])(args)
    assert_close(some, np.asarray(whole)[kept])


@pytest.mark.parametrize("row", strided(cases.CONVS), ids=str)
def test_conv(row):
    assert_slice(lambda args, options: jc.conv(**args, **options), row, len(row.kernel) - 2)


@pytest.mark.parametrize("row", strided(cases.POOLS), ids=str)
def test_pool(row):
    row = replace(row, ceil_mode=False)
    assert_slice(lambda args, options: jc.pool(**args, **options), row, len(row.window))


@pytest.mark.parametrize("row", strided(cases.WINDOWS), ids=str)
def test_windows(row):
    n = len(row.size)
    assert_slice(lambda args, options: jc.windows(**args, **options), row, n, axes_after=n)
