"""`adaptive_pool` reduces the windows from floor(i * size / out) to ceil((i + 1) * size / out), whatever the sizes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, run
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
    assert_close(run(jc.adaptive_pool, x, output_size=outs, mode=mode), loops(x.astype(float), outs, NUMPY[mode]))


@given(SHAPES)
def test_indices_name_the_first_winner(sides):
    sizes, outs = zip(*sides, strict=True)
    x = np.round(np.random.default_rng(0).normal(size=sizes).astype("float32"))
    values, indices = map(np.asarray, run(jc.adaptive_max_pool_with_indices, x, output_size=outs))
    places = np.arange(x.size).reshape(sizes)
    for i in np.ndindex(*outs):
        cells = tuple(pieces(size, out)[j] for size, out, j in zip(sizes, outs, i, strict=True))
        assert values[i] == x[cells].max()
        assert indices[i] == places[cells].ravel()[x[cells].argmax()]


def test_none_keeps_the_size_and_ones_are_global():
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    mean = partial(run, jc.adaptive_pool, x, mode="mean")
    assert_close(mean(output_size=(None, 3)), x.astype(float).reshape(2, 5, 3, 2).mean(-1))
    assert_close(mean(output_size=(1, 1)), x.astype(float).mean((1, 2), keepdims=True))


@pytest.mark.parametrize(("mode", "x", "expected"), [("mean", [1, 2, 3], [0.5, 1, 0.5]), ("max", [1, 1, 0], [1, 1, 0])])
def test_gradient(mode, x, expected):
    """A mean gives each cell its share, a maximum the whole to its first winner."""
    gradient = run(jax.grad(lambda x: jc.adaptive_pool(x, (2,), mode).sum()), np.float32(x))
    np.testing.assert_allclose(gradient, expected)


def test_half_precision_means_accumulate_in_float32():
    """256 + 1 is 256 in bfloat16, whichever two of the three are added first."""
    x = jnp.array([[256, 1, 1], [1, 256, 1], [1, 1, 256]], jnp.bfloat16)
    assert run(jc.adaptive_pool, x, output_size=(1,), mode="mean").tolist() == [[86]] * 3


def test_means_of_integers_are_floats():
    """Where the output size divides the map, and where it does not."""
    x = np.arange(4, dtype=np.int32)
    halves, thirds = run(lambda x: [jc.adaptive_pool(x, (out,), "mean") for out in (2, 3)], x)
    assert halves.tolist() == [0.5, 2.5]
    assert thirds.tolist() == [0.5, 1.5, 2.5]


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
