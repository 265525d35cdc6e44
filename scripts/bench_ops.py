"""Each operator beside lax's: forward, and the output with all gradients along a random cotangent in one call."""

import argparse
import functools
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxcnn as jc


@dataclass(frozen=True)
class Row:
    """One operation, written twice."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    ours: Callable[..., jax.Array]
    theirs: Callable[..., jax.Array]


def conv(name, x, kernel, *, stride=1, pad=0, dilation=1, groups=1):
    n = len(kernel) - 2
    each = lambda value: (value,) * n
    theirs = functools.partial(
        lax.conv_general_dilated, window_strides=each(stride), padding=[(pad, pad)] * n,
        rhs_dilation=each(dilation), feature_group_count=groups,
    )  # fmt: skip
    ours = functools.partial(jc.conv, stride=stride, padding=pad, dilation=dilation, groups=groups)
    return Row(name, (x, kernel), ours, theirs)


def transposed(name, x, kernel, *, stride, pad):
    n = len(kernel) - 2
    edge = [(k - 1 - pad, k - 1 - pad) for k in kernel[2:]]

    def theirs(x, kernel):
        flipped = jnp.flip(kernel, range(2, 2 + n)).swapaxes(0, 1)
        return lax.conv_general_dilated(x, flipped, (1,) * n, edge, lhs_dilation=(stride,) * n)

    return Row(name, (x, kernel), functools.partial(jc.conv_transpose, stride=stride, padding=pad), theirs)


def pool(name, x, window, mode, *, stride=None, pad=0):
    n = len(window)
    lead = (1,) * (len(x) - n)
    steps = lead + (window if stride is None else (stride,) * n)
    pads = [(0, 0)] * len(lead) + [(pad, pad)] * n

    def theirs(x):
        if mode == "max":
            return lax.reduce_window(x, -jnp.inf, lax.max, lead + window, steps, pads)
        return lax.reduce_window(x, 0.0, lax.add, lead + window, steps, pads) / np.prod(window).item()

    return Row(name, (x,), functools.partial(jc.pool, window=window, mode=mode, stride=stride, padding=pad), theirs)


ROWS = (
    conv("LeNet conv1: (128,1,28,28), 6 of 5x5, pad 2", (128, 1, 28, 28), (6, 1, 5, 5), pad=2),
    conv("LeNet conv2: (128,6,14,14), 16 of 5x5", (128, 6, 14, 14), (16, 6, 5, 5)),
    conv("dense: (4,64,56,56), 64 of 3x3, pad 1", (4, 64, 56, 56), (64, 64, 3, 3), pad=1),
    conv("dense: (8,256,14,14), 256 of 3x3, pad 1", (8, 256, 14, 14), (256, 256, 3, 3), pad=1),
    conv("dense: (4,3,224,224), 64 of 7x7, stride 2", (4, 3, 224, 224), (64, 3, 7, 7), stride=2, pad=3),
    conv("dilated: (4,64,32,32), 64 of 3x3, dilation 4", (4, 64, 32, 32), (64, 64, 3, 3), dilation=4, pad=4),
    conv("grouped: (4,64,32,32), 64 of 3x3, 8 groups", (4, 64, 32, 32), (64, 8, 3, 3), pad=1, groups=8),
    conv("depthwise: (4,64,56,56), 3x3, pad 1", (4, 64, 56, 56), (64, 1, 3, 3), pad=1, groups=64),
    conv("depthwise: (4,96,28,28), 7x7, pad 3", (4, 96, 28, 28), (96, 1, 7, 7), pad=3, groups=96),
    conv("1-D: (8,64,4096), 64 of 9, pad 4", (8, 64, 4096), (64, 64, 9), pad=4),
    conv("3-D: (1,16,32,32,32), 16 of 3x3x3, pad 1", (1, 16, 32, 32, 32), (16, 16, 3, 3, 3), pad=1),
    transposed("transposed: (4,64,32,32) to 32, 4x4, stride 2", (4, 64, 32, 32), (64, 32, 4, 4), stride=2, pad=1),
    transposed("transposed: (1,64,32,32,16) to 1, 3x3x3", (1, 64, 32, 32, 16), (64, 1, 3, 3, 3), stride=2, pad=1),
    pool("max pool 2x2: (64,6,28,28)", (64, 6, 28, 28), (2, 2), "max"),
    pool("max pool 3x3, stride 2, pad 1: (4,64,112,112)", (4, 64, 112, 112), (3, 3), "max", stride=2, pad=1),
    pool("max pool 5x5, stride 1, pad 2: (4,64,56,56)", (4, 64, 56, 56), (5, 5), "max", stride=1, pad=2),
    pool("mean pool 2x2: (128,6,28,28)", (128, 6, 28, 28), (2, 2), "mean"),
    pool("mean pool 3x3, stride 1, pad 1: (4,64,56,56)", (4, 64, 56, 56), (3, 3), "mean", stride=1, pad=1),
    pool("max pool 2x2x2: (2,16,32,32,32)", (2, 16, 32, 32, 32), (2, 2, 2), "max"),
)


def milliseconds(call, args) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call(*args))
    return 1e3 * (time.perf_counter() - start)


def compare(ours, theirs, args, seconds: float) -> tuple[float, float, float]:
    """Median milliseconds of both and the median ratio of pairs, after their answers were seen to agree."""
    ours, theirs = jax.jit(ours), jax.jit(theirs)
    for a, b in zip(*(jax.tree.leaves(f(*args)) for f in (ours, theirs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * float(jnp.abs(b).max()))
    pairs, end = [], time.perf_counter() + seconds
    while len(pairs) < 5 or (time.perf_counter() < end and len(pairs) < 200):
        if random.random() < 0.5:
            a, b = milliseconds(ours, args), milliseconds(theirs, args)
        else:
            b, a = milliseconds(theirs, args), milliseconds(ours, args)
        pairs.append((a, b))
    medians = (statistics.median(column) for column in zip(*pairs, strict=True))
    return *medians, statistics.median(b / a for a, b in pairs)


def with_gradients(f):
    def call(cotangent, *args):
        y, pull = jax.vjp(f, *args)
        return y, pull(cotangent)

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each of a row's two measurements")
    arguments = parser.parse_args()
    print(f"device: {jax.devices()[0].device_kind}, jax {jax.__version__}, float32, milliseconds")
    print("| case | lax: forward / both | jaxcnn: forward / both | lax / jaxcnn: forward / both |\n|---|---|---|---|")
    for row in (row for row in ROWS if arguments.only in row.name):
        keys = jax.random.split(jax.random.key(0), len(row.shapes) + 1)
        args = [jax.random.normal(key, shape) for key, shape in zip(keys[1:], row.shapes, strict=True)]
        cotangent = jax.random.normal(keys[0], jax.eval_shape(row.theirs, *args).shape)
        one = compare(row.ours, row.theirs, args, arguments.seconds)
        both = compare(with_gradients(row.ours), with_gradients(row.theirs), (cotangent, *args), arguments.seconds)
        columns = ([f"{value:.2f}" for value in pair] for pair in zip(one, both, strict=True))
        ours, theirs, ratio = (" / ".join(column) for column in columns)
        print(f"| {row.name} | {theirs} | {ours} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
