"""`conv_transpose` is the adjoint of the zero-padded `conv` and equals a loop, by every method."""

import itertools
from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, assert_same_product, normal, on_cpu, run

import jaxcnn as jc


def loops(x, kernel, bias=None, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Every cell of x adds its kernels to the output, one product at a time."""
    n = kernel.ndim - 2
    stride, dilation, extra = (oracles.per_axis(v, n) for v in (stride, dilation, output_padding))
    pads = [(p, p) if isinstance(p, int) else p for p in oracles.per_axis(padding, n)]
    window, size = kernel.shape[2:], x.shape[2:]
    out = [
        (m - 1) * s + (k - 1) * d + 1 - low - high + e
        for m, s, k, d, (low, high), e in zip(size, stride, window, dilation, pads, extra, strict=True)
    ]
    ins, outs = x.shape[1] // groups, kernel.shape[1]
    y = np.zeros((len(x), outs * groups, *out))
    for c, o, i, t in itertools.product(range(x.shape[1]), range(outs), np.ndindex(*size), np.ndindex(*window)):
        at = tuple(a * s + b * d - low for a, s, b, d, (low, _) in zip(i, stride, t, dilation, pads, strict=True))
        if all(0 <= p < q for p, q in zip(at, out, strict=True)):
            y[(slice(None), c // ins * outs + o, *at)] += x[(slice(None), c, *i)] * kernel[(c, o, *t)]
    return y if bias is None else y + bias.reshape(-1, *[1] * n)


ROWS = {
    "one cell": ((1, 1, 1), (1, 1, 3), {}),
    "1-D": ((2, 3, 4), (3, 2, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "stride over window": ((2, 2, 3), (2, 1, 2), {"stride": 4, "output_padding": 3}),
    "output_padding over stride": ((1, 2, 3), (2, 2, 2), {"stride": 1, "dilation": 3, "output_padding": 2}),
    "2-D": ((2, 3, 3, 4), (3, 2, 3, 2), {"stride": (2, 3), "padding": (1, 0), "dilation": (1, 2)}),
    "grouped": ((2, 4, 3, 2), (4, 3, 2, 2), {"groups": 2, "stride": 2}),
    "depthwise": ((1, 3, 4, 4), (3, 1, 3, 3), {"groups": 3, "padding": 1}),
    "negative padding": ((1, 2, 3), (2, 2, 2), {"padding": ((-2, 1),), "stride": 2}),
    "pairs": ((1, 1, 3, 3), (1, 2, 3, 3), {"padding": ((0, 2), (1, 0)), "stride": 2}),
    "3-D": ((1, 2, 2, 3, 2), (2, 2, 2, 2, 3), {"stride": (1, 2, 1), "padding": (0, 1, 1), "output_padding": (0, 1, 0)}),
    "4-D": ((1, 1, 2, 2, 2, 2), (1, 1, 2, 1, 2, 2), {"stride": 2}),
    "0-D": ((3, 4), (4, 2), {}),
    "patches": ((2, 3, 3, 2), (3, 2, 2, 3), {"stride": (2, 3)}),
    "stride divides the window": ((2, 2, 4, 3), (2, 2, 4, 6), {"stride": (2, 3), "padding": (1, 2)}),
    "extended": ((1, 2, 4), (2, 3, 4), {"stride": 2, "padding": ((-1, -2),), "output_padding": 1}),
    "cut off": ((1, 1, 6), (1, 1, 4), {"stride": 2, "padding": ((5, 3),)}),
    "divides on one axis": ((2, 4, 3, 3), (4, 1, 4, 2), {"stride": 2, "dilation": (1, 3), "groups": 2}),
}


def every_way(f):
    """f(*arrays, method) in each way of computing it, in one program."""
    return jax.jit(lambda *arrays: {method: f(*arrays, method=method) for method in cases.CONTRACTIONS})


@pytest.mark.parametrize("name", ROWS)
def test_equals_loops(name):
    x_shape, kernel_shape, options = ROWS[name]
    args = [normal(*x_shape), normal(*kernel_shape), normal(kernel_shape[1] * options.get("groups", 1))]
    oracle = loops(*(a.astype(np.float64) for a in args), **options)
    results = every_way(partial(jc.conv_transpose, **options))(*args)
    assert_close(results, dict.fromkeys(results, oracle))


@pytest.mark.parametrize("name", cases.a_fifth(list(ROWS)))
def test_is_the_adjoint(name):
    """<conv_transpose(y, k), x> = <y, conv(x, k)>, where the windows of conv fit exactly."""
    y_shape, kernel_shape, options = ROWS[name]
    options = {key: value for key, value in options.items() if key != "output_padding"}
    with jax.enable_x64(True):
        y, kernel = normal(*y_shape, dtype="float64"), normal(*kernel_shape, dtype="float64")
        backs = every_way(partial(jc.conv_transpose, **options))(y, kernel)
        x = normal(*backs["definition"].shape, dtype="float64", seed=1)
        there = run(jc.conv, x, kernel, **options)
        for back in backs.values():
            assert_same_product(back, x, y, there)


def gradients(*args, cotangent, **options):
    return jax.vjp(partial(jc.conv_transpose, **options), *args)[1](cotangent)


@pytest.mark.parametrize("name", list(ROWS)[::3])
def test_gradients_are_those_of_the_definition(name):
    x_shape, kernel_shape, options = ROWS[name]
    args = normal(*x_shape), normal(*kernel_shape)
    cotangent = normal(*jax.eval_shape(partial(jc.conv_transpose, **options), *args).shape)
    results = every_way(partial(gradients, cotangent=cotangent, **options))(*args)
    assert_close(results, dict.fromkeys(results, results["definition"]))


def test_gradients():
    """Those of the adjoint written with lax: zeros between the cells, the kernel flipped and swapped."""
    x, kernel, cotangent = normal(2, 3, 4, 3), normal(3, 2, 3, 2), normal(2, 2, 7, 6)

    def on_lax(x, kernel):
        flipped = jnp.flip(kernel, (2, 3)).swapaxes(0, 1)
        return jax.lax.conv_general_dilated(x, flipped, (1, 1), [(1, 1), (1, 1)], lhs_dilation=(2, 2))

    oracle = on_cpu(lambda *args: jax.vjp(on_lax, *args[:2])[1](args[2]), x, kernel, cotangent)
    results = every_way(partial(gradients, cotangent=cotangent, stride=2, padding=(1, 0)))(x, kernel)
    assert_close(results, dict.fromkeys(results, oracle))


@pytest.mark.parametrize(("stride", "window"), [(1, 3), (2, 3), (2, 4), (3, 2), (4, 1)])
def test_same_gives_size_times_stride(stride, window):
    x, kernel = normal(1, 1, 5), normal(1, 1, window)
    lower = partial(jc.conv_transpose, stride=stride, padding="SAME_LOWER")
    assert jax.eval_shape(lower, x, kernel).shape == (1, 1, 5 * stride)
    y = run(jc.conv_transpose, x, kernel, stride=stride, padding="SAME")
    assert y.shape == (1, 1, 5 * stride)
    if window >= stride:
        numbers = ("NCH", "IOH", "NCH")
        on_lax = partial(jax.lax.conv_transpose, strides=(stride,), padding="SAME", dimension_numbers=numbers)
        assert_close(y, on_cpu(on_lax, x, kernel[..., ::-1]))


def test_one_sample_and_another_layout():
    @jax.jit
    def every(x, kernel, bias):
        one = jc.conv_transpose(x[0], kernel, bias, stride=2)
        last = jc.conv_transpose(
            x.transpose(0, 2, 3, 1), kernel.transpose(2, 3, 0, 1), bias, stride=2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        return jc.conv_transpose(x, kernel, bias, stride=2), one, last.transpose(0, 3, 1, 2)

    y, one, last = every(normal(2, 3, 4, 5), normal(3, 6, 2, 2), normal(6))
    assert_close((one, last), (np.asarray(y)[0], y))


X, K = np.ones((1, 4, 3), "float32"), np.ones((4, 2, 3), "float32")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jc.conv_transpose(X, K[:3]), "conv_transpose: kernel has 3 input channels, but x has 4"),
        (lambda: jc.conv_transpose(X, K, groups=3), "conv_transpose: groups is 3, which does not divide the 4"),
        (lambda: jc.conv_transpose(X, K, output_padding=1), "output_padding on axis 0 is 1, but must be below"),
        (lambda: jc.conv_transpose(X, K, padding=4), r"padding \(4, 4\) on axis 0 leaves nothing of an output of 5"),
        (lambda: jc.conv_transpose(X, K, np.ones(4, "float32")), r"bias has shape \(4,\), but .* \(2,\)"),
        (lambda: jc.conv_transpose(X, K, stride=2, padding="SAME", output_padding=1), "output_padding is .* fixes"),
        (lambda: jc.conv_transpose(X, K, stride=0), "conv_transpose: stride is 0, but must be at least 1"),
        (lambda: jc.conv_transpose2d(X, K), "conv_transpose2d: kernel has 3 axes, but conv_transpose2d takes 4"),
        (lambda: jc.conv_transpose(X[:, :, :0], K), "conv_transpose: x has no cells"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(call)
