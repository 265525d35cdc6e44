"""Integers are exact modulo their dtype, half precisions accumulate in float32, and each result has its dtype."""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, run, value_and_gradients

import jaxcnn as jc

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
CONTRACTIONS = pytest.mark.parametrize("method", cases.CONTRACTIONS)
REDUCTIONS = pytest.mark.parametrize("method", cases.REDUCTIONS)


def random_integers(dtype, *shape):
    """Over the whole range, so that every sum and product overflows."""
    info = np.iinfo(dtype)
    return np.random.default_rng(0).integers(info.min, info.max, shape, dtype, endpoint=True)


@CONTRACTIONS
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_conv_is_exact_as_in_lax(dtype, method):
    with jax.enable_x64(True):
        x, kernel, bias = (random_integers(dtype, *shape) for shape in [(2, 4, 6, 5), (4, 2, 3, 3), (4,)])
        ours = run(jc.conv, x, kernel, bias, padding=1, groups=2, method=method)
        lax = oracles.lax_conv(*map(jnp.array, (x, kernel, bias)), padding=1, groups=2)
        assert ours.dtype == lax.dtype == dtype
        np.testing.assert_array_equal(ours, lax)


@REDUCTIONS
@pytest.mark.parametrize("mode", ["max", "min", "sum"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_pool_is_exact_as_in_numpy(dtype, mode, method):
    with jax.enable_x64(True):
        x = random_integers(dtype, 2, 6, 4)
        ours = run(jc.pool, x, window=(3, 2), mode=mode, method=method)
        reduce = {"max": np.max, "min": np.min, "sum": lambda x, axis: np.sum(x, axis, dtype=dtype)}[mode]
        assert ours.dtype == dtype
        np.testing.assert_array_equal(ours, reduce(x.reshape(2, 2, 3, 2, 2), axis=(2, 4)))


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("dtype", [*INTEGERS[:6], "int4", "uint4", "bool", "float16", "bfloat16", "float32"])
def test_padding_never_wins(dtype, mode):
    """The identity is the end of the dtype itself, and is found without x64 too."""
    ends = {"max": -jnp.inf, "min": jnp.inf}
    if dtype == "bool":
        ends = {"max": False, "min": True}
    elif "float" not in dtype:
        ends = {"max": int(jnp.iinfo(dtype).min), "min": int(jnp.iinfo(dtype).max)}
    x = jnp.array(np.array(ends[mode]).astype(jnp.dtype(dtype)))[None]
    assert run(jc.pool, x, window=(1,), mode=mode, padding=1).tolist() == [ends[mode]] * 3


@CONTRACTIONS
def test_preferred_element_type_widens(method):
    x, kernel = random_integers("int8", 2, 3, 9), random_integers("int8", 2, 3, 4)
    wide = run(jc.conv, x, kernel, preferred_element_type=jnp.int32, method=method)
    assert wide.dtype == jnp.int32
    np.testing.assert_array_equal(wide, oracles.conv(x.astype(np.int32), kernel.astype(np.int32)))


# Where a half precision stops counting: one more makes no difference, and so neither do four, one after the other.
FULL = pytest.mark.parametrize(("dtype", "full"), [("bfloat16", 256), ("float16", 2048)])
ORDERS = pytest.mark.parametrize("order", [1, -1])


def full_and_four(dtype, full, order):
    return jnp.array([full, 1, 1, 1, 1][::order], dtype)


@FULL
@ORDERS
@REDUCTIONS
def test_half_pools_accumulate_in_float32(dtype, full, order, method):
    x = full_and_four(dtype, full, order)
    assert run(jc.pool, x, window=(5,), mode="sum", method=method).tolist() == [full + 4]
    assert run(jc.pool, x, window=(5,), mode="mean", divisor=1, method=method).tolist() == [full + 4]


@FULL
@ORDERS
@CONTRACTIONS
def test_half_correlations_accumulate_in_float32(dtype, full, order, method):
    taps, channels = full_and_four(dtype, full, order)[None, None], full_and_four(dtype, full, order)[None, :, None]
    for x in (taps, channels):
        assert run(jc.conv, x, jnp.ones_like(x), method=method).tolist() == [[[full + 4]]]


@FULL
@ORDERS
def test_half_fold_accumulates_in_float32(dtype, full, order):
    w = jnp.fliplr(jnp.diag(full_and_four(dtype, full, order)))  # five windows of five, which all meet in one cell
    assert run(jc.fold, w, spatial=(9,)).tolist() == [0, 0, 0, 0, full + 4, 0, 0, 0, 0]


def test_half_means_do_not_overflow_in_their_sums():
    assert run(jc.pool, jnp.full(4, 60000, jnp.float16), window=(4,), mode="mean").tolist() == [60000]


@CONTRACTIONS
@pytest.mark.parametrize("stride", [1, 2])  # 2 does not divide the window: its adjoint is no correlation
def test_half_is_within_one_rounding_of_float32(method, stride):
    """The value, and the gradients in the map and in the kernel."""
    rng = np.random.default_rng(0)
    x, kernel = (jnp.array(rng.normal(size=shape), jnp.bfloat16) for shape in [(2, 3, 9, 9), (4, 3, 3, 3)])
    f = lambda args: jc.conv(*args, stride=stride, method=method)
    cotangent = jnp.array(rng.normal(size=jax.eval_shape(f, (x, kernel)).shape), jnp.bfloat16)
    half = jax.jit(partial(value_and_gradients, f))((x, kernel), cotangent)
    exact = jax.jit(partial(value_and_gradients, f))(*jax.tree.map(jnp.float32, ((x, kernel), cotangent)))
    assert {each.dtype for each in jax.tree.leaves(half)} == {jnp.dtype(jnp.bfloat16)}
    for ours, oracle in zip(jax.tree.leaves(half), jax.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(np.asarray(ours, np.float32), oracle, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize("method", ["auto", *cases.CONTRACTIONS])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
@pytest.mark.parametrize("channels", [2, 32])  # so many that "auto" leaves floats to XLA's own convolution
def test_integer_conv_transpose_is_exact(channels, dtype, method):
    x, kernel = random_integers(dtype, 2, channels, 4), random_integers(dtype, channels, channels, 4)
    y = run(jc.conv_transpose, x, kernel, stride=3, padding=1, method=method)
    seen = oracles.windows(np.zeros((1, 11)), (4,), stride=3, padding=1)  # the geometry: 4 windows on 11 cells
    assert seen.shape[1] == 4
    laid = np.einsum("nip,iot->nopt", x.astype(np.int64), kernel.astype(np.int64))
    exact = oracles.fold(laid, (11,), stride=3, padding=1).astype(dtype)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, exact[..., : y.shape[-1]])


@pytest.mark.parametrize("method", ["auto", *cases.CONTRACTIONS])
def test_bool_conv_transpose_is_or_of_and(method):
    x, kernel = (np.random.default_rng(i).random(shape) < 0.4 for i, shape in enumerate([(2, 2, 4), (2, 3, 4)]))
    y = run(jc.conv_transpose, x, kernel, stride=3, method=method)
    counts = run(jc.conv_transpose, x.astype(np.int32), kernel.astype(np.int32), stride=3, method="windows")
    assert y.dtype == bool
    np.testing.assert_array_equal(y, counts > 0)


@REDUCTIONS
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "bfloat16", "float16", "float64"])
def test_mean_has_the_dtype_of_jnp_mean(dtype, method):
    with jax.enable_x64(True):
        x = jnp.array([[0, 1, 1, 1], [1, 0, 1, 0]], dtype)
        pooled, mean = run(jc.pool, x, window=(4,), mode="mean", method=method), x.mean(axis=1, keepdims=True)
        assert pooled.dtype == mean.dtype
        np.testing.assert_array_equal(pooled, mean)


@pytest.mark.parametrize("dtype", ["int8", "uint32", "bfloat16", "float16", "float32", "float64", "complex64"])
def test_sums_keep_the_dtype(dtype):
    with jax.enable_x64(True):
        x = jnp.ones((4,), dtype)
        sums = (
            run(jc.pool, x, window=(2,), mode="sum"),
            run(jc.correlate, x, x),
            run(jc.fold, jc.windows(x, (2,)), spatial=(4,)),
        )
        assert [each.dtype for each in sums] == [dtype] * 3


@CONTRACTIONS
def test_complex_correlation_does_not_conjugate(method):
    rng = np.random.default_rng(0)
    x, kernel = (
        (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64) for shape in [(2, 2, 6), (3, 2, 3)]
    )
    ours = run(jc.conv, x, kernel, method=method)
    exact = oracles.conv(x.astype(np.complex128), kernel.astype(np.complex128))
    assert ours.dtype == np.complex64
    assert_close(ours.real, exact.real)
    assert_close(ours.imag, exact.imag)


@REDUCTIONS
@pytest.mark.parametrize("mode", ["max", "min"])
def test_complex_numbers_have_no_order(mode, method):
    with pytest.raises(TypeError, match=f"pool: x is complex64, and complex numbers have no {mode}"):
        run(jc.pool, jnp.ones(4, jnp.complex64), window=(2,), mode=mode, method=method)


@CONTRACTIONS
def test_bool_conv_is_or_of_and_as_in_lax(method):
    x, kernel = (np.random.default_rng(0).random(shape) < 0.3 for shape in [(2, 2, 7), (2, 2, 3)])
    ours, lax = run(jc.conv, x, kernel, method=method), oracles.lax_conv(*map(jnp.array, (x, kernel)))
    assert ours.dtype == lax.dtype == bool
    np.testing.assert_array_equal(ours, lax)


@REDUCTIONS
def test_bool_max_is_any_and_min_is_all(method):
    x = jnp.array([[False, False], [True, False], [True, True]])
    assert run(jc.pool, x, window=(2,), mode="max", method=method)[:, 0].tolist() == [False, True, True]
    assert run(jc.pool, x, window=(2,), mode="min", method=method)[:, 0].tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", ["bool", "int4", "int8", "uint32", "bfloat16", "float16", "complex64"])
def test_windows_are_copies_in_every_dtype(dtype):
    x = jnp.array([0, 1, 1, 0, 1], dtype)
    seen = jc.windows(x, (3,), padding=((1, 0),))
    assert seen.dtype == dtype
    assert (seen[:, 2] == x[1:]).all()
    assert (seen[0] == jnp.array([0, 0, 1], dtype)).all()


def test_float64_stays_float64():
    with jax.enable_x64(True):
        x = np.full((1, 1, 4), 1 + 2**-40)
        for y in (
            run(jc.conv, x, np.ones((1, 1, 1))),
            run(jc.pool, x, window=(1,), mode="mean"),
            run(jc.pool, x, window=(1,), mode="max"),
        ):
            assert y.dtype == np.float64
            np.testing.assert_array_equal(y, x)
