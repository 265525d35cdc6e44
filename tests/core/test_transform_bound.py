"""The transform's error is relative to the largest numbers that there could be; where that is too much it is not taken.

The error of every other method is relative to the largest number that there is. A transform mixes all cells of a map:
its error is at most 1e-5 in float32, and 1e-12 in float64, times

  for the correlation          max |x| * sum |kernel|
  for the gradient in x        max |cotangent| * sum |kernel|
  for the gradient in kernel   max |x| * sum |cotangent|
  for the gradient in fill     sum |cotangent| * sum |kernel|

where |kernel| is summed over what one number is a sum over, the largest of these sums is taken, and fill counts in |x|.
"""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, run, value_and_gradients
from problems import chosen

import jaxcnn as jc
from jaxcnn._geometry import geometry

TRANSFORMS = pytest.mark.parametrize("method", cases.TRANSFORMS)


def could_be(args, cotangent, groups, summed):
    """The bounds above, of a value and its gradients; axis `summed` of the kernel is summed over, groups counted."""
    x = max(abs(args["x"]).max(), abs(args.get("fill", 0)))
    kernel = abs(args["kernel"]).reshape(groups, -1, *args["kernel"].shape[1:])
    taps = tuple(range(3, kernel.ndim))
    forward, back = (kernel.sum((axis, *taps)).max() for axis in (summed, 3 - summed))
    channels = abs(cotangent).sum((0, *range(2, cotangent.ndim)))
    gradients = {
        "x": abs(cotangent).max() * back,
        "kernel": x * channels.max(),
        "bias": channels.max(),
        "fill": channels.sum() * forward,
    }
    return x * forward, {name: gradients[name] for name in args}


def assert_within_bound(f, method, args, dtype, groups=1, summed=2):
    """f(args, method) and its gradients, against the definition in double precision."""
    with jax.enable_x64(True):
        double = np.result_type(dtype, np.float64)
        definition = partial(f, method="definition")
        cotangent = random_numbers(jax.eval_shape(definition, args).shape, double)
        doubled = {name: np.asarray(value, double) for name, value in args.items()}

        @jax.jit
        def both(args, ct, doubled, cotangent):
            actual = value_and_gradients(partial(f, method=method), args, ct)
            return actual, value_and_gradients(definition, doubled, cotangent)

        actual, oracle = both(args, cotangent.astype(dtype), doubled, cotangent)
        assert {str(leaf.dtype) for leaf in jax.tree.leaves(actual)} == {dtype}
        for part in (jnp.real, jnp.imag) if "complex" in dtype else (jnp.asarray,):
            scale = could_be(doubled, cotangent, groups, summed)
            assert_close(jax.tree.map(part, actual), jax.tree.map(part, oracle), scale)


def random_numbers(shape, dtype):
    real, imaginary = np.random.default_rng(0).normal(size=(2, *shape))
    return (real + 1j * imaginary if np.issubdtype(dtype, np.complexfloating) else real).astype(dtype)


@TRANSFORMS
@pytest.mark.parametrize("row", cases.FEW_CONVS[-8:], ids=str)
def test_conv(row, method):
    f = lambda args, method: jc.conv(**args, **row.options, method=method)
    assert_within_bound(f, method, row.arguments("float32"), "float32", row.groups)


# Kernels for which the transform is meant: its error grows with the map.
LARGE = {
    "depthwise 15x15": ((2, 3, 20, 17), (3, 1, 15, 15), {"groups": 3, "padding": "SAME"}),
    "300 taps": ((2, 2, 1000), (3, 2, 300), {"stride": 3, "padding": 7}),
    "dilated": ((1, 2, 30, 31), (2, 2, 7, 9), {"dilation": (2, 3), "stride": (1, 2), "padding": "SAME"}),
}


@TRANSFORMS
@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, "float32") for name in LARGE), ("dilated", "float64"), ("dilated", "complex64")]
)
def test_large_kernels(name, method, dtype):
    x, kernel, options = LARGE[name]
    f = lambda args, method: jc.conv(**args, **options, method=method)
    args = {"x": random_numbers(x, dtype), "kernel": random_numbers(kernel, dtype)}
    assert_within_bound(f, method, args, dtype, options.get("groups", 1))


@TRANSFORMS
def test_conv_transpose(method):
    options = {"stride": (3, 1), "padding": (1, 2), "output_padding": (2, 0), "dilation": (1, 2), "groups": 2}
    f = lambda args, method: jc.conv_transpose(**args, **options, method=method)
    args = {"x": random_numbers((2, 4, 5, 7), "float32"), "kernel": random_numbers((4, 3, 4, 3), "float32")}
    assert_within_bound(f, method, args, "float32", groups=2, summed=1)


@TRANSFORMS
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precisions_are_rounded_once(method, dtype):
    args = [random_numbers(shape, "float32").astype(jnp.dtype(dtype)) for shape in [(1, 2, 40), (2, 2, 9)]]
    rounded = run(jc.conv, *args, method=method)
    exact = oracles.conv(*(a.astype(float) for a in args))
    assert rounded.dtype == dtype
    largest = jnp.finfo(dtype).eps * np.abs(exact).max()
    np.testing.assert_allclose(np.float64(rounded), exact, rtol=0, atol=float(largest))


# What must be exact ---------------------------------------------------------------------------------------------------

INTEGERS = ("bool", "int8", "uint8", "int32", "int64")
CALLS = {
    "conv": lambda x, **options: jc.conv(x[None], x[None], **options),
    "conv_transpose": lambda x, **options: jc.conv_transpose(x[None], x[None], **options),
    "correlate": lambda x, **options: jc.correlate(x[0], x[0], **options),
    "convolve": lambda x, **options: jc.convolve(x[0], x[0], **options),
}


@TRANSFORMS
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", CALLS)
def test_integers_are_refused(name, dtype, method):
    with jax.enable_x64(True), pytest.raises(ValueError, match=f"^{name}: method '{method}' would round {dtype}"):
        jax.eval_shape(partial(CALLS[name], method=method), np.ones((1, 3), dtype))


def large_and_small():
    """Windows of one tap to a thousand, with a stride and without."""
    for window in ((1,), (1024,), (3, 3), (31, 31), (7, 7, 7), (3, 3, 3, 3)):
        for stride in (1, 2, window):
            yield geometry("test", [4 * k for k in window], window, stride=stride)


def all_chosen(wanted, dtype, platform):
    channels = (1, 2, 16, 512)
    sizes = [{"ins": ins, "outs": outs} for ins in channels for outs in channels]
    with jax.default_matmul_precision("default"):
        return {chosen(g, wanted, **each, dtype=dtype, platform=platform) for g in large_and_small() for each in sizes}


@pytest.mark.parametrize("platform", ["cpu", "gpu", "other"])
@pytest.mark.parametrize("wanted", ["y", "x", "kernel"])
@pytest.mark.parametrize("dtype", [*INTEGERS, "float64", "complex128"])
def test_none_is_chosen_for_what_must_be_exact(wanted, dtype, platform):
    with jax.enable_x64(True):
        assert not all_chosen(wanted, dtype, platform) & set(cases.TRANSFORMS)


BOTH = pytest.mark.parametrize("platform", ["cpu", "gpu"])
WANTED = pytest.mark.parametrize("wanted", ["y", "kernel"])
VERY_LARGE = geometry("test", (64, 64), (45, 45), padding="SAME")


@BOTH
@WANTED
def test_one_is_chosen_for_a_large_kernel_in_float32(wanted, platform):
    assert all_chosen(wanted, "float32", platform) & set(cases.TRANSFORMS)
    with jax.default_matmul_precision("default"):
        assert chosen(VERY_LARGE, wanted, platform=platform) in cases.TRANSFORMS


@BOTH
@WANTED
def test_none_is_chosen_where_more_precision_is_asked_for(wanted, platform):
    with jax.default_matmul_precision("highest"):
        assert chosen(VERY_LARGE, wanted, platform=platform) not in cases.TRANSFORMS


@WANTED
@pytest.mark.parametrize("side", [11, 15])
def test_none_is_chosen_on_a_cpu_where_it_does_not_win_by_three(side, wanted):
    """Shifts are faster there for the value; for the kernel's gradient the transform wins by three from 15x15 on."""
    with jax.default_matmul_precision("default"):
        taken = chosen(geometry("test", (64, 64), (side, side)), wanted)
    assert taken == ("fft" if (wanted, side) == ("kernel", 15) else "shifts")


def highest(x, kernel):
    with jax.default_matmul_precision("highest"):
        return jc.correlate(x, kernel)


def test_the_precision_counts_that_is_configured_where_a_call_is_traced():
    """Not the one that is configured where its program, or that of its gradient, is lowered."""
    x, kernel = np.ones((64, 64), np.float32), np.ones((45, 45), np.float32)
    with jax.default_matmul_precision("default"):
        for f, transformed in ((highest, False), (jc.correlate, True)):
            program = jax.jit(partial(value_and_gradients, lambda args, f=f: f(*args))).lower((x, kernel), x[:20, :20])
            assert ("stablehlo.fft" in program.as_text()) == transformed
            assert ("1e-5 of the largest result" in jc.explain(f)(x, kernel)) == transformed


# Sums over a map overflow only where those over the windows do, and numbers down to 1e-30 keep their digits -----------


@TRANSFORMS
@pytest.mark.parametrize(("map_of", "kernel_of"), [(1e36, 1e-2), (1e-30, 1e2), (1e38, 1e-28), (1e-30, 1e30)])
def test_large_and_small_numbers(map_of, kernel_of, method):
    f = partial(jc.correlate, method=method)
    x, kernel = np.full((64, 64), map_of, np.float32), np.full((11, 11), kernel_of, np.float32)
    cotangent = np.zeros((54, 54), np.float32)
    cotangent[20, 30] = 1
    y, (in_x, in_kernel) = run(lambda *args: value_and_gradients(lambda args: f(*args), args[:2], args[2]),
                               x, kernel, cotangent)  # fmt: skip
    np.testing.assert_allclose(y, np.full((54, 54), 121 * map_of * kernel_of), rtol=1e-5)
    np.testing.assert_allclose(in_x[25, 35], kernel_of, rtol=1e-5)
    np.testing.assert_allclose(in_kernel, np.full((11, 11), map_of), rtol=1e-5)


def test_auto_is_exact_for_integers_under_a_large_kernel():
    x, kernel = (
        np.random.default_rng(i).integers(-(2**31), 2**31, (1, 1, n), np.int32) for i, n in ((0, 200), (1, 150))
    )
    np.testing.assert_array_equal(run(jc.conv, x, kernel), oracles.conv(x, kernel))
