"""The shape rule: the size that each named padding gives, and `output_size` equals the shape of the result."""

import math

import cases
import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxcnn as jc

ONE_AXIS = {
    "size": st.integers(1, 60), "window": st.integers(1, 9), "stride": st.integers(1, 9), "dilation": st.integers(1, 4)
}  # fmt: skip


@given(**ONE_AXIS)
def test_same_is_ceil(size, window, stride, dilation):
    for name in ("SAME", "SAME_LOWER"):
        assert jc.output_size(size, window, stride=stride, dilation=dilation, padding=name) == math.ceil(size / stride)


@given(**ONE_AXIS)
def test_full_causal_and_valid(size, window, stride, dilation):
    span = (window - 1) * dilation + 1
    out = lambda padding: jc.output_size(size, window, stride=stride, dilation=dilation, padding=padding)
    assert out("FULL") == math.ceil((size + span - 1) / stride)
    assert out("CAUSAL") == math.ceil(size / stride)
    if size >= span:
        assert out("VALID") == math.ceil((size - span + 1) / stride)


@given(**ONE_AXIS)
def test_ceil_mode_covers_the_map(size, window, stride, dilation):
    """One more window where the others leave cells over, if it starts on the map."""
    size += (window - 1) * dilation
    floor, ceil = (
        jc.output_size(size, window, stride=stride, dilation=dilation, ceil_mode=mode) for mode in (False, True)
    )
    left_over = size - ((floor - 1) * stride + (window - 1) * dilation + 1)
    assert ceil - floor == (left_over > 0 and floor * stride < size)


def test_an_int_for_an_int_and_a_tuple_for_a_tuple():
    assert jc.output_size(28, 5, padding=2) == 28
    assert jc.output_size((28,), 5, padding=2) == (28,)
    assert jc.output_size((28, 14), (5, 2), stride=(1, 2), padding=((2, 2), (0, 0))) == (28, 7)


def sizes(row, window, **defaults):
    names = ("stride", "padding", "dilation", "ceil_mode")
    options = {name: row.options[name] for name in names if name in row.options}
    return jc.output_size(row.x[len(row.x) - len(window) :], window, **defaults | options)


@pytest.mark.parametrize("row", cases.CONVS[::3], ids=str)
def test_conv(row):
    y = jax.eval_shape(lambda args: jc.conv(**args, **row.options), row.arguments("float32"))
    assert y.shape == (row.x[0], row.kernel[0], *sizes(row, row.kernel[2:]))


@pytest.mark.parametrize("row", cases.POOLS[::3], ids=str)
def test_pool(row):
    y = jax.eval_shape(lambda args: jc.pool(**args, **row.options), row.arguments("float32"))
    assert y.shape == (*row.x[: len(row.x) - len(row.window)], *sizes(row, row.window, stride=row.window))


@pytest.mark.parametrize("row", cases.WINDOWS[::3], ids=str)
def test_windows(row):
    y = jax.eval_shape(lambda args: jc.windows(**args, **row.options), row.arguments("float32"))
    assert y.shape == (*row.x[: len(row.x) - len(row.size)], *sizes(row, row.size), *row.size)
