"""A program exported for maps of any size gives, at each size, the values and gradients of the direct call."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, normal
from jax import export, lax

import jaxcnn as jc

# The kernel of all operations: 4 channels out, 2 in, 3x3.
K = normal(4, 2, 3, 3, seed=1)
MODES = ("reflect", "replicate", "circular", "symmetric")


def conv(**options):
    return lambda x, k: jc.conv(x, k, **options)


def pool(mode, window=(2, 2), **options):
    return lambda x, k: jc.pool(x, window, mode, **options)


OPERATIONS = {
    "conv": conv(),
    "conv, stride 2, padding 1": conv(stride=2, padding=1),
    "conv, SAME": conv(padding="SAME"),
    "conv, SAME, stride 2": conv(padding="SAME", stride=2),
    "conv, SAME_LOWER, stride 3": conv(padding="SAME_LOWER", stride=3),
    "conv, FULL, dilation 2": conv(padding="FULL", dilation=2),
    "conv, crop": conv(padding=((-1, 2), (0, -2))),
    "conv, stride 3 and CAUSAL": conv(padding="CAUSAL", stride=(3, 2), dilation=(1, 2)),
    "conv, patches": lambda x, k: jc.conv(x, k[:, :, :2, :2], stride=2),
    "conv, one tap, stride 2": lambda x, k: jc.conv(x, k[:, :, :1, :1], stride=2),
    "conv, fill": conv(padding=1, fill=2.0),
    "conv, precision": conv(padding=1, precision="highest"),
    "conv, groups": lambda x, k: jc.conv(x, k[:, :1], groups=2, padding=1),
    "conv, depthwise, stride 2": lambda x, k: jc.conv(x, k[:2, :1], groups=2, padding=1, stride=2),
    "conv, large kernel": lambda x, k: jc.conv(x, jnp.tile(k, (1, 1, 4, 4))[:2, :1], groups=2, padding=5),
    "conv, long kernel": lambda x, k: jc.conv(x, jnp.tile(k, (1, 1, 12, 1)), padding=18),
    "conv, channels last": lambda x, k: jc.conv(
        jnp.moveaxis(x, 1, -1), k, padding=1, dimension_numbers=("NHWC", "OIHW", "NHWC")
    ),
    **{f"conv, {mode}": conv(padding=((2, 1), (1, 3)), padding_mode=mode) for mode in MODES},
    "conv, wider than the map": conv(padding=((9, 0), (0, 17)), padding_mode=("reflect", "circular")),
    "conv, SAME by the map's cells": conv(padding="SAME", stride=2, padding_mode=("circular", "symmetric")),
    **{f"conv by {method}": conv(padding=1, stride=2, method=method)
       for method in ("definition", "windows", "rows", "shifts", "xla", "fft")},
    "conv of one sample": lambda x, k: jc.conv(x[0], k, padding=1),
    "conv_transpose": lambda x, k: jc.conv_transpose(x, k.swapaxes(0, 1), stride=2, padding=1),
    "conv_transpose, SAME": lambda x, k: jc.conv_transpose(x, k.swapaxes(0, 1), stride=2, padding="SAME"),
    "conv_transpose, gaps": lambda x, k: jc.conv_transpose(x, k.swapaxes(0, 1), stride=5, output_padding=1),
    "correlate": lambda x, k: jc.correlate(x, k[0, 0], stride=2, padding=1),
    "convolve": lambda x, k: jc.convolve(x, k[0, 0], padding="FULL"),
    "conv_general_dilated": lambda x, k: jc.conv_general_dilated(x, k, (2, 2), "SAME"),
    "conv_general_dilated, transposed": lambda x, k: jc.conv_general_dilated(
        x, k, (1, 1), [(1, 2), (2, 1)], lhs_dilation=(2, 3), rhs_dilation=(1, 2)
    ),
    "conv_general_dilated of any size": lambda x, k: jc.conv_general_dilated(
        x, k, (2, 1), [(1, -1), (-1, -1)], lhs_dilation=(2, 1)
    ),
    "reduce_window": lambda x, k: jc.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"),
    "reduce_window by a product": lambda x, k: jc.reduce_window(x, 1.0, lax.mul, (1, 1, 3, 3), (1, 1, 2, 1), "VALID"),
    "accelerate": jc.accelerate(lambda x, k: lax.conv_general_dilated(x, k, (1, 1), ((1, 1), (1, 1)))),
    "windows": lambda x, k: jc.windows(x, (3, 2), stride=2, padding=1),
    "windows, reflect": lambda x, k: jc.windows(x, (3, 2), padding=2, padding_mode="reflect"),
    "fold": lambda x, k: jc.fold(jc.windows(x, (3, 2), stride=2), x.shape[2:], stride=2),
    "max": pool("max"),
    "max, stride 1": pool("max", (3, 3), stride=1, padding=1),
    "max, stride 2": pool("max", (3, 3), stride=2, padding=1),
    "max, ceil": pool("max", (3, 3), stride=2, ceil_mode=True),
    "max, zeros": pool("max", (3, 3), stride=2, padding=1, fill=0),
    "max, long": pool("max", (20, 1), stride=3, padding=((9, 9), (0, 0))),
    "min, dilated": pool("min", (3, 2), dilation=2, stride=1),
    "mean": pool("mean"),
    "mean, SAME": pool("mean", (3, 3), stride=2, padding="SAME", count_include_pad=False),
    "mean, ceil": pool("mean", (3, 3), stride=2, padding=1, ceil_mode=True),
    "mean, reflect": pool("mean", (3, 3), stride=2, padding=1, padding_mode="reflect"),
    "sum": pool("sum", (2, 3), stride=1),
    "lp": pool("lp", (2, 3), ceil_mode=True, p=3),
    "median": pool(jnp.median, (3, 3), padding=1, fill=0.0),
    "definition": pool("max", (3, 3), stride=2, method="definition"),
    "channels last": lambda x, k: jc.pool(jnp.moveaxis(x, 1, -1), (2, 2), "max", axes=(1, 2)),
    "definition, stride 3": pool("mean", (3, 2), stride=(3, 1), method="definition"),
    "max_pool_with_indices": lambda x, k: jc.max_pool_with_indices(x, (3, 2), stride=2, padding=1),
    "max_pool_with_indices of a pooled map": lambda x, k: jc.max_pool_with_indices(
        jc.pool(x, (3, 3), "mean", stride=1), (2, 2)
    ),
    "max_unpool": lambda x, k: jc.max_unpool(*jc.max_pool_with_indices(x, (2, 2)), x.shape[2:]),
    **{f"adaptive {mode}": lambda x, k, mode=mode: jc.adaptive_pool(x, (3, 2), mode)
       for mode in ("max", "min", "mean", "sum")},
    "adaptive, global": lambda x, k: jc.adaptive_pool(x, (1, 1), "mean"),
    "adaptive, more than there are": lambda x, k: jc.adaptive_pool(x, (13, None), "max"),
    "adaptive, to a symbolic size": lambda x, k: jc.adaptive_pool(x, (x.shape[3], x.shape[2] // 2), "mean"),
    "adaptive_max_pool_with_indices": lambda x, k: jc.adaptive_max_pool_with_indices(x, (3, 5)),
}  # fmt: skip
SIZES = [(1, 8, 8), (2, 9, 13), (3, 14, 11)]
A_TENTH = list(OPERATIONS)[::10]  # each size is two compilations


def symbolic(*constraints):
    sizes = export.symbolic_shape("b, h, w", constraints=constraints or ["h >= 8", "w >= 8"])
    return [jax.ShapeDtypeStruct((sizes[0], 2, *sizes[1:]), "float32"), jax.ShapeDtypeStruct(K.shape, K.dtype)]


def with_gradients(f):
    """f, and its gradients along a cotangent made of its result."""

    def both(*args):
        def floats(*args):
            value, *integers = jax.tree.leaves(f(*args))
            return value, integers

        value, pull, integers = jax.vjp(floats, *args, has_aux=True)
        return value, integers, pull(jnp.sin(value))

    return both


@pytest.mark.parametrize("name", list(OPERATIONS)[::5] + list(OPERATIONS)[2::10])
def test_the_exported_program_equals_the_call_at_each_size(name):
    f = jax.jit(with_gradients(OPERATIONS[name]))
    exported = export.export(f)(*symbolic())
    for b, h, w in SIZES if name in A_TENTH else SIZES[1:2]:
        x = normal(b, 2, h, w, seed=h)
        (value, indices, gradients), (expected, integers, pulled) = jax.jit(lambda x: (exported.call(x, K), f(x, K)))(x)
        assert_close((value, gradients), (expected, pulled))
        jax.tree.map(np.testing.assert_array_equal, indices, integers)


@pytest.mark.parametrize(
    ("name", "platform"), [*((name, "cuda") for name in list(OPERATIONS)[1::5]), *((name, "tpu") for name in A_TENTH)]
)
def test_it_is_exported_for_other_platforms(name, platform):
    """Their plans may differ."""
    export.export(jax.jit(with_gradients(OPERATIONS[name])), platforms=[platform])(*symbolic())


# Constraints on the sizes that must be given --------------------------------------------------------------------------

REFUSED = {
    "a window": (lambda x: jc.pool(x, (3, 1), "max"), "pool: window on axis 0 spans 3 .*constraint 'h >= 3'"),
    "a window and its padding": (
        lambda x: jc.conv(x, K, padding=((0, 1), (1, 1)), dilation=2),
        "conv: window on axis 0 spans 5 .*constraint 'h >= 4'",
    ),
    "a window on what another left": (
        lambda x: jc.pool(jc.pool(x, (2, 1), "max", padding=((1, 1), (0, 0))), (2, 1), "mean"),
        r"pool: window on axis 0 spans 2 .*constraint 'floordiv\(h, 2\) \+ 1 >= 2'",
    ),
    "a crop": (
        lambda x: jc.windows(x, (1, 1), padding=((-2, -2), (0, 0)), padding_mode="reflect"),
        "windows: size on axis 0 spans 1 .*constraint 'h >= 5'",
    ),
    "a transposed crop": (
        lambda x: jc.conv_transpose(x, K.swapaxes(0, 1), padding=3),
        "conv_transpose: padding .* on axis 0 leaves h - 4 .*constraint 'h - 4 >= 1'",
    ),
    "indices": (
        lambda x: jc.max_pool_with_indices(x, (2, 1), dilation=3, padding=((2, 2), (0, 0))),
        "max_pool_with_indices: padding .*constraint 'h - 2 >= 1'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_names_the_missing_constraint(name):
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        export.export(jax.jit(f))(*symbolic("w >= 6")[:1])


@pytest.mark.parametrize("name", REFUSED)
def test_with_the_constraint_it_is_exported(name):
    f, message = REFUSED[name]
    export.export(jax.jit(f))(*symbolic("w >= 6", re.search("constraint '(.*)'", message)[1].replace("\\", ""))[:1])


def test_as_many_values_as_jax_cannot_tell_are_refused_or_known():
    """The number of windows is a product, which JAX does not see to be a size."""

    def unpooled(x):
        return jc.max_unpool(*jc.max_pool_with_indices(x, (2, 3), stride=(1, 2), dilation=2), x.shape[2:])

    sizes = ("h >= 8", "w >= 6")
    with pytest.raises(ValueError, match=r"max_unpool: x has h\*floordiv\(w - 5, 2\) .*add the constraint") as refused:
        export.export(jax.jit(unpooled))(*symbolic(*sizes)[:1])
    export.export(jax.jit(unpooled))(*symbolic(*sizes, re.search("constraint '(.*)'", str(refused.value))[1])[:1])


def test_a_symbolic_window_is_refused():
    with pytest.raises(TypeError, match=r"pool: window on axis 0 is the symbolic size h, .*adaptive_pool"):
        export.export(jax.jit(lambda x: jc.pool(x, x.shape[2:], "mean")))(*symbolic()[:1])


def test_a_rule_whose_sizes_jax_fails_to_compare():
    """JAX 0.10.2 ends with an AssertionError where `auto` asks which of two layouts has fewer cells."""
    rows, columns = export.symbolic_shape("rows, columns", constraints=["rows >= 3", "columns >= 6"])
    conv = jax.jit(lambda x, kernel: jc.conv(x, kernel, stride=3, padding="SAME_LOWER", dilation=3))
    x, kernel = (np.random.default_rng(0).normal(size=shape).astype("f") for shape in ((1, 2, 7, 9), (4, 2, 1, 2)))
    exported = export.export(conv)(jax.ShapeDtypeStruct((1, 2, rows, columns), "f"), kernel)
    assert_close(exported.call(x, kernel), conv(x, kernel))
