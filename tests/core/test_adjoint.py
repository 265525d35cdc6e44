"""<f(x), y> = <x, f'(y)>: fold is the adjoint of windows, and correlation has convolution and itself as its own."""

from dataclasses import replace

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import assert_close, assert_same_product

import jaxcnn as jc


def with_zeros(row):
    return replace(row, padding_mode="constant", fill=None)


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_fold_of_windows(row):
    row = with_zeros(row)
    x, spatial = row.random("float32", row.x), row.x[len(row.x) - len(row.size) :]
    windows = jax.jit(lambda x: jc.windows(x, **row.options))(x)
    w = row.random("float32", windows.shape, "w")
    assert_same_product(windows, w, x, jax.jit(lambda w: jc.fold(w, spatial, **row.common))(w))


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_correlate_in_x_is_full_convolution(row):
    row = replace(with_zeros(row), stride=1, padding=0)
    spatial = [(k - 1) * d + 3 for k, d in zip(row.size, oracles.per_axis(row.dilation, len(row.size)), strict=True)]
    x, kernel = row.random("float32", spatial, "x"), row.random("float32", row.size, "kernel")
    y = jax.jit(lambda x, kernel: jc.correlate(x, kernel, **row.common))(x, kernel)
    ct = row.random("float32", y.shape, "ct")
    full = jax.jit(lambda y, kernel: jc.convolve(y, kernel, **row.common | {"padding": "FULL"}))(ct, kernel)
    assert_same_product(y, ct, x, full)


@pytest.mark.parametrize("row", cases.WINDOWS, ids=str)
def test_correlate_in_kernel_is_correlation_with_stride_and_dilation_exchanged(row):
    n = len(row.size)
    row = replace(with_zeros(row), padding=0)
    stride, dilation = (oracles.per_axis(value, n) for value in (row.stride, row.dilation))
    # Three windows on an axis, and no cell left over, so that the exchange gives as many taps as the kernel has.
    spatial = [(k - 1) * d + 1 + 2 * s for k, d, s in zip(row.size, dilation, stride, strict=True)]
    x, kernel = row.random("float32", spatial, "x"), row.random("float32", row.size, "kernel")
    y = jax.jit(lambda x, kernel: jc.correlate(x, kernel, **row.common))(x, kernel)
    ct = row.random("float32", y.shape, "ct")
    exchanged = jax.jit(lambda x, y: jc.correlate(x, y, stride=dilation, dilation=stride))(x, ct)
    assert_same_product(y, ct, kernel, exchanged)


def test_fold_of_windows_counts_them():
    """Each cell comes back once for every window that sees it."""
    x = np.ones((4, 5), np.float32)
    counted = jc.fold(jc.windows(x, (3, 2), padding=1), (4, 5), padding=1)
    assert_close(counted, np.outer([2, 3, 3, 2], [2, 2, 2, 2, 2]).astype(np.float32))
