"""Small random networks on lax's operators: layers, layouts, and how they are called."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def draw(seed, index):
    """A network as a function of its kernels and data, these arrays, and its name: what it is made of."""
    rng = np.random.default_rng([seed, index])
    n, last = int(rng.integers(1, 3)), bool(rng.integers(2))
    channels = int(rng.choice([1, 2, 4, 16]))
    axes = "HW"[:n]
    numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C") if last else (f"NC{axes}", f"OI{axes}", f"NC{axes}")
    layers, kernels, name = [], [], [numbers[0]]
    x = np.zeros((2, *rng.integers(3, 7, n), channels) if last else (2, channels, *rng.integers(3, 7, n)))
    shape = jax.ShapeDtypeStruct(x.shape, "float64")
    for _ in range(int(rng.integers(1, 3))):
        kind = rng.choice(KINDS)
        layer, kernel = LAYERS[kind](rng, shape.shape, numbers)
        kernels.append(kernel)
        around = rng.choice(list(AROUND))
        layers.append(AROUND[around](layer))
        shape = jax.eval_shape(layers[-1], shape, kernel)
        name.append(f"{around}({kind})")

    def network(kernels, x):
        for layer, kernel in zip(layers, kernels, strict=True):
            x = layer(x, kernel)
        return x

    kernels = [rng.normal(size=kernel.shape) for kernel in kernels]
    return network, kernels, rng.normal(size=x.shape), " ".join(name)


# Layers, each a function of the data and a kernel --------------------------------------------------------------------


def _sizes(shape, numbers):
    """Channels, and the sides of a map."""
    at = numbers[0].index("C")
    return shape[at], [side for i, side in enumerate(shape) if i not in (0, at)]


def _kernel(numbers, out, ins, window):
    sides = dict(zip(numbers[1].replace("O", "").replace("I", ""), window, strict=True)) | {"O": out, "I": ins}
    return np.zeros([sides[letter] for letter in numbers[1]])


def _ints(rng, low, high, n):
    return tuple(map(int, rng.integers(low, high + 1, n)))


def convolution(rng, shape, numbers):
    channels, sides = _sizes(shape, numbers)
    n, groups = len(sides), int(rng.choice([1, channels]))
    window = [min(side, k) for side, k in zip(sides, _ints(rng, 1, 3, n), strict=True)]
    pairs = list(zip(_ints(rng, 0, 2, n), _ints(rng, 0, 2, n), strict=True))
    options = {
        "window_strides": _ints(rng, 1, 2, n),
        "padding": [pairs, "SAME"][rng.integers(2)],
        "rhs_dilation": _ints(rng, 1, 2, n) if min(sides) > 4 else None,
        "dimension_numbers": numbers,
        "feature_group_count": groups,
    }
    out = groups * int(rng.integers(1, 4 if groups == 1 else 3))
    return partial(lax.conv_general_dilated, **options), _kernel(numbers, out, channels // groups, window)


def transposed(rng, shape, numbers):
    channels, sides = _sizes(shape, numbers)
    strides, window = _ints(rng, 1, 2, len(sides)), _ints(rng, 1, 3, len(sides))
    options = {"strides": strides, "padding": "SAME", "dimension_numbers": numbers}
    return partial(lax.conv_transpose, **options), _kernel(numbers, int(rng.integers(1, 4)), channels, window)


def pooling(rng, shape, numbers):
    start, f = [(-jnp.inf, lax.max), (jnp.inf, lax.min), (0.0, lax.add)][rng.integers(3)]
    windowed = [letter not in "NC" for letter in numbers[0]]
    window, stride = (
        [k if on else 1 for k, on in zip(_ints(rng, 1, 3, len(shape)), windowed, strict=True)] for _ in "ws"
    )
    return lambda x, _: lax.reduce_window(x, start, f, window, stride, "SAME"), np.zeros(0)


LAYERS = {"conv": convolution, "transposed": transposed, "pool": pooling}
KINDS = ["conv", "conv", "transposed", "pool"]


# What is around a layer ----------------------------------------------------------------------------------------------


def _mapped(layer):
    """Sample by sample."""
    return jax.vmap(lambda x, kernel: layer(x[None], kernel)[0], (0, None))


def _in_scan(layer):
    return lambda x, kernel: lax.scan(lambda total, k: (total + k, layer(x, k * kernel)), 0.0, jnp.ones(1))[1][0]


def _in_cond(layer):
    return lambda x, kernel: lax.cond(x.sum() < 0, lambda x: layer(x, kernel), lambda x: layer(-x, kernel), x)


AROUND = {
    "sin": lambda layer: lambda x, kernel: jnp.sin(layer(x, kernel)),
    "relu": lambda layer: lambda x, kernel: jax.nn.relu(layer(x, kernel)),
    "jit": jax.jit,
    "checkpoint": jax.checkpoint,
    "vmap": _mapped,
    "scan": _in_scan,
    "cond": _in_cond,
}
