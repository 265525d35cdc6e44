"""A program has few operations also where the map, the stride, the padding, the window or the output is large."""

import re

import jax
import jax.numpy as jnp
import pytest
from jax import export, lax

import jaxcnn as jc

MODES = ("reflect", "replicate", "circular", "symmetric")
METHODS = ("auto", "definition", "windows", "rows", "shifts", "xla")


# What is large, and the operation with the shapes of its arrays for each value of it.
GROWING = {
    "conv, map": lambda n: (lambda x, k: jc.conv(x, k, padding=1), [(1, 1, n, 8), (1, 1, 3, 3)]),
    "conv, samples": lambda n: (lambda x, k: jc.conv(x, k, padding=1), [(n, 8, 9, 9), (8, 8, 3, 3)]),
    "conv, large map": lambda n: (lambda x, k: jc.conv(x, k), [(1, 1, 1000 * n, 1), (16, 1, 64, 1)]),
    "conv, channels": lambda n: (lambda x, k: jc.conv(x, k), [(1, n, 9, 9), (4, n, 3, 3)]),
    "conv, depthwise": lambda n: (lambda x, k: jc.conv(x, k, groups=n), [(1, n, 9, 9), (n, 1, 3, 3)]),
    "conv, stride": lambda n: (lambda x, k: jc.conv(x, k, stride=n), [(1, 1, 5 * n), (1, 1, 16)]),
    "conv, idle stride": lambda n: (lambda x, k: jc.conv(x, k, stride=n), [(1, 1, 7), (1, 1, 3)]),
    "conv, dilation": lambda n: (lambda x, k: jc.conv(x, k, dilation=n), [(1, 2, 5 * n), (2, 2, 3)]),
    "conv, window": lambda n: (lambda x, k: jc.conv(x, k, stride=3), [(1, 1, 5 * n), (1, 1, n)]),
    "conv, windows of two axes": lambda n: (
        lambda x, k: jc.conv(x, k, stride=3, groups=8), [(1, 8, 2 * n, 2 * n), (8, 1, n, n)],
    ),
    **{
        f"conv, map, by {method}": lambda n, method=method: (
            lambda x, k: jc.conv(x, k, stride=2, method=method), [(1, 2, n), (2, 2, 3)],
        )
        for method in METHODS
    },
    **{
        f"conv, window, by {method}": lambda n, method=method: (
            lambda x, k: jc.conv(x, k, method=method), [(1, 1, 2 * n), (1, 1, n)],
        )
        for method in METHODS
    },
    **{
        f"conv, {mode} padding": lambda n, mode=mode: (
            lambda x, k: jc.conv(x, k, padding=n, padding_mode=mode), [(1, 1, 7), (1, 1, 3)],
        )
        for mode in MODES
    },
    **{
        f"conv, map with {mode} padding": lambda n, mode=mode: (
            lambda x, k: jc.conv(x, k, padding=3, padding_mode=mode), [(1, 1, n), (1, 1, 3)],
        )
        for mode in MODES
    },
    "conv_transpose, map": lambda n: (lambda x, k: jc.conv_transpose(x, k, stride=2), [(1, 2, n), (2, 2, 3)]),
    "conv_transpose, stride": lambda n: (lambda x, k: jc.conv_transpose(x, k, stride=n), [(1, 2, 7), (2, 2, 3)]),
    "conv_transpose, window": lambda n: (lambda x, k: jc.conv_transpose(x, k, stride=3), [(1, 2, 7), (2, 2, n)]),
    "correlate, map": lambda n: (lambda x, k: jc.correlate(x, k), [(2, n), (3,)]),
    "convolve, FULL": lambda n: (lambda x, k: jc.convolve(x, k, padding="FULL"), [(n,), (n,)]),
    "conv_general_dilated, lhs_dilation": lambda n: (
        lambda x, k: jc.conv_general_dilated(x, k, (2,), [(1, 1)], lhs_dilation=(n,)), [(1, 2, 7), (2, 2, 3)],
    ),
    "windows, map": lambda n: (lambda x: jc.windows(x, (3,), stride=2), [(n,)]),
    "windows, stride": lambda n: (lambda x: jc.windows(x, (3,), stride=n), [(5 * n,)]),
    "windows, size": lambda n: (lambda x: jc.windows(x, (n,), stride=3), [(3 * n,)]),
    "fold, stride": lambda n: (lambda w: jc.fold(w, (4 * n + 3,), stride=n), [(5, 3)]),
    "fold, size": lambda n: (lambda w: jc.fold(w, (4 * 3 + n,), stride=3), [(5, n)]),
    **{f"{mode}, map": lambda n, mode=mode: (
           lambda x: jc.pool(x, (3, 3), mode, stride=2, padding=1, ceil_mode=True), [(1, n, n)])
       for mode in ("max", "min", "mean", "sum", "lp")},
    **{f"{mode}, stride": lambda n, mode=mode: (lambda x: jc.pool(x, (3,), mode, stride=n), [(5 * n,)])
       for mode in ("max", "min", "mean", "sum", "lp")},
    **{f"{mode}, window": lambda n, mode=mode: (lambda x: jc.pool(x, (n,), mode, stride=3), [(3 * n,)])
       for mode in ("max", "min", "mean", "sum", "lp")},
    "reduce_window, stride": lambda n: (lambda x: jc.reduce_window(x, 0.0, lax.add, (3,), (n,), "SAME"), [(5 * n,)]),
    "reduce_window, window": lambda n: (lambda x: jc.reduce_window(x, 1.0, lax.mul, (n,), (3,), "VALID"), [(3 * n,)]),
    "median, window": lambda n: (lambda x: jc.pool(x, (n,), jnp.median, stride=3), [(3 * n,)]),
    "definition, window": lambda n: (lambda x: jc.pool(x, (n,), "max", stride=3, method="definition"), [(3 * n,)]),
    "max_pool_with_indices, map": lambda n: (lambda x: jc.max_pool_with_indices(x, (3,), padding=1)[0], [(n,)]),
    "max_pool_with_indices, window": lambda n: (lambda x: jc.max_pool_with_indices(x, (n,), padding=1)[0], [(5 * n,)]),
    "max_unpool, map": lambda n: (lambda x: jc.max_unpool(x, jnp.arange(5), (n,)), [(5,)]),
    **{f"adaptive {mode}, coprime": lambda n, mode=mode: (lambda x: jc.adaptive_pool(x, (n - 1,), mode), [(n,)])
       for mode in ("max", "min", "mean", "sum")},
    "adaptive, map": lambda n: (lambda x: jc.adaptive_pool(x, (7,), "mean"), [(n,)]),
    "adaptive, outputs": lambda n: (lambda x: jc.adaptive_pool(x, (n,), "max"), [(7,)]),
    "adaptive, a part": lambda n: (lambda x: jc.adaptive_pool(x, (7 * n // 9,), "max"), [(n,)]),
    "adaptive_max_pool_with_indices": lambda n: (
        lambda x: jc.adaptive_max_pool_with_indices(x, (n - 1,))[0], [(n,)],
    ),
}  # fmt: skip


def operations(f, shapes, platform="cpu"):
    """The number of operations in the program of f and its gradients."""

    def both(*args):
        y, pull = jax.vjp(f, *args)
        return y, pull(y)

    arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    text = export.export(jax.jit(both), platforms=[platform])(*arrays).mlir_module()
    return len(re.findall(r"stablehlo\.\w+", text))


LARGE = 65536
# The gradient of a window this long has the most operations, about 1,400: four levels of 16 taps. A program that grew
# with the size would have tens of thousands.
MOST = 1500


@pytest.mark.parametrize(
    ("name", "platform"), [*((name, "cpu") for name in GROWING), *((name, "cuda") for name in list(GROWING)[::6])]
)
def test_what_is_large_takes_few_operations(name, platform):
    assert operations(*GROWING[name](LARGE), platform) <= MOST
