"""A program has no more operations where the map, the batch, the channels, the stride or the padding is larger.

Of a longer window it has a few more: one that is computed as a window of windows has a level more.
"""

import re
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from checks import with_gradients
from jax import lax

import jaxcnn as jc

MODES = ("reflect", "replicate", "circular")
METHODS = ("definition", "windows", "rows", "shifts", "xla")
POOLS = ("max", "mean", "lp")


# What grows, and a function of its size: the operation, and the shapes of its arrays.
GROWING = {
    "conv, map": lambda n: (partial(jc.conv, padding=1), (1, 1, n, 8), (1, 1, 3, 3)),
    "conv, samples": lambda n: (partial(jc.conv, padding=1), (n, 8, 9, 9), (8, 8, 3, 3)),
    "conv, large map": lambda n: (jc.conv, (1, 1, 1000 * n, 1), (16, 1, 64, 1)),
    "conv, channels": lambda n: (jc.conv, (1, n, 9, 9), (4, n, 3, 3)),
    "conv, depthwise": lambda n: (partial(jc.conv, groups=n), (1, n, 9, 9), (n, 1, 3, 3)),
    "conv, stride": lambda n: (partial(jc.conv, stride=n), (1, 1, 5 * n), (1, 1, 16)),
    "conv, idle stride": lambda n: (partial(jc.conv, stride=n), (1, 1, 7), (1, 1, 3)),
    "conv, dilation": lambda n: (partial(jc.conv, dilation=n), (1, 2, 5 * n), (2, 2, 3)),
    "conv, window": lambda n: (partial(jc.conv, stride=3), (1, 1, 5 * n), (1, 1, n)),
    "conv, window of two axes": lambda n: (partial(jc.conv, stride=3, groups=8), (1, 8, 2 * n, 2 * n), (8, 1, n, n)),
    **{
        f"conv, map, by {method}": lambda n, method=method: (
            partial(jc.conv, stride=2, method=method), (1, 2, n), (2, 2, 3),
        )
        for method in METHODS
    },
    **{
        f"conv, window, by {method}": lambda n, method=method: (
            partial(jc.conv, method=method), (1, 1, 2 * n), (1, 1, n),
        )
        for method in METHODS
    },
    **{
        f"conv, {mode} padding": lambda n, mode=mode: (
            partial(jc.conv, padding=n, padding_mode=mode), (1, 1, 7), (1, 1, 3),
        )
        for mode in MODES
    },
    **{
        f"conv, map with {mode} padding": lambda n, mode=mode: (
            partial(jc.conv, padding=3, padding_mode=mode), (1, 1, n), (1, 1, 3),
        )
        for mode in MODES
    },
    "conv_transpose, map": lambda n: (partial(jc.conv_transpose, stride=2), (1, 2, n), (2, 2, 3)),
    "conv_transpose, stride": lambda n: (partial(jc.conv_transpose, stride=n), (1, 2, 7), (2, 2, 3)),
    "conv_transpose, window": lambda n: (partial(jc.conv_transpose, stride=3), (1, 2, 7), (2, 2, n)),
    "correlate, map": lambda n: (jc.correlate, (2, n), (3,)),
    "convolve, window": lambda n: (partial(jc.convolve, padding="FULL"), (n,), (n,)),
    "conv_general_dilated, lhs_dilation": lambda n: (
        lambda x, k: jc.conv_general_dilated(x, k, (2,), [(1, 1)], lhs_dilation=(n,)), (1, 2, 7), (2, 2, 3),
    ),
    "windows, map": lambda n: (lambda x: jc.windows(x, (3,), stride=2), (n,)),
    "windows, stride": lambda n: (lambda x: jc.windows(x, (3,), stride=n), (5 * n,)),
    "windows, window": lambda n: (lambda x: jc.windows(x, (n,), stride=3), (3 * n,)),
    "fold, stride": lambda n: (lambda w: jc.fold(w, (4 * n + 3,), stride=n), (5, 3)),
    "fold, window": lambda n: (lambda w: jc.fold(w, (4 * 3 + n,), stride=3), (5, n)),
    **{f"{mode}, map": lambda n, mode=mode: (
           lambda x: jc.pool(x, (3, 3), mode, stride=2, padding=1, ceil_mode=True), (1, n, n))
       for mode in POOLS},
    **{f"{mode}, stride": lambda n, mode=mode: (lambda x: jc.pool(x, (3,), mode, stride=n), (5 * n,))
       for mode in POOLS},
    **{f"{mode}, window": lambda n, mode=mode: (lambda x: jc.pool(x, (n,), mode, stride=3), (3 * n,))
       for mode in POOLS[:2]},
    "reduce_window, stride": lambda n: (lambda x: jc.reduce_window(x, 0.0, lax.add, (3,), (n,), "SAME"), (5 * n,)),
    "reduce_window, window": lambda n: (lambda x: jc.reduce_window(x, 1.0, lax.mul, (n,), (3,), "VALID"), (3 * n,)),
    "median, window": lambda n: (lambda x: jc.pool(x, (n,), jnp.median, stride=3), (3 * n,)),
    "definition, window": lambda n: (lambda x: jc.pool(x, (n,), "max", stride=3, method="definition"), (3 * n,)),
    "max_pool_with_indices, map": lambda n: (lambda x: jc.max_pool_with_indices(x, (3,), padding=1)[0], (n,)),
    "max_unpool, map": lambda n: (lambda x: jc.max_unpool(x, jnp.arange(5), (n,)), (5,)),
    **{f"adaptive {mode}, coprime": lambda n, mode=mode: (lambda x: jc.adaptive_pool(x, (n - 1,), mode), (n,))
       for mode in POOLS[:2]},
    "adaptive, window": lambda n: (lambda x: jc.adaptive_pool(x, (7,), "mean"), (n,)),
    "adaptive, outputs": lambda n: (lambda x: jc.adaptive_pool(x, (n,), "max"), (7,)),
    "adaptive, a part": lambda n: (lambda x: jc.adaptive_pool(x, (7 * n // 9,), "max"), (n,)),
}  # fmt: skip


def operations(platform, f, *shapes):
    """The number of operations in the program of f and its gradients."""
    arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    program = jax.jit(with_gradients(f)).trace(*arrays).lower(lowering_platforms=(platform,))
    return len(re.findall(r"stablehlo\.\w+", program.as_text()))


# The rules for large problems hold from here on. Whether a sum is split into short ones depends on the divisors of its
# length; those of maps of this size, and of four times as large ones, are not.
LARGE = 16590
A_LEVEL = 1.4


@pytest.mark.parametrize(
    ("name", "platform"), [*((name, "cpu") for name in GROWING), *((name, "cuda") for name in list(GROWING)[::6])]
)
def test_four_times_as_large_takes_no_more_operations(name, platform):
    large, larger = (operations(platform, *GROWING[name](size)) for size in (LARGE, 4 * LARGE))
    assert larger <= large * (A_LEVEL if ", window" in name else 1)
