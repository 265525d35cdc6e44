"""<f(x), y> = <x, f'(y)>: fold is the adjoint of windows; those of correlation are a convolution and a correlation."""

from dataclasses import replace

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import assert_close, assert_same_product

import jaxcnn as jc

EACH = pytest.mark.parametrize("row", cases.a_fifth(cases.WINDOWS), ids=str)


def with_zeros(row):
    return replace(row, padding_mode="constant", fill=None)


def assert_adjoint(row, f, adjoint, shape):
    """f and its adjoint at random x and y, in one program."""
    x = row.random("float32", shape, "x")
    y = row.random("float32", jax.eval_shape(f, x).shape, "y")
    seen, back = jax.jit(lambda x, y: (f(x), adjoint(y)))(x, y)
    assert_same_product(seen, y, x, back)


@EACH
def test_fold_of_windows(row):
    row, spatial = with_zeros(row), row.x[len(row.x) - len(row.size) :]
    assert_adjoint(row, lambda x: jc.windows(x, **row.options), lambda w: jc.fold(w, spatial, **row.common), row.x)


@EACH
def test_correlate_in_x_is_full_convolution(row):
    row = replace(with_zeros(row), stride=1, padding=0)
    spatial = [(k - 1) * d + 3 for k, d in zip(row.size, oracles.per_axis(row.dilation, len(row.size)), strict=True)]
    kernel = row.random("float32", row.size, "kernel")
    full = row.common | {"padding": "FULL"}
    assert_adjoint(
        row, lambda x: jc.correlate(x, kernel, **row.common), lambda y: jc.convolve(y, kernel, **full), spatial
    )


@EACH
def test_correlate_in_kernel_is_correlation_with_stride_and_dilation_exchanged(row):
    n = len(row.size)
    row = replace(with_zeros(row), padding=0)
    stride, dilation = (oracles.per_axis(value, n) for value in (row.stride, row.dilation))
    # Three windows on an axis, and no cell left over, so that the exchange gives as many taps as the kernel has.
    spatial = [(k - 1) * d + 1 + 2 * s for k, d, s in zip(row.size, dilation, stride, strict=True)]
    x = row.random("float32", spatial, "map")
    exchanged = {"stride": dilation, "dilation": stride}
    assert_adjoint(
        row, lambda kernel: jc.correlate(x, kernel, **row.common), lambda y: jc.correlate(x, y, **exchanged), row.size
    )


def test_fold_of_windows_counts_them():
    """Each cell is added up once for every window that sees it."""
    x = np.ones((4, 5), np.float32)
    counted = jc.fold(jc.windows(x, (3, 2), padding=1), (4, 5), padding=1)
    assert_close(counted, np.outer([2, 3, 3, 2], [2, 2, 2, 2, 2]).astype(np.float32))
