"""`adaptive_pool` reduces the windows from floor(i * size / out) to ceil((i + 1) * size / out), whatever the sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close
from hypothesis import given
from hypothesis import strategies as st

import jaxcnn as jc

NUMPY = {"max": np.max, "min": np.min, "mean": np.mean, "sum": np.sum}


def pieces(size, out):
    return [slice(int(np.floor(i * size / out)), int(np.ceil((i + 1) * size / out))) for i in range(out)]


def loops(x, outs, reduce):
    n = len(outs)
    sizes = x.shape[x.ndim - n :]
    y = np.empty((*x.shape[: x.ndim - n], *outs))
    for i in np.ndindex(*outs):
        cells = tuple(pieces(size, out)[j] for size, out, j in zip(sizes, outs, i, strict=True))
        y[(..., *i)] = reduce(x[(..., *cells)], axis=tuple(range(-n, 0)))
    return y


SHAPES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3)


@given(SHAPES, st.sampled_from(sorted(NUMPY)))
def test_equals_loops(sides, mode):
    sizes, outs = zip(*sides, strict=True)
    x = np.random.default_rng(0).normal(size=(2, *sizes)).astype("float32")
    assert_close(jax.jit(lambda x: jc.adaptive_pool(x, outs, mode))(x), loops(x.astype(float), outs, NUMPY[mode]))


@given(SHAPES)
def test_indices_name_the_first_winner(sides):
    sizes, outs = zip(*sides, strict=True)
    x = np.round(np.random.default_rng(0).normal(size=sizes).astype("float32"))
    values, indices = jax.jit(lambda x: jc.adaptive_max_pool_with_indices(x, outs))(x)
    places = np.arange(x.size).reshape(sizes)
    for i in np.ndindex(*outs):
        cells = tuple(pieces(size, out)[j] for size, out, j in zip(sizes, outs, i, strict=True))
        assert values[i] == x[cells].max()
        assert indices[i] == places[cells].ravel()[x[cells].argmax()]


def test_none_keeps_the_size_and_ones_are_global():
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    assert_close(jc.adaptive_pool(x, (None, 3), "mean"), x.astype(float).reshape(2, 5, 3, 2).mean(-1))
    assert_close(jc.adaptive_pool(x, (1, 1), "mean")[..., 0, 0], x.astype(float).mean((1, 2)))


def test_gradient():
    """A mean's share of each cell, and the whole of a maximum to its first winner."""
    gradient = lambda mode, x: jax.grad(lambda x: jc.adaptive_pool(x, (2,), mode).sum())(jnp.array(x))
    np.testing.assert_allclose(gradient("mean", [1.0, 2.0, 3.0]), [1 / 2, 1 / 2 + 1 / 2, 1 / 2])
    assert gradient("max", [1.0, 1.0, 0.0]).tolist() == [1, 1, 0]


def test_half_precision_means_accumulate_in_float32():
    assert jc.adaptive_pool(jnp.ones((64, 64), jnp.bfloat16), (1, 1), "mean").item() == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jc.adaptive_pool(jnp.ones(4), 2, "max"), TypeError, "adaptive_pool: output_size is 2"),
        (lambda: jc.adaptive_pool(jnp.ones(4), (0,), "max"), ValueError, "output_size on axis 0 is 0"),
        (lambda: jc.adaptive_pool(jnp.ones(4), (2,), "mode"), ValueError, "mode 'mode' is unknown"),
        (lambda: jc.adaptive_pool(jnp.ones(4), (2, 2), "max"), ValueError, r"x has shape \(4,\)"),
        (lambda: jc.adaptive_pool(jnp.ones((2, 0)), (2,), "max"), ValueError, "without cells"),
    ],
    ids=range(5),
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
