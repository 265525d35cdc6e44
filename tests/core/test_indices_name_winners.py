"""`max_pool_with_indices` names the first winner of each window, and `max_unpool` puts it back there."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close

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
    pads, out, taps = oracles.lay_pool(x, window, stride, padding, dilation, ceil_mode)
    is_cell = lambda p: oracles.on_map(p, spatial) and oracles.on_map(p, spatial, pads)  # neither padding nor cropped
    indices = np.empty((*x.shape[: x.ndim - n], *out), np.int32)
    for lead in np.ndindex(*x.shape[: x.ndim - n]):
        for i in np.ndindex(*out):
            cells = [p for _, p in taps(i) if is_cell(p)]
            winner = oracles.first_winner([x[(*lead, *cell)] for cell in cells], "max")
            indices[(*lead, *i)] = np.ravel_multi_index(cells[winner], spatial)
    return indices


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("kind", ["normal", "ties", "lowest", "nan"])
def test_names_the_first_winner(row, kind):
    x = row.arguments("float32")["x"]
    x = {"normal": x, "ties": np.round(x), "lowest": np.full_like(x, -np.inf), "nan": np.where(x > 0.5, np.nan, x)}[
        kind
    ]
    options = options_of(row)
    values, indices = jax.jit(lambda x: jc.max_pool_with_indices(x, row.window, **options))(x)
    assert indices.dtype == jnp.int32
    np.testing.assert_array_equal(indices, loops(x, row.window, **options))
    lead = x.shape[: x.ndim - len(row.window)]
    flat = x.reshape(*lead, -1)
    there = np.take_along_axis(flat, np.asarray(indices).reshape(*lead, -1), -1)
    np.testing.assert_array_equal(values, there.reshape(values.shape))


def test_gradient_goes_to_the_winner():
    x = jnp.array([[1.0, 3.0, 3.0, 0.0]])
    gradient = jax.grad(
        lambda x: (jc.max_pool_with_indices(x, (2,), stride=1)[0] * jnp.array([[1.0, 2.0, 4.0]])).sum()
    )(x)
    assert gradient.tolist() == [[0, 3, 4, 0]]


def test_channels_last():
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    last = jc.max_pool_with_indices(x, (2, 2), axes=(1, 2))
    first = jc.max_pool_with_indices(x.transpose(0, 3, 1, 2), (2, 2))
    assert_close(last[0], first[0].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(last[1], first[1].transpose(0, 2, 3, 1))


def test_unpool_is_a_right_inverse():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 4)).astype("float32")
    values, indices = jc.max_pool_with_indices(x, (2, 2))
    back = jc.max_unpool(values, indices, (6, 4))
    assert np.count_nonzero(back) == values.size
    np.testing.assert_array_equal(jc.pool(np.where(back == 0, -np.inf, back), (2, 2), "max"), values)


def test_unpool_sets_and_the_last_wins():
    values, indices = jnp.array([[1.0, 2.0, 4.0], [5.0, 6.0, 7.0]]), jnp.array([[2, 0, 2], [1, 1, 1]])
    unpool = lambda values: jc.max_unpool(values, indices, (3,))
    assert unpool(values).tolist() == [[2, 0, 4], [0, 7, 0]]
    gradient = jax.grad(lambda values: (unpool(values) * jnp.array([[10.0, 20.0, 30.0]])).sum())(values)
    assert gradient.tolist() == [[0, 10, 30], [0, 0, 20]]


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
