"""Any layout of axes is ours after a transposition: `dimension_numbers`, `axes` and one sample without its axis."""

import random

import numpy as np
import pytest
from checks import assert_close
from jax import lax

import jaxcnn as jc

X = np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype("float32")
KERNEL = np.random.default_rng(1).normal(size=(6, 2, 3, 2)).astype("float32")
BIAS = np.arange(6, dtype="float32")
OPTIONS = {"stride": (2, 1), "padding": (1, 0), "groups": 2}
RNG = random.Random(0)
LAYOUTS = [tuple("".join(RNG.sample(letters, 4)) for letters in ("NCHW", "OIHW", "NCHW")) for _ in range(12)]


@pytest.mark.parametrize("numbers", [("NHWC", "HWIO", "NHWC"), ("NCHW", "HWIO", "NHWC"), *LAYOUTS], ids="-".join)
def test_conv(numbers):
    """The window's options follow the order of the kernel's letters, as in lax."""
    lhs, rhs, _ = numbers
    x, kernel = (
        a.transpose(["NCHW".find(c) for c in spec])
        for a, spec in ((X, lhs), (KERNEL, rhs.translate(str.maketrans("OI", "NC"))))
    )
    axes = [c for c in rhs if c in "HW"]
    options = {"stride": tuple({"H": 2, "W": 1}[c] for c in axes), "padding": tuple({"H": 1, "W": 0}[c] for c in axes)}
    y = jc.conv(x, kernel, BIAS, groups=2, dimension_numbers=numbers, **options)
    canonical = lax.conv_dimension_numbers(x.shape, kernel.shape, numbers)
    assert_close(y, jc.conv(x, kernel, BIAS, groups=2, dimension_numbers=canonical, **options))
    expected = jc.conv(X, KERNEL, BIAS, **OPTIONS)
    assert_close(y, np.transpose(expected, ["NCHW".find(c) for c in numbers[2]]))
    sample = x.take(1, axis=lhs.find("N"))
    one = jc.conv(sample, kernel, BIAS, groups=2, dimension_numbers=numbers, **options)
    assert_close(one, np.take(np.asarray(y), 1, axis=numbers[2].find("N")))


def test_one_sample():
    assert_close(jc.conv(X[0], KERNEL, BIAS, **OPTIONS), jc.conv(X, KERNEL, BIAS, **OPTIONS)[0])


def test_no_spatial_axes_is_a_matrix_product():
    x, kernel = X[:, :, 0, 0], KERNEL[:, :, 0, 0]
    assert_close(jc.conv(x[:, :2], kernel, BIAS), x[:, :2].astype(float) @ kernel.T + BIAS[None])


def mean(w, axis):
    return w.mean(axis)


@pytest.mark.parametrize("mode", ["max", "mean", "lp", mean])
@pytest.mark.parametrize("axes", [(1, 2), (-3, -2), (3, 0), (2,), (2, 1, 0)])
def test_pool(mode, axes):
    window = (2, 1, 2)[: len(axes)]
    n = len(axes)
    last = jc.pool(np.moveaxis(X, axes, range(4 - n, 4)), window, mode, stride=1)
    y = jc.pool(X, window, mode, stride=1, axes=axes)
    assert_close(y, np.moveaxis(last, range(4 - n, 4), axes))


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
