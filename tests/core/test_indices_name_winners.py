"""`max_pool_with_indices` names the first winner of each window, and `max_unpool` puts it back there."""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import run, value_and_gradients

import jaxcnn as jc

ROWS = [
    row for row in cases.POOLS
    if row.mode == "max" and row.fill is None and row.padding_mode == "constant" and row.every_window_meets_the_map
]  # fmt: skip


def options_of(row):
    return {name: value for name, value in row.options.items() if name not in ("mode", "window")}


def loops(x, window, *, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The flat index of the first largest cell of the map in each window; a NaN before all numbers."""
    n = len(window)
    spatial = x.shape[x.ndim - n :]
    pads, out, taps = oracles.pool_positions(x, window, stride, padding, dilation, ceil_mode)
    is_cell = lambda p: oracles.on_map(p, spatial) and oracles.on_map(p, spatial, pads)  # neither padding nor cropped
    indices = np.empty((*x.shape[: x.ndim - n], *out), np.int32)
    for lead in np.ndindex(*x.shape[: x.ndim - n]):
        for i in np.ndindex(*out):
            cells = [p for _, p in taps(i) if is_cell(p)]
            winner = oracles.first_winner([x[(*lead, *cell)] for cell in cells], "max")
            indices[(*lead, *i)] = np.ravel_multi_index(cells[winner], spatial)
    return indices


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_names_the_first_winner(row):
    options = options_of(row)
    pool = jax.jit(lambda x: jc.max_pool_with_indices(x, row.window, **options))
    x = row.arguments("float32")["x"]
    maps = {"normal": x, "ties": np.round(x), "lowest": np.full_like(x, -np.inf), "nan": np.where(x > 0.5, np.nan, x)}
    for kind, each in maps.items():
        values, indices = pool(each)
        assert indices.dtype == jnp.int32
        np.testing.assert_array_equal(indices, loops(each, row.window, **options), err_msg=kind)
        lead = each.shape[: each.ndim - len(row.window)]
        there = np.take_along_axis(each.reshape(*lead, -1), np.asarray(indices).reshape(*lead, -1), -1)
        np.testing.assert_array_equal(values, there.reshape(values.shape), err_msg=kind)


def test_gradient_goes_to_the_winner():
    pooled = lambda x: jc.max_pool_with_indices(x, (2,), stride=1)[0]
    gradient = run(
        lambda x, cotangent: jax.vjp(pooled, x)[1](cotangent)[0], *map(np.float32, [[1, 3, 3, 0], [1, 2, 4]])
    )
    assert gradient.tolist() == [0, 3, 4, 0]


def test_channels_last():
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    last = run(jc.max_pool_with_indices, x, window=(2, 2), axes=(1, 2))
    first = run(jc.max_pool_with_indices, x.transpose(0, 3, 1, 2), window=(2, 2))
    for ours, expected in zip(last, first, strict=True):
        np.testing.assert_array_equal(ours, expected.transpose(0, 2, 3, 1))


def test_unpool_is_a_right_inverse():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 4)).astype("float32")

    @jax.jit
    def there_back_and_there(x):
        values, indices = jc.max_pool_with_indices(x, (2, 2))
        back = jc.max_unpool(values, indices, (6, 4))
        return values, back, jc.pool(jnp.where(back == 0, -jnp.inf, back), (2, 2), "max")

    values, back, again = there_back_and_there(x)
    assert np.count_nonzero(back) == values.size
    np.testing.assert_array_equal(again, values)


def test_unpool_sets_and_the_last_wins():
    values, cotangent = np.float32([[1, 2, 4], [5, 6, 7]]), np.float32([[10, 20, 30], [10, 20, 30]])
    unpool = partial(jc.max_unpool, indices=np.array([[2, 0, 2], [1, 1, 1]]), spatial=(3,))
    unpooled, gradient = run(partial(value_and_gradients, unpool), values, cotangent)
    assert unpooled.tolist() == [[2, 0, 4], [0, 7, 0]]
    assert gradient.tolist() == [[0, 10, 30], [0, 0, 20]]


def test_unpool_under_jit_drops_indices_that_are_not_there():
    """Called eagerly it refuses them."""
    unpool = jax.jit(lambda *args: jc.max_unpool(*args, (3,)))
    assert unpool(np.float32([1, 2, 4]), np.array([-1, 3, 1])).tolist() == [0, 4, 0]


TWO = jnp.ones(2)
POOL, UNPOOL = jc.max_pool_with_indices, jc.max_unpool


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: POOL(jnp.ones(5), (2,), padding=2), ValueError, r"padding \(2, 2\) on axis 0 leaves window 0"),
        (lambda: POOL(jnp.ones(5, complex), (2,)), TypeError, "complex numbers have no max"),
        (lambda: POOL(jnp.ones(5), 2), TypeError, "max_pool_with_indices: window is 2"),
        (lambda: UNPOOL(TWO, jnp.array([0]), (4,)), ValueError, r"indices has shape \(1,\), but x has \(2,\)"),
        (lambda: UNPOOL(TWO, TWO, (4,)), TypeError, "indices is float32"),
        (lambda: UNPOOL(TWO, jnp.array([0, 4]), (4,)), ValueError, "run from 0 to 4, but the map has 4 cells"),
        (lambda: UNPOOL(TWO, jnp.array([0, -1]), (4,)), ValueError, "run from -1 to 0"),
        (lambda: UNPOOL(TWO, jnp.array([0, 1]), 4), TypeError, "max_unpool: spatial is 4"),
    ],
    ids=range(8),
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
