"""On a circular map, a shift of the map by one stride shifts the result by one window."""

from dataclasses import replace

import cases
import jax
import numpy as np
import pytest

import jaxcnn as jc


def assert_equivariant(f, x, stride, n):
    f = jax.jit(f)
    spatial = range(x.ndim - n, x.ndim)
    shifted = np.roll(x, stride, spatial)
    np.testing.assert_array_equal(f(shifted), np.roll(f(x), (1,) * n, spatial))


def round_map(row, window):
    """The row on a circular map that its strides divide, with one stride for each axis."""
    n = len(window)
    stride = row.stride if isinstance(row.stride, tuple) else (row.stride or 1,) * n
    lead = row.x[: len(row.x) - n]
    spatial = tuple(s * (1 + size % 3) for s, size in zip(stride, row.x[len(lead) :], strict=True))
    return replace(row, x=(*lead, *spatial), stride=stride, padding="SAME", padding_mode="circular", fill=None)


@pytest.mark.parametrize("row", cases.a_fifth(cases.WINDOWS), ids=str)
def test_correlate(row):
    row = round_map(row, row.size)
    args = row.arguments("float32", kernel=row.size)
    f = lambda x: jc.correlate(x, args["kernel"], **row.common)
    assert_equivariant(f, args["x"], row.stride, len(row.size))


@pytest.mark.parametrize("row", cases.a_fifth([row for row in cases.POOLS if row.count_include_pad]), ids=str)
def test_pool(row):
    row = replace(round_map(row, row.window), ceil_mode=False)
    f = lambda x: jc.pool(x, **row.options)
    assert_equivariant(f, row.arguments("float32")["x"], row.stride, len(row.window))
