"""LeNet as functions: `init` draws the parameters, `apply` gives logits, `layers` every layer's output."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxcnn._conv import conv
from jaxcnn._errors import message, rank_of
from jaxcnn._geometry import output_size
from jaxcnn._pool import pool

Params = dict[str, dict[str, jax.Array]]
Initializer = Callable[..., jax.Array]

WINDOWED = {"conv1": (5, 1, 2), "pool1": (2, 2, 0), "conv2": (5, 1, 0), "pool2": (2, 2, 0)}
"""Window, stride and padding of each layer that has windows, the same on every axis."""

CONVS, DENSE = ("conv1", "conv2"), ("dense1", "dense2", "dense3")
LAYERS = (*WINDOWED, *DENSE)
MAPS, HIDDEN = (6, 16), (120, 84)


def init(
    key: jax.Array,
    *,
    spatial: Sequence[int] = (28, 28),
    channels: int = 1,
    classes: int = 10,
    maps: Sequence[int] = MAPS,
    hidden: Sequence[int] = HIDDEN,
    kernel_init: Initializer | None = None,
    bias_init: Initializer = jax.nn.initializers.zeros,
    dense_bias: bool = True,
    dtype: DTypeLike = jnp.float32,
) -> Params:
    """Draw LeNet's parameters.

    Args:
      key: a `jax.random` key.
      spatial: sides of one image; their number is the number of spatial axes.
      channels: channels of one image.
      classes: how many logits.
      maps: feature maps of the two convolutions.
      hidden: features of the first two dense layers.
      kernel_init: a `jax.nn.initializers` function, called with its own default axis order (*window, in, out),
        so that its fan-in is right; None is LeCun normal.
      bias_init: the same for the biases.
      dense_bias: whether the dense layers have a bias.
      dtype: of every parameter.

    Returns:
      {"conv1": {"kernel", "bias"}, "conv2": ..., "dense1": {"kernel" (in, out), "bias"}, "dense2": ..., "dense3": ...}

    Raises:
      ValueError: images too small for two convolutions and two poolings.
      TypeError: a `spatial` that is an int.

    >>> params = init(jax.random.key(0))
    >>> {name: layer["kernel"].shape for name, layer in params.items()}
    {'conv1': (6, 1, 5, 5), 'conv2': (16, 6, 5, 5),
     'dense1': (400, 120), 'dense2': (120, 84), 'dense3': (84, 10)}

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    kernel_init = kernel_init or jax.nn.initializers.lecun_normal()
    n = rank_of("lenet.init", "spatial", spatial)
    features = maps[-1] * math.prod(map(_feature_map, spatial))
    ins_and_outs = zip(CONVS, itertools.pairwise((channels, *maps)), strict=True)
    shapes = {name: (WINDOWED[name][0],) * n + pair for name, pair in ins_and_outs}
    shapes |= zip(DENSE, itertools.pairwise((features, *hidden, classes)), strict=True)

    params: Params = {}
    for (name, shape), layer_key in zip(shapes.items(), jax.random.split(key, len(shapes)), strict=True):
        kernel_key, bias_key = jax.random.split(layer_key)
        kernel = kernel_init(kernel_key, shape, dtype)
        params[name] = {"kernel": kernel if name in DENSE else jnp.moveaxis(kernel, (-1, -2), (0, 1))}
        if dense_bias or name not in DENSE:
            params[name]["bias"] = bias_init(bias_key, shape[-1:], dtype)
    return params


def apply(
    params: Params,
    images: jax.Array,
    *,
    activation: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid,
    pool_mode: str = "mean",
) -> jax.Array:
    """Logits of images: conv, pool, conv, pool, and three dense layers.

    Args:
      params: what `init` returns; a layer without "bias" adds none.
      images: (samples, channels, *spatial), or one image (channels, *spatial).
      activation: after every layer but the last.
      pool_mode: "mean" or "max", or any other mode of `pool`.

    Returns:
      (samples, classes), or (classes,) for one image.

    Raises:
      ValueError: images whose rank, channels or number of features are not those of `params`; sides that differ by less
        than 4 can give equally many, since each pooling drops what is left over.

    >>> apply(init(jax.random.key(0)), jnp.zeros((3, 1, 28, 28))).shape
    (3, 10)

    Source: the same network as LeNet-5, each C3 map connected to all S2 maps and a softmax in place of the RBF units.
    """
    return layers(params, images, activation=activation, pool_mode=pool_mode)[DENSE[-1]]


def layers(
    params: Params,
    images: jax.Array,
    *,
    activation: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid,
    pool_mode: str = "mean",
) -> dict[str, jax.Array]:
    """What each layer makes of images, after its activation: C1, S2, C3, S4, C5, F6 and the output.

    Args:
      params, images, activation, pool_mode: as for `apply`.

    Returns:
      {"conv1", "pool1", "conv2", "pool2", "dense1", "dense2", "dense3"}, which `LAYERS` names in this order (`jax.jit`
      sorts them); "dense3" are the logits.

    Raises:
      ValueError: as `apply`.

    >>> maps = layers(init(jax.random.key(0)), jnp.zeros((1, 28, 28)))
    >>> maps["conv1"].shape, maps["pool2"].shape
    ((6, 28, 28), (16, 5, 5))

    Source: figure 2 of the paper of 1998.
    """
    n = params["conv1"]["kernel"].ndim - 2
    if images.ndim == n + 1:
        batch = layers(params, images[None], activation=activation, pool_mode=pool_mode)
        return {name: y[0] for name, y in batch.items()}
    seen, x = {}, images
    for name, (window, stride, padding) in WINDOWED.items():
        if name in CONVS:
            layer = params[name]
            x = activation(conv(x, layer["kernel"], layer.get("bias"), stride=stride, padding=padding))
        else:
            x = pool(x, (window,) * n, pool_mode, stride=stride, padding=padding)
        seen[name] = x
    x = x.reshape(x.shape[0], math.prod(x.shape[1:]))
    for name in DENSE[:-1]:
        x = seen[name] = activation(_dense(params[name], x))
    return seen | {DENSE[-1]: _dense(params[DENSE[-1]], x)}


LEAST_SIDE = functools.reduce(lambda side, layer: (side - 1) * layer[1] + layer[0] - 2 * layer[2],
                              reversed(WINDOWED.values()), 1)  # fmt: skip
"""Of an image: the last pooling then leaves one cell."""


def _feature_map(side: int) -> int:
    """Side of the last feature map of an image of this side."""
    for window, stride, padding in WINDOWED.values():
        side = output_size(side, window, stride=stride, padding=padding)
    return side


def _dense(layer: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    if x.shape[-1] != layer["kernel"].shape[0]:
        problem = f"give {x.shape[-1]} features, but the dense kernel takes {layer['kernel'].shape[0]}"
        remedy = "draw the parameters with lenet.init(key, spatial=...) for these images"
        raise ValueError(message("lenet.apply", "images", problem, remedy))
    y = x @ layer["kernel"]
    return y + layer["bias"][None] if "bias" in layer else y
