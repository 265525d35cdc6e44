"""Integers are exact modulo their dtype, half precisions accumulate in float32, and each result has its dtype."""

from functools import partial

import cases
import gathered
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, on_cpu, run, value_and_gradients

import jaxcnn as jc

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
# All of jnp's floats of a byte and less, but those that are refused.
NARROW = [name for name in vars(jnp) if name.startswith(("float8", "float4")) and name != "float8_e8m0fnu"]


def in_every_way(f, methods, *arrays, **options):
    """f(*arrays, method) for each method, in one program."""
    return run(lambda *arrays: {method: f(*arrays, **options, method=method) for method in methods}, *arrays)


def assert_exact(results, oracle, dtype):
    """The results of every method equal the oracle and have this dtype."""
    for method, result in results.items():
        assert result.dtype == dtype, method
        np.testing.assert_array_equal(result, oracle, err_msg=str(method))


def random_integers(dtype, *shape):
    """Over the whole range, so that every sum and product overflows."""
    info = np.iinfo(dtype)
    return np.random.default_rng(0).integers(info.min, info.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_conv_is_exact_as_in_lax(dtype):
    with jax.enable_x64(True):
        args = [random_integers(dtype, *shape) for shape in [(2, 4, 5, 4), (4, 2, 3, 2), (4,)]]
        lax = on_cpu(oracles.lax_conv, *args, padding=1, groups=2)
        assert_exact(in_every_way(jc.conv, cases.CONTRACTIONS, *args, padding=1, groups=2), lax, dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_pool_is_exact_as_in_numpy(dtype):
    def every(x, method):
        return {mode: jc.pool(x, (3, 2), mode, method=method) for mode in ("max", "min", "sum")}

    with jax.enable_x64(True):
        x = random_integers(dtype, 2, 6, 4)
        blocks = x.reshape(2, 2, 3, 2, 2)
        exact = {mode: getattr(blocks, mode)(axis=(2, 4)) for mode in ("max", "min")}
        exact["sum"] = blocks.sum(axis=(2, 4), dtype=dtype)
        for method, pooled in in_every_way(every, cases.REDUCTIONS, x).items():
            for mode, y in pooled.items():
                assert_exact({(method, mode): y}, exact[mode], dtype)


def test_padding_never_wins():
    """The identity of max is the lowest value of the dtype itself, also without x64."""
    ends = {"bool": {"max": False, "min": True}}
    for dtype in ("float16", "bfloat16", "float32"):
        ends[dtype] = {"max": -jnp.inf, "min": jnp.inf}
    for dtype in NARROW:
        finite = jnp.finfo(dtype)
        infinite = np.isinf(np.array([-np.inf, np.inf]).astype(dtype)).all()
        ends[dtype] = {"max": -jnp.inf, "min": jnp.inf} if infinite else {"max": finite.min, "min": finite.max}
    for dtype in (*INTEGERS[:6], "int4", "uint4"):
        ends[dtype] = {"max": int(jnp.iinfo(dtype).min), "min": int(jnp.iinfo(dtype).max)}
    maps = {(dtype, mode): np.array([end], jnp.dtype(dtype)) for dtype in ends for mode, end in ends[dtype].items()}
    pooled = run(lambda maps: {key: jc.pool(x, (1,), key[1], padding=1) for key, x in maps.items()}, maps)
    for dtype, mode in maps:
        assert pooled[dtype, mode].tolist() == [ends[dtype][mode]] * 3, (dtype, mode)


OPERATIONS = {
    "conv": jc.conv,
    "stride": partial(jc.conv, stride=2, padding=1),
    "transposed": lambda x, kernel: jc.conv_transpose(x, kernel.swapaxes(0, 1), stride=2),
    "correlate": lambda x, kernel: jc.correlate(x, kernel[0, 0]),
    "lp": lambda x, _: jc.pool(x, (3, 3), "lp", p=1),
    "adaptive sum": lambda x, _: jc.adaptive_pool(x, (4, 4), "sum"),
    "adaptive max": lambda x, _: jc.adaptive_pool(x, (4, 4), "max"),
    "indices": lambda x, _: jc.max_unpool(*jc.max_pool_with_indices(x, (2, 2)), (6, 6)),
    **{mode: lambda x, _, mode=mode: jc.pool(x, (3, 2), mode, stride=2, padding=1) for mode in ("max", "sum", "mean")},
}


# One without infinities, one with them, one without NaN, and integers below a byte.
@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float4_e2m1fn", "int4"])
def test_narrow_numbers_are_computed_as_wide_ones_and_rounded_once(dtype):
    """Values, and the gradients in the map and in the kernel."""
    rng, floats = np.random.default_rng(0), "float" in dtype
    x, kernel = (rng.integers(-3, 4, shape) for shape in [(2, 1, 6, 6), (2, 1, 2, 2)])
    x, kernel = (a.astype("float32" if floats else "int32") for a in (x, kernel))

    def every(*args):
        def of(f):
            if not floats:
                return f(*args)
            value, pull = jax.vjp(f, *args)
            return value, pull(jnp.ones(value.shape, value.dtype))

        return {name: of(f) for name, f in OPERATIONS.items()}

    narrow, wide = (run(every, *(a.astype(d) for a in (x, kernel))) for d in (dtype, x.dtype))
    for (path, ours), exact in zip(jax.tree.leaves_with_path(narrow), jax.tree.leaves(wide), strict=True):
        rounded = np.asarray(exact).astype(ours.dtype)
        np.testing.assert_array_equal(np.float32(ours), np.float32(rounded), err_msg=str(path))


@pytest.mark.parametrize("groups", [1, 2])
def test_a_bfloat16_layer_gives_its_float32_kernel_a_float32_gradient(groups):
    """As Flax's layers with dtype=jnp.bfloat16: on a CPU XLA drops the rounding between lax's and the conversion."""
    rng = np.random.default_rng(0)
    x, ct = (np.asarray(rng.normal(size=(4, 4, 9, 9)), jnp.bfloat16) for _ in range(2))
    kernel = rng.normal(size=(4, 4 // groups, 3, 3)).astype("float32")

    def layer(kernel, method):
        y = jc.conv(x, kernel.astype(jnp.bfloat16), padding=1, groups=groups, method=method)
        return y.astype(jnp.float32)

    def gradients(kernel):
        pulled = {
            m: jax.vjp(partial(layer, method=m), kernel)[1](ct.astype(jnp.float32))[0] for m in cases.CONTRACTIONS
        }
        in_bfloat16 = jax.vjp(lambda k: jc.conv(x, k, padding=1, groups=groups), kernel.astype(jnp.bfloat16))[1](ct)[0]
        return pulled, in_bfloat16

    pulled, in_bfloat16 = run(gradients, kernel)
    exact = gathered.conv(x.astype(float), kernel.astype(float), padding=1, groups=groups)[1](ct.astype(float))[
        "kernel"
    ]
    largest = np.abs(exact).max()
    for method, gradient in pulled.items():
        np.testing.assert_allclose(gradient, exact, rtol=0, atol=1e-5 * largest, err_msg=method)
    assert in_bfloat16.dtype == jnp.bfloat16
    np.testing.assert_allclose(in_bfloat16.astype(float), exact, rtol=2**-8, atol=1e-5 * largest)


def test_an_infinite_gradient_of_a_bfloat16_kernel_stays_so():
    x, y = jnp.full((1, 1, 4), 3e38, jnp.bfloat16), jnp.full((1, 1, 4), 2.0, jnp.bfloat16)
    pull = jax.vjp(lambda k: jc.conv(x, k), jnp.ones((1, 1, 1), jnp.bfloat16))[1]
    assert pull(y)[0].astype(float).item() == np.inf


@pytest.mark.parametrize(("dtype", "lack"), [("float8_e8m0fnu", "which has no zero"), ("int2", "of fewer than 4 bits")])
def test_dtypes_without_a_zero_or_of_too_few_bits_are_refused(dtype, lack):
    x = jax.ShapeDtypeStruct((2, 2, 4), dtype)
    calls = {
        "conv": lambda x: jc.conv(x, x),
        "pool": lambda x: jc.pool(x, (2,), "max"),
        "windows": lambda x: jc.windows(x, (2,)),
        "adaptive_pool": lambda x: jc.adaptive_pool(x, (2,), "max"),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name}: x is {dtype}, {lack}; convert it to float32"):
            jax.eval_shape(call, x)


def test_dtypes_that_jax_does_not_promote_are_refused():
    x, kernel = jnp.ones((1, 1, 4), jnp.float8_e5m2), jnp.ones((1, 1, 2), jnp.float8_e4m3fn)
    with pytest.raises(TypeError, match=r"^conv: kernel is float8_e4m3fn, and the other operand is float8_e5m2"):
        jc.conv(x, kernel)
    with pytest.raises(TypeError, match=r"^conv: bias is float8_e4m3fn, and the other operand is float8_e5m2"):
        jc.conv(x, x, kernel[0, 0, :1])


def test_preferred_element_type_widens():
    x, kernel = random_integers("int8", 2, 3, 9), random_integers("int8", 2, 3, 4)
    wide = in_every_way(jc.conv, cases.CONTRACTIONS, x, kernel, preferred_element_type=jnp.int32)
    assert_exact(wide, oracles.conv(x.astype(np.int32), kernel.astype(np.int32)), "int32")


# Where a half precision stops counting: adding one changes nothing, and so adding four ones in turn does not either.
FULL = pytest.mark.parametrize(("dtype", "full"), [("bfloat16", 256), ("float16", 2048)])


def full_and_four(dtype, full):
    """In both orders."""
    return [jnp.array([full, 1, 1, 1, 1][::order], dtype) for order in (1, -1)]


@FULL
def test_half_pools_accumulate_in_float32(dtype, full):
    def every(*maps, method):
        pool = partial(jc.pool, window=(5,), method=method)
        return jnp.array([[pool(x, mode="sum"), pool(x, mode="mean", divisor=1)] for x in maps])

    results = in_every_way(every, cases.REDUCTIONS, *full_and_four(dtype, full))
    assert_exact(results, np.full((2, 2, 1), full + 4), dtype)


@FULL
def test_half_correlations_accumulate_in_float32(dtype, full):
    """Over taps and over channels."""

    def every(ones, *rows, method):
        conv = lambda x, shape: jc.conv(x.reshape(shape), ones.reshape(shape), method=method)
        return jnp.array([[conv(x, (1, 1, 5)), conv(x, (1, 5, 1))] for x in rows])

    results = in_every_way(every, cases.CONTRACTIONS, jnp.ones(5, dtype), *full_and_four(dtype, full))
    assert_exact(results, np.full((2, 2, 1, 1, 1), full + 4), dtype)


@FULL
def test_half_fold_accumulates_in_float32(dtype, full):
    for row in full_and_four(dtype, full):
        w = np.fliplr(np.diag(row))  # five windows of five, which all meet in one cell
        assert run(jc.fold, w, spatial=(9,)).tolist() == [0, 0, 0, 0, full + 4, 0, 0, 0, 0]


def test_half_means_do_not_overflow_in_their_sums():
    assert run(jc.pool, jnp.full(4, 60000, jnp.float16), window=(4,), mode="mean").tolist() == [60000]


@pytest.mark.parametrize("stride", [1, 2])  # 2 does not divide the window: its adjoint is no correlation
def test_half_is_within_one_rounding_of_float32(stride):
    """The value, and the gradients in the map and in the kernel."""
    rng = np.random.default_rng(0)
    args = [jnp.array(rng.normal(size=shape), jnp.bfloat16) for shape in [(2, 3, 9, 5), (4, 3, 3, 1)]]
    conv = partial(jc.conv, stride=stride)
    cotangent = jnp.array(rng.normal(size=jax.eval_shape(conv, *args).shape), jnp.bfloat16)

    def every(*args, method):
        *args, cotangent = args
        return value_and_gradients(lambda args: conv(*args, method=method), args, cotangent)

    halves = in_every_way(every, cases.CONTRACTIONS, *args, cotangent)
    exact = run(every, *map(jnp.float32, (*args, cotangent)), method="definition")
    for method, half in halves.items():
        for ours, oracle in zip(jax.tree.leaves(half), jax.tree.leaves(exact), strict=True):
            assert ours.dtype == jnp.bfloat16
            np.testing.assert_allclose(np.float32(ours), oracle, rtol=2**-8, atol=1e-6, err_msg=method)


# With 32 channels "auto" leaves floats to XLA's own convolution.
@pytest.mark.parametrize(("channels", "methods"), [(2, ("auto", *cases.CONTRACTIONS)), (32, ("auto",))])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_integer_conv_transpose_is_exact(channels, methods, dtype):
    x, kernel = random_integers(dtype, 2, channels, 4), random_integers(dtype, channels, channels, 4)
    seen = oracles.windows(np.zeros((1, 11)), (4,), stride=3, padding=1)  # the geometry: 4 windows on 11 cells
    assert seen.shape[1] == 4
    products = np.einsum("nip,iot->nopt", x.astype(np.int64), kernel.astype(np.int64))
    exact = oracles.fold(products, (11,), stride=3, padding=1).astype(dtype)
    assert_exact(in_every_way(jc.conv_transpose, methods, x, kernel, stride=3, padding=1), exact, dtype)


@pytest.mark.parametrize("window", [1, 3])  # one tap, and a kernel larger than its map: products take it as it lies
def test_integer_conv_transpose_with_channels_last_is_exact(window):
    x, kernel = random_integers("int32", 1, 2, 2), random_integers("int32", 1, window, 2)
    laid = np.einsum("npi,oti->npto", x.astype(np.int64), kernel.astype(np.int64))
    exact = np.moveaxis(oracles.fold(np.moveaxis(laid, -1, 1), (window + 2,), stride=2), 1, -1).astype("int32")
    numbers = ("NWC", "OWI", "NWC")
    results = in_every_way(
        jc.conv_transpose, ("auto", *cases.CONTRACTIONS), x, kernel, stride=2, dimension_numbers=numbers
    )
    assert_exact(results, exact, "int32")


def test_bool_conv_transpose_is_or_of_and():
    x, kernel = (np.random.default_rng(i).random(shape) < 0.4 for i, shape in enumerate([(2, 2, 4), (2, 3, 4)]))
    counts = run(jc.conv_transpose, x.astype(np.int32), kernel.astype(np.int32), stride=3, method="windows")
    results = in_every_way(jc.conv_transpose, ("auto", *cases.CONTRACTIONS), x, kernel, stride=3)
    assert_exact(results, counts > 0, bool)


def test_mean_has_the_dtype_of_jnp_mean():
    dtypes = ("bool", "int8", "uint16", "int32", "int64", "bfloat16", "float16", "float64")
    with jax.enable_x64(True):
        maps = [np.array([[0, 1, 1, 1], [1, 0, 1, 0]], jnp.dtype(dtype)) for dtype in dtypes]
        means = run(lambda *maps: [x.mean(axis=1, keepdims=True) for x in maps], *maps)
        every = lambda *maps, method: [jc.pool(x, (4,), "mean", method=method) for x in maps]
        for method, pooled in in_every_way(every, cases.REDUCTIONS, *maps).items():
            for dtype, y, mean in zip(dtypes, pooled, means, strict=True):
                assert_exact({(method, dtype): y}, mean, mean.dtype)


def test_sums_keep_the_dtype():
    dtypes = ("int8", "uint32", "bfloat16", "float16", "float32", "float64", "complex64")
    conv = lambda x, kernel: jc.conv(x[None, None], kernel[None, None])
    sums = lambda x: [jc.pool(x, (2,), "sum"), jc.correlate(x, x), jc.fold(jc.windows(x, (2,)), (4,)), conv(x, x)]
    with jax.enable_x64(True):
        results = run(lambda *maps: [sums(x) for x in maps], *(np.ones(4, jnp.dtype(dtype)) for dtype in dtypes))
    assert [[y.dtype for y in each] for each in results] == [[dtype] * 4 for dtype in dtypes]


def test_complex_correlation_does_not_conjugate():
    rng = np.random.default_rng(0)
    x, kernel = (
        (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64) for shape in [(2, 2, 6), (3, 2, 3)]
    )
    exact = oracles.conv(x.astype(np.complex128), kernel.astype(np.complex128))
    for method, ours in in_every_way(jc.conv, cases.CONTRACTIONS, x, kernel).items():
        assert ours.dtype == np.complex64, method
        assert_close({method: (ours.real, ours.imag)}, {method: (exact.real, exact.imag)})


@pytest.mark.parametrize("method", cases.REDUCTIONS)
@pytest.mark.parametrize("mode", ["max", "min"])
def test_complex_numbers_have_no_order(mode, method):
    with pytest.raises(TypeError, match=f"pool: x is complex64, and complex numbers have no {mode}"):
        run(jc.pool, jnp.ones(4, jnp.complex64), window=(2,), mode=mode, method=method)


def test_bool_conv_is_or_of_and_as_in_lax():
    x, kernel = (np.random.default_rng(0).random(shape) < 0.3 for shape in [(2, 2, 7), (2, 2, 3)])
    assert_exact(in_every_way(jc.conv, cases.CONTRACTIONS, x, kernel), on_cpu(oracles.lax_conv, x, kernel), bool)


@pytest.mark.parametrize(("mode", "expected"), [("max", [False, True, True]), ("min", [False, False, True])])
def test_bool_max_is_any_and_min_is_all(mode, expected):
    x = np.array([[False, False], [True, False], [True, True]])
    results = in_every_way(partial(jc.pool, window=(2,), mode=mode), cases.REDUCTIONS, x)
    assert_exact(results, np.array(expected)[:, None], bool)


def test_windows_are_copies_in_every_dtype():
    dtypes = ("bool", "int4", "int8", "uint32", "bfloat16", "float16", "complex64")
    maps = [np.array([0, 1, 1, 0, 1]).astype(jnp.dtype(dtype)) for dtype in dtypes]
    every = run(lambda *maps: [jc.windows(x, (3,), padding=((1, 0),)) for x in maps], *maps)
    for x, seen in zip(maps, every, strict=True):
        expected = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 1]]).astype(x.dtype)
        assert_exact({x.dtype: seen}, expected, x.dtype)
