"""Each function of the text that the library starts from, as plain loops, and what is written here in its place.

One row for each line of the README's table; 2-D and 3-D, square and not, strides and padding equal and unequal.
"""

import jax
import numpy as np
import oracles
import pytest
from checks import assert_close, run

import jaxcnn as jc

SHAPES_2D = [  # map, window, padding, stride
    ((6, 6), (3, 3), 0, 1),
    ((7, 7), (2, 2), 1, 2),
    ((5, 9), (3, 2), 2, 3),
    ((8, 5), (1, 4), (0, 2), (3, 1)),
    ((6, 7), (4, 2), (2, 1), (1, 2)),
]
SHAPES_3D = [
    ((5, 5, 5), (3, 3, 3), 0, 1),
    ((4, 4, 4), (2, 2, 2), 1, 2),
    ((3, 6, 5), (2, 3, 1), (1, 0, 2), (1, 3, 2)),
    ((6, 3, 4), (2, 2, 4), (0, 1, 0), 2),
]
CASES_2D = pytest.mark.parametrize(("shape", "window", "padding", "stride"), SHAPES_2D)
CASES_3D = pytest.mark.parametrize(("shape", "window", "padding", "stride"), SHAPES_3D)
POOL_MODES = pytest.mark.parametrize("mode", ["max", "mean"])


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@CASES_2D
def test_corr2d(shape, window, padding, stride):
    x, k = random(*shape), random(*window)
    assert_close(run(jc.corr2d, x, k), oracles.corr2d(x, k))
    assert_close(run(jc.corr2d, x, k, padding=padding, stride=stride), oracles.corr2d_pad(x, k, padding, stride))


@CASES_3D
def test_corr3d(shape, window, padding, stride):
    x, k = random(*shape), random(*window)
    assert_close(run(jc.corr3d, x, k), oracles.corr3d(x, k))
    assert_close(run(jc.corr3d, x, k, padding=padding, stride=stride), oracles.corr3d_pad(x, k, padding, stride))


@CASES_2D
@POOL_MODES
def test_pool2d(shape, window, padding, stride, mode):
    x = random(*shape)
    zero_padded = run(jc.pool2d, x, window=window, mode=mode, stride=stride, padding=padding, fill=0)
    assert_close(run(jc.pool2d, x, window=window, mode=mode, stride=stride), oracles.pool2d(x, window, mode, stride))
    assert_close(zero_padded, oracles.pool2d_pad(x, window, mode, padding, stride))


@CASES_3D
@POOL_MODES
def test_pool3d(shape, window, padding, stride, mode):
    x = random(*shape)
    zero_padded = run(jc.pool3d, x, window=window, mode=mode, stride=stride, padding=padding, fill=0)
    assert_close(run(jc.pool3d, x, window=window, mode=mode, stride=stride), oracles.pool3d(x, window, mode, stride))
    assert_close(zero_padded, oracles.pool3d_pad(x, window, mode, padding, stride))


def test_zero_padding_takes_part_in_a_maximum():
    x = -np.ones((2, 2), np.float32)
    assert jc.pool2d(x, 2, "max", padding=1, fill=0).max() == 0 == oracles.pool2d_pad(x, (2, 2), "max", 1, 2).max()
    assert jc.pool2d(x, 2, "max", padding=1).max() == -1


@CASES_2D
def test_convnet_2d(shape, window, padding, stride):
    x, k, bias = random(2, *shape), random(3, *window), random(3, 1)
    ours = jax.nn.sigmoid(run(jc.conv2d, x[:, None], k[:, None], bias[:, 0], padding=padding, stride=stride))
    assert_close(ours, oracles.convnet_2d(x, k, bias, padding, stride))


@CASES_2D
def test_convnet2d(shape, window, padding, stride):
    x, k, bias = random(2, 4, *shape), random(3, 4, *window), random(3, 1)
    ours = jax.nn.sigmoid(run(jc.conv2d, x, k, bias[:, 0], padding=padding, stride=stride))
    assert_close(ours, oracles.convnet2d(x, k, bias, padding, stride))


@CASES_3D
def test_convnet_3d(shape, window, padding, stride):
    x, k, bias = random(2, *shape), random(3, *window), random(3, 1)
    ours = jax.nn.sigmoid(run(jc.conv3d, x[:, None], k[:, None], bias[:, 0], padding=padding, stride=stride))
    assert_close(ours, oracles.convnet_3d(x, k, bias, padding, stride))


@CASES_2D
@POOL_MODES
def test_poolnet_2d(shape, window, padding, stride, mode):
    x = random(2, 3, *shape)
    ours = run(jc.pool2d, x, window=window, mode=mode, stride=stride, padding=padding, fill=0)
    assert_close(ours, oracles.poolnet_2d(x, window, mode, padding, stride))


@CASES_3D
@POOL_MODES
def test_poolnet_3d(shape, window, padding, stride, mode):
    x = random(2, 3, *shape)
    ours = run(jc.pool3d, x, window=window, mode=mode, stride=stride, padding=padding, fill=0)
    assert_close(ours, oracles.poolnet_3d(x, window, mode, padding, stride))


@CASES_2D
def test_a_layer_with_c_channels_is_corr3d_of_depth_c(shape, window, padding, stride):
    """The text's own law: conv2d = corr3d with padding (0, p, q) and stride (1, s, t)."""
    x, k = random(2, 4, *shape), random(3, 4, *window)
    (p, q), (s, t) = oracles.per_axis(padding, 2), oracles.per_axis(stride, 2)
    layer = run(jc.conv2d, x, k, padding=padding, stride=stride)
    for o, kernel in enumerate(k):
        volumes = run(jc.corr3d, x, kernel, padding=(0, p, q), stride=(1, s, t))
        assert_close(layer[:, o], volumes[:, 0])
        assert_close(volumes[0], oracles.corr3d_pad(x[0], kernel, (0, p, q), (1, s, t)))


def test_integers_are_float32_there_and_stay_integers_here():
    x, k = np.arange(9).reshape(3, 3), np.arange(4).reshape(2, 2)
    assert jc.corr2d(x, k).tolist() == oracles.corr2d(x, k).tolist() == [[19, 25], [37, 43]]
    assert (jc.corr2d(x, k).dtype, oracles.corr2d(x, k).dtype) == (np.int32, np.float32)


def test_bias_of_shape_out_1_is_told_what_to_pass():
    with pytest.raises(ValueError, match=r"conv.*: bias has shape \(3, 1\).*\(3,\); pass bias\[:, 0\]"):
        jc.conv2d(random(2, 1, 5, 5), random(3, 1, 2, 2), random(3, 1))
