"""Issues of public trackers that do not occur here, each as its reporter would check it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, normal, run
from jax import lax
from scipy import ndimage, signal

import jaxcnn as jc

X = normal(2, 3, 6, 8)


def gradient_of_sum(f, x):
    return run(jax.grad(lambda x: f(x).sum()), x)


def test_dilated_max_pooling_has_a_gradient():
    """lax: "VJP not implemented" for reduce_window with a dilated window."""
    x = np.array([1, 5, 2, 4, 3, 0], np.float32)
    with pytest.raises(NotImplementedError):
        gradient_of_sum(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (3,), (1,), "VALID", window_dilation=(2,)), x)
    ours = gradient_of_sum(partial(jc.pool, window=(3,), mode="max", stride=1, dilation=2), x)
    assert ours.tolist() == [0, 1, 0, 0, 1, 0]


def test_a_general_reducer_has_a_gradient_jax_7815():
    x = np.array([1, 2, 4, 3], np.float32)
    product = lambda w, axis: jnp.prod(w, axis=axis)
    assert gradient_of_sum(partial(jc.pool, window=(2,), mode=product), x).tolist() == [2, 1, 3, 4]
    assert gradient_of_sum(partial(jc.pool, window=(3,), mode=jnp.median, stride=1), x).tolist() == [0, 1, 0, 1]


def test_bfloat16_mean_of_32x32_ones_is_one():
    assert run(jc.pool, jnp.ones((32, 32), jnp.bfloat16), window=(32, 32), mode="mean").item() == 1


def test_a_patch_with_one_nan_keeps_it_in_one_place():
    x = np.zeros((1, 1, 4, 4), np.float32)
    x[0, 0, 1, 1] = np.nan
    on_lax = lambda x: lax.conv_general_dilated_patches(x, (2, 2), (1, 1), "VALID")
    patches, windows = run(lambda x: (on_lax(x), jc.windows(x, (2, 2))), x)
    assert np.isnan(patches).sum() > 4
    assert np.isnan(windows[0, 0]).sum((2, 3)).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


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
    filters = {"max": ndimage.maximum_filter, "min": ndimage.minimum_filter, jnp.median: ndimage.median_filter}
    pads = {"padding": "SAME", "padding_mode": ours}
    pooled = partial(jc.pool, window=(3, 5), stride=1, **pads, **({"fill": 0.0} if ours == "constant" else {}))
    with jax.enable_x64(True):
        x, k = normal(5, 6, dtype="float64"), normal(3, 5, dtype="float64", seed=1)
        products = [jc.correlate, jc.convolve]
        y = run(lambda x, k: [*(f(x, k, **pads) for f in products), *(pooled(x, mode=mode) for mode in filters)], x, k)
        linear = [f(x, k, mode=scipys) for f in (ndimage.correlate, ndimage.convolve)]
        assert_close(y, linear + [filtered(x, (3, 5), mode=scipys) for filtered in filters.values()])


def test_correlation_and_convolution_are_those_of_scipy_signal():
    with jax.enable_x64(True):
        x, k = normal(5, 6, dtype="float64"), normal(3, 5, dtype="float64", seed=1)
        y = run(lambda x, k: (jc.correlate(x, k, padding="FULL"), jc.convolve(x, k)), x, k)
        assert_close(y, (signal.correlate(x, k, "full"), signal.convolve(x, k, "valid")))


def test_unfold_and_fold_jax_6594():
    """PyTorch's column order, (samples, channels * taps, windows), is one line, and so is its way back."""

    @jax.jit
    def there_and_back(x):
        w = jc.windows(x, (2, 3), stride=2)
        columns = jnp.moveaxis(w, (-2, -1), (2, 3)).reshape(2, 3 * 6, 3 * 3)
        again = jnp.moveaxis(columns.reshape(2, 3, 2, 3, *w.shape[2:4]), (2, 3), (-2, -1))
        fold = partial(jc.fold, spatial=(6, 8), stride=2)
        return columns, fold(again), fold(jnp.ones_like(w))

    columns, folded, counts = there_and_back(X)
    assert columns[0, 1 * 6 + 0 * 3 + 2, 0 * 3 + 1] == X[0, 1, 0, 2 + 2]
    assert_close(np.where(counts > 0, folded / np.maximum(counts, 1), X), X.astype(float))


@pytest.mark.parametrize("dilation", [1, 2])
def test_max_pool_gradient_has_no_scatter_flax_4233(dilation):
    """A scatter adds in an order that is not fixed on a GPU; selects have no order."""
    gradient = jax.grad(lambda x: jc.pool(x, (3, 3), "max", stride=2, padding=1, dilation=dilation).sum())
    program = jax.jit(gradient).lower(X).as_text()
    assert "select" in program
    assert "scatter" not in program


def test_a_product_summed_at_rank_seven_does_not_crash():
    """XLA corrupts memory where it sums products of rank 7 and more (jaxlib 0.10.2), as the definition once did."""
    x, k = np.ones((2, 2, 2, 8, 8, 8), np.float32), np.ones((2, 2, 1, 3, 2, 2), np.float32)
    layer = lambda method: lambda x, k: jc.conv(x, k, method=method, groups=2).sum()
    gradient = lambda method: jax.jit(jax.vmap(jax.grad(layer(method), (0, 1))))
    by_definition, by_windows = gradient("definition"), gradient("windows")
    for _ in range(3):
        assert_close(by_definition(x, k), by_windows(x, k))


def test_large_numbers_leave_small_ones_alone_scipy_22390():
    a = np.zeros(1000, np.float32)
    a[300], a[10:20] = 1e8, 1
    with jax.default_matmul_precision("default"):
        assert run(jc.correlate, a, np.ones(150, np.float32))[:3].tolist() == [10, 10, 10]


def test_a_nan_stays_in_the_windows_of_an_11x11_kernel_scipy_15927():
    x = np.ones((64, 64), np.float32)
    x[20, 20] = np.nan
    with jax.default_matmul_precision("default"):
        assert np.isnan(run(jc.correlate, x, np.ones((11, 11), np.float32))).sum() == 121


def test_ceil_mode_with_a_window_larger_than_the_map_is_one_window_rten_1388():
    """EfficientNet pools maps of 7x7 with windows of 1280x1280; that padding is never put into memory."""
    every = lambda x: [jc.pool(x, (1280, 1280), mode, ceil_mode=True) for mode in ("mean", "max", "sum")]
    pooled = jax.jit(every)(np.ones((1, 7, 7), np.float32))
    assert [y.tolist() for y in pooled] == [[[[1]]], [[[1]]], [[[49]]]]
    assert "1280" not in str(jax.make_jaxpr(every)(np.ones((1, 7, 7), np.float32)))
    x = np.arange(6, dtype=np.float32)
    winners = run(jc.max_pool_with_indices, x, window=(9,), stride=1, ceil_mode=True)
    assert [y.tolist() for y in winners] == [[5], [5]]
    assert jc.output_size((7, 7), (9, 3), stride=(1, 3), ceil_mode=True) == (1, 3)
    # Two of nine taps see the map: (1 + 1) * 9 / 2.
    assert run(jc.pool, np.ones(2, np.float32), window=(9,), mode="lp", p=1, ceil_mode=True).tolist() == [9]
    with pytest.raises(ValueError, match="pool: window on axis 0 spans 9 cells, but the padded map has 0"):
        jc.pool(np.ones(0, np.float32), (9,), "max", ceil_mode=True)


LONG = [((3, 3), {"padding": 1}), ((3, 3), {"padding": 2, "dilation": 2, "stride": 1}), ((35, 1), {"padding": (34, 0)})]


@pytest.mark.parametrize(("window", "options"), LONG)
def test_the_gradient_goes_where_the_index_points_where_all_are_infinite(window, options):
    x = np.full((36, 4) if 35 in window else (4, 4), -np.inf, np.float32)

    def gradients(x):
        by_index = lambda x: jc.max_pool_with_indices(x, window, **options)[0].sum()
        ways = {m: partial(jc.pool, window=window, mode="max", method=m, **options) for m in ("auto", "definition")}
        least = lambda x: jc.pool(-x, window, "min", **options).sum()
        return [jax.grad(f)(x) for f in (by_index, *(lambda x, f=f: f(x).sum() for f in ways.values()), least)]

    by_index, *others, least = run(gradients, x)
    assert by_index.sum() == jax.eval_shape(partial(jc.pool, window=window, mode="max", **options), x).size
    for gradient in (*others, -least):
        np.testing.assert_array_equal(gradient, by_index)
