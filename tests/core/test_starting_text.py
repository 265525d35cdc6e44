"""Each function of the starting text, as plain loops, equals what is written here in its place.

The table of docs/starting_text.md, in 2-D and 3-D, square and not, with equal and unequal strides and padding.
"""

import jax
import numpy as np
import oracles
import pytest
from checks import assert_close, normal, run

import jaxcnn as jc

# The window's rank is that of the functions.
CASES = [
    ((7, 7), (2, 2), 1, 2),
    ((5, 9), (3, 2), 2, 3),
    ((6, 7), (4, 2), (2, 1), (1, 2)),
    ((4, 4, 4), (2, 2, 2), 1, 2),
    ((3, 6, 5), (2, 3, 1), (1, 0, 2), (1, 3, 2)),
]
EACH = pytest.mark.parametrize(("shape", "window", "padding", "stride"), CASES)
IN_2D = pytest.mark.parametrize(("shape", "window", "padding", "stride"), CASES[:3])
MODES = "max", "mean"


def of_rank(window, *names):
    """jaxcnn's function of these names, or the starting text's, for the window's rank: "corr?d" is corr2d or corr3d."""
    return [getattr(module, name.replace("?", str(len(window)))) for module, name in names]


@EACH
def test_corr(shape, window, padding, stride):
    ours, theirs = of_rank(window, (jc, "corr?d"), (oracles, "corr?d_pad"))
    x, k = normal(*shape), normal(*window)
    both = run(lambda x, k: [ours(x, k), ours(x, k, padding=padding, stride=stride)], x, k)
    assert_close(both, [theirs(x, k, 0, 1), theirs(x, k, padding, stride)])


def pooled(pool, x, window, stride, **options):
    """By mode, in one program."""
    return run(lambda x: {mode: pool(x, window, mode, stride=stride, **options) for mode in MODES}, x)


@EACH
def test_pool(shape, window, padding, stride):
    ours, theirs = of_rank(window, (jc, "pool?d"), (oracles, "pool?d_pad"))
    x = normal(*shape)
    for pads in (0, padding):
        oracle = {mode: theirs(x, window, mode, pads, stride) for mode in MODES}
        assert_close(pooled(ours, x, window, stride, padding=pads, fill=0), oracle)


def test_zero_padding_takes_part_in_a_maximum():
    x = -np.ones((2, 2), np.float32)
    highest = run(lambda x: [jc.pool2d(x, 2, "max", padding=1, **fill).max() for fill in ({"fill": 0}, {})], x)
    assert [each.item() for each in highest] == [0, -1]
    assert oracles.pool2d_pad(x, (2, 2), "max", 1, 2).max() == 0


def convnet(conv, x, k, bias, **options):
    return run(lambda x, k, bias: jax.nn.sigmoid(conv(x, k, bias[:, 0], **options)), x, k, bias)


@EACH
def test_convnet_without_channels(shape, window, padding, stride):
    ours, theirs = of_rank(window, (jc, "conv?d"), (oracles, "convnet_?d"))
    x, k, bias = normal(2, *shape), normal(3, *window), normal(3, 1)
    layer = convnet(ours, x[:, None], k[:, None], bias, padding=padding, stride=stride)
    assert_close(layer, theirs(x, k, bias, padding, stride))


@IN_2D
def test_convnet2d(shape, window, padding, stride):
    x, k, bias = normal(2, 4, *shape), normal(3, 4, *window), normal(3, 1)
    ours = convnet(jc.conv2d, x, k, bias, padding=padding, stride=stride)
    assert_close(ours, oracles.convnet2d(x, k, bias, padding, stride))


@EACH
def test_poolnet(shape, window, padding, stride):
    ours, theirs = of_rank(window, (jc, "pool?d"), (oracles, "poolnet_?d"))
    x = normal(2, 3, *shape)
    oracle = {mode: theirs(x, window, mode, padding, stride) for mode in MODES}
    assert_close(pooled(ours, x, window, stride, padding=padding, fill=0), oracle)


@IN_2D
def test_a_layer_with_c_channels_is_corr3d_of_depth_c(shape, window, padding, stride):
    """The text's own law: conv2d = corr3d with padding (0, p, q) and stride (1, s, t)."""
    x, k = normal(2, 3, *shape), normal(2, 3, *window)
    (p, q), (s, t) = oracles.per_axis(padding, 2), oracles.per_axis(stride, 2)
    deep = {"padding": (0, p, q), "stride": (1, s, t)}
    layer = run(jc.conv2d, x, k, padding=padding, stride=stride)
    volumes = run(lambda x, k: [jc.corr3d(x, kernel, **deep) for kernel in k], x, k)
    assert_close(layer, np.concatenate(volumes, axis=1))
    for volume, kernel in zip(volumes, k, strict=True):
        assert_close(np.asarray(volume)[0], oracles.corr3d_pad(x[0], kernel, *deep.values()))


def test_integers_are_float32_there_and_stay_integers_here():
    x, k = np.arange(9).reshape(3, 3), np.arange(4).reshape(2, 2)
    ours, theirs = run(jc.corr2d, x, k), oracles.corr2d_pad(x, k, 0, 1)
    assert ours.tolist() == theirs.tolist() == [[19, 25], [37, 43]]
    assert (ours.dtype, theirs.dtype) == (np.int32, np.float32)
