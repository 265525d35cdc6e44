"""Any layout gives the result of ours, transposed: `dimension_numbers`, `axes`, one sample without its axis."""

import functools
import random

import gathered
import jax
import numpy as np
import pytest
from checks import assert_close, normal, run, value_and_gradients
from jax import lax

import jaxcnn as jc

X, KERNEL, BIAS = normal(2, 4, 6, 5), normal(6, 2, 3, 2, seed=1), np.arange(6, dtype="float32")
OPTIONS = {"stride": (2, 1), "padding": (1, 0), "groups": 2}
RNG = random.Random(0)
LAYOUTS = [tuple("".join(RNG.sample(letters, 4)) for letters in ("NCHW", "OIHW", "NCHW")) for _ in range(12)]


@functools.cache
def expected():
    return np.asarray(run(jc.conv, X, KERNEL, BIAS, **OPTIONS))


@pytest.mark.parametrize("numbers", [("NHWC", "HWIO", "NHWC"), ("NCHW", "HWIO", "NHWC"), *LAYOUTS], ids="-".join)
def test_conv(numbers):
    """The window's options follow the order of the kernel's letters, as in lax."""
    lhs, rhs, out = numbers
    x, kernel = (
        a.transpose(["NCHW".find(c) for c in spec])
        for a, spec in ((X, lhs), (KERNEL, rhs.translate(str.maketrans("OI", "NC"))))
    )
    axes = [c for c in rhs if c in "HW"]
    options = {"stride": tuple({"H": 2, "W": 1}[c] for c in axes), "padding": tuple({"H": 1, "W": 0}[c] for c in axes)}
    canonical = lax.conv_dimension_numbers(x.shape, kernel.shape, numbers)

    @jax.jit
    def every(x, kernel, bias):
        conv = lambda x, numbers: jc.conv(x, kernel, bias, groups=2, dimension_numbers=numbers, **options)
        return conv(x, numbers), conv(x, canonical), conv(x.take(1, axis=lhs.find("N")), numbers)

    y = np.transpose(expected(), ["NCHW".find(c) for c in out])
    assert_close(every(x, kernel, BIAS), (y, y, y.take(1, axis=out.find("N"))))


LAYERS = {  # the map (samples, *spatial, channels), the window, the channels out, options
    "depthwise": ((2, 7, 6, 4), (3, 3), 4, {"groups": 4, "padding": (1, 2)}),
    "depthwise, interleaved": ((2, 8, 7, 3), (3, 2), 3, {"groups": 3, "stride": (2, 2), "padding": ((1, 0), (-1, 2))}),
    "depthwise, dilated": ((1, 9, 9, 3), (3, 2), 3, {"groups": 3, "stride": (2, 3), "dilation": (3, 2), "padding": 1}),
    "depthwise, gaps": ((2, 9, 8, 3), (2, 1), 3, {"groups": 3, "stride": (3, 2)}),
    "depthwise, large": ((1, 140, 130, 16), (2, 1), 16, {"groups": 16}),
    "depthwise, 1-D": ((2, 9, 5), (4,), 5, {"groups": 5, "stride": (2,), "padding": 2}),
    "depthwise, 3-D": ((1, 4, 5, 4, 2), (2, 3, 2), 2, {"groups": 2, "stride": (1, 2, 1), "padding": 1}),
    "two kernels a channel": ((2, 6, 5, 2), (3, 3), 4, {"groups": 2, "padding": 1}),
    "one tap": ((2, 5, 4, 3), (1, 1), 6, {}),
    "one tap, strided": ((2, 7, 6, 3), (1, 1), 4, {"stride": (2, 3), "padding": ((-1, 1), (2, -1))}),
    "one tap, grouped": ((2, 5, 4, 4), (1, 1), 6, {"groups": 2}),
    "a kernel larger than the map": ((1, 3, 3, 2), (3, 3), 16, {"padding": 1}),
    "a kernel larger than the map, strided": (
        (2, 5, 4, 2),
        (3, 2),
        12,
        {"stride": (2, 1), "dilation": (1, 2), "padding": ((-1, 2), (1, 0))},
    ),
    "dense": ((2, 6, 5, 16), (3, 3), 4, {"stride": (2, 1), "padding": 1}),
    "dense, few channels, strided": ((2, 9, 8, 3), (3, 3), 4, {"stride": (2, 2), "padding": 1}),
    "dense, a stride that divides the window": ((2, 8, 9, 8), (4, 2), 4, {"stride": (2, 2), "padding": (1, 0)}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_channels_last_with_gradients(name):
    (samples, *spatial, channels), window, outs, options = LAYERS[name]
    n, x = len(window), normal(samples, channels, *spatial)
    kernel = normal(outs, channels // options.get("groups", 1), *window, seed=1)
    y, pull = gathered.conv(np.float64(x), np.float64(kernel), **options)
    cotangent = normal(*y.shape, seed=2)
    pulled = pull(np.float64(cotangent))
    last = lambda array: np.moveaxis(array, 1, -1)
    numbers = tuple(spec.replace("_", "DHW"[-n:]) for spec in ("N_C", "_IO", "N_C"))
    f = lambda args: jc.conv(*args, **options, dimension_numbers=numbers)
    args = last(x), np.transpose(kernel, (*range(2, 2 + n), 1, 0))
    made = jax.jit(lambda args, ct: value_and_gradients(f, args, ct))(args, last(cotangent))
    expected = last(pulled["x"]), np.transpose(pulled["kernel"], (*range(2, 2 + n), 1, 0))
    assert_close(made, (last(y), expected))


def test_a_nan_stays_in_its_windows_between_interleaved_sums():
    x, kernel = np.ones((1, 4, 4, 2), "float32"), np.ones((3, 3, 1, 2), "float32")
    x[0, 1, 2, 1] = np.nan
    numbers = ("NHWC", "HWOI", "NHWC")
    y = run(jc.conv_transpose, x, kernel, stride=2, groups=2, dimension_numbers=numbers)
    expected = np.zeros(y.shape, bool)
    expected[0, 2:5, 4:7, 1] = True
    np.testing.assert_array_equal(np.isnan(y), expected)


def test_one_sample():
    assert_close(run(jc.conv, X[0], KERNEL, BIAS, **OPTIONS), expected()[0])


def test_no_spatial_axes_is_a_matrix_product():
    x, kernel = X[:, :2, 0, 0], KERNEL[:, :, 0, 0]
    assert_close(run(jc.conv, x, kernel, BIAS), x.astype(float) @ kernel.T + BIAS[None])


def mean(w, axis):
    return w.mean(axis)


@pytest.mark.parametrize("axes", [(1, 2), (-3, -2), (3, 0), (2,), (2, 1, 0)])
def test_pool(axes):
    n, modes = len(axes), ("max", "mean", "lp", mean)
    pool = lambda x, **options: [jc.pool(x, (2, 1, 2)[:n], mode, stride=1, **options) for mode in modes]
    here, last = run(lambda x, moved: (pool(x, axes=axes), pool(moved)), X, np.moveaxis(X, axes, range(4 - n, 4)))
    assert_close(here, [np.moveaxis(y, range(4 - n, 4), axes) for y in last])


@pytest.mark.parametrize("mode", ["max", "mean", "lp", mean])
def test_pool_between_other_axes_with_gradients(mode):
    """Each axis keeps its own padding, padding mode and windows, wherever it stands."""
    options = {
        "stride": (2, 1),
        "padding": ((1, 2), (0, 1)),
        "padding_mode": ("reflect", "constant"),
        "ceil_mode": True,
    }
    if mode != "mean":
        options["fill"] = -0.5

    def pooled(x, **axes):
        return run(jax.value_and_grad(lambda x: (jc.pool(x, (3, 2), mode, **options, **axes) ** 2).sum()), x)

    value, gradient = pooled(X)
    moved_value, moved_gradient = pooled(X.transpose(2, 0, 3, 1), axes=(0, 2))
    assert_close((moved_value, moved_gradient), (value, np.transpose(gradient, (2, 0, 3, 1))))


@pytest.mark.parametrize(
    ("numbers", "error", "message"),
    [
        (("NHWC", "HWIO"), TypeError, "conv: dimension_numbers is .* three strings"),
        ("NHWC", TypeError, "three strings"),
        (("NHC", "HWIO", "NHWC"), TypeError, "has 'NHC' for lhs, 3 letters, but the arrays have 4 axes"),
        (("NHWW", "HWIO", "NHWC"), TypeError, "each letter stands once"),
        (("NHWC", "HDIO", "NHWC"), TypeError, "names different spatial axes"),
        (lax.ConvDimensionNumbers((0, 1, 2), (0, 1, 2), (0, 1, 2)), ValueError, "does not order 4 axes"),
    ],
    ids=range(6),
)
def test_refuses(numbers, error, message):
    with pytest.raises(error, match=message):
        jc.conv(X, KERNEL, dimension_numbers=numbers)
