"""The issues of public trackers that windows answer, each as its reporter would check it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close
from jax import export, lax
from scipy import ndimage, signal

import jaxcnn as jc

X = np.random.default_rng(0).normal(size=(2, 3, 6, 8)).astype("float32")


def test_dilated_max_pooling_has_a_gradient():
    """lax: "VJP not implemented" for reduce_window with a dilated window."""
    on_lax = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (3,), (1,), "VALID", window_dilation=(2,)).sum()
    x = jnp.array([1.0, 5.0, 2.0, 4.0, 3.0, 0.0])
    with pytest.raises(NotImplementedError):
        jax.grad(on_lax)(x)
    assert jax.grad(lambda x: jc.pool(x, (3,), "max", stride=1, dilation=2).sum())(x).tolist() == [0, 1, 0, 0, 1, 0]


def test_a_general_reducer_has_a_gradient_jax_7815():
    x = jnp.array([1.0, 2.0, 4.0, 3.0])
    product = lambda w, axis: jnp.prod(w, axis=axis)
    assert jax.grad(lambda x: jc.pool(x, (2,), product).sum())(x).tolist() == [2, 1, 3, 4]
    assert jax.grad(lambda x: jc.pool(x, (3,), jnp.median, stride=1).sum())(x).tolist() == [0, 1, 0, 1]


def test_argmax_pooling_has_a_gradient_jax_32548():
    _, indices = jc.max_pool_with_indices(X, (2, 2))
    gradient = jax.grad(lambda x: jc.max_pool_with_indices(x, (2, 2))[0].sum())(X)
    expected = np.zeros((2, 3, 48), "float32")
    np.put_along_axis(expected, np.asarray(indices).reshape(2, 3, -1), 1, -1)
    np.testing.assert_array_equal(gradient, expected.reshape(X.shape))


def test_bfloat16_mean_of_32x32_ones_is_one():
    assert jc.pool(jnp.ones((32, 32), jnp.bfloat16), (32, 32), "mean").item() == 1


def test_a_patch_with_one_nan_keeps_it_in_one_place():
    x = jnp.zeros((1, 1, 4, 4)).at[0, 0, 1, 1].set(jnp.nan)
    assert jnp.isnan(lax.conv_general_dilated_patches(x, (2, 2), (1, 1), "VALID")).sum() > 4
    assert jnp.isnan(jc.windows(x, (2, 2))[0, 0]).sum((2, 3)).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_boundary_wrap_in_any_rank_jax_7276():
    x, k = np.random.default_rng(0).normal(size=(4, 5, 6)), np.random.default_rng(1).normal(size=(3, 3, 3))
    with jax.enable_x64(True):
        y = jc.correlate(x, k, padding="SAME", padding_mode="circular")
        assert_close(y, ndimage.correlate(x, k, mode="wrap"))


@pytest.mark.parametrize(
    ("ours", "scipys"),
    [
        ("reflect", "mirror"),
        ("replicate", "nearest"),
        ("circular", "wrap"),
        ("symmetric", "reflect"),
        ("constant", "constant"),
    ],
)
def test_padding_modes_are_those_of_ndimage(ours, scipys):
    x, k = np.random.default_rng(0).normal(size=(5, 6)), np.random.default_rng(1).normal(size=(3, 5))
    with jax.enable_x64(True):
        assert_close(jc.correlate(x, k, padding="SAME", padding_mode=ours), ndimage.correlate(x, k, mode=scipys))
        assert_close(jc.convolve(x, k, padding="SAME", padding_mode=ours), ndimage.convolve(x, k, mode=scipys))
        assert_close(jc.correlate(x, k, padding="FULL"), signal.correlate(x, k, "full"))
        assert_close(jc.convolve(x, k), signal.convolve(x, k, "valid"))
        for mode, filtered in (
            ("max", ndimage.maximum_filter),
            ("min", ndimage.minimum_filter),
            (jnp.median, ndimage.median_filter),
        ):
            fill = {"fill": 0.0} if ours == "constant" else {}
            y = jc.pool(x, (3, 5), mode, stride=1, padding="SAME", padding_mode=ours, **fill)
            assert_close(y, filtered(x, (3, 5), mode=scipys))


def test_unfold_and_fold_jax_6594():
    """PyTorch's column order, (samples, channels * taps, windows), is one line, and so is its way back."""
    w = jc.windows(X, (2, 3), stride=2)
    columns = jnp.moveaxis(w, (-2, -1), (2, 3)).reshape(2, 3 * 6, 3 * 3)
    assert columns[0, 1 * 6 + 0 * 3 + 2, 0 * 3 + 1] == X[0, 1, 0, 2 + 2]
    again = jnp.moveaxis(columns.reshape(2, 3, 2, 3, *w.shape[2:4]), (2, 3), (-2, -1))
    counts = jc.fold(jnp.ones_like(w), (6, 8), stride=2)
    folded = jc.fold(again, (6, 8), stride=2)
    assert_close(jnp.where(counts > 0, folded / jnp.maximum(counts, 1), X), X.astype(float))


def test_adaptive_pooling_where_sizes_do_not_divide_equinox_641():
    assert jc.adaptive_pool(jnp.arange(7.0), (3,), "mean").tolist() == [1, 3, 5]  # cells 0-2, 2-4, 4-6


def test_max_unpooling_equinox_894():
    values, indices = jc.max_pool_with_indices(jnp.array([[1.0, 2.0, 4.0, 3.0]]), (2,))
    assert jc.max_unpool(values, indices, (4,)).tolist() == [[0, 2, 4, 0]]


def test_reflect_padding_with_a_symbolic_batch_flax_4640():
    (batch,) = export.symbolic_shape("batch")
    f = jax.jit(lambda x: jc.conv(x, jnp.ones((2, 3, 3, 3)), padding=1, padding_mode="reflect"))
    exported = export.export(f)(jax.ShapeDtypeStruct((batch, 3, 6, 8), jnp.float32))
    assert_close(exported.call(X), f(X))


def test_pooling_with_several_batch_axes_and_explicit_padding():
    y = jc.pool(jnp.ones((2, 3, 4, 6, 6)), (3, 3), "max", stride=2, padding=((1, 0), (0, 1)))
    assert y.shape == (2, 3, 4, 3, 3)


@pytest.mark.parametrize("dilation", [1, 2])
def test_max_pool_gradient_has_no_scatter_flax_4233(dilation):
    """A scatter adds in an order that is not fixed on a GPU; selects have no order."""
    gradient = jax.grad(lambda x: jc.pool(x, (3, 3), "max", stride=2, padding=1, dilation=dilation).sum())
    program = jax.jit(gradient).lower(X).as_text()
    assert "select" in program
    assert "scatter" not in program


def test_a_product_summed_at_rank_seven_does_not_crash():
    """XLA corrupts memory where it sums products of rank 7 and more (jaxlib 0.10.2), as the definition once did."""
    x, k = jnp.ones((2, 2, 2, 8, 8, 8)), jnp.ones((2, 2, 1, 3, 2, 2))
    layer = lambda method: lambda x, k: jc.conv(x, k, method=method, groups=2).sum()
    gradient = jax.jit(lambda method: jax.vmap(jax.grad(layer(method), (0, 1)))(x, k), static_argnums=0)
    for _ in range(3):
        assert_close(gradient("definition"), gradient("windows"))
