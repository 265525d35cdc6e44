"""ONNX's own conformance cases for correlation and pooling pass; each operator is one or two calls."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn as jc

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # collecting runs every operator's example, divisions by zero included
    import onnx
    from onnx.backend.test.case import node as onnx_nodes

    ALL = onnx_nodes.collect_testcases(None)

OURS = {"strides": "stride", "dilations": "dilation", "group": "groups"}
FLAGS = ("ceil_mode", "count_include_pad")


def options(attributes, *names):
    """ONNX's attributes as our keywords, with both its ways to say padding."""
    given = {OURS.get(name, name): attributes[name] for name in names if name in attributes}
    given |= {name: bool(given[name]) for name in FLAGS if name in given}
    pads, named = attributes.get("pads"), attributes.get("auto_pad", "NOTSET")
    if named != "NOTSET":
        return given | {"padding": named.replace("SAME_UPPER", "SAME")}
    if pads is not None:
        half = len(pads) // 2
        given["padding"] = list(zip(pads[:half], pads[half:], strict=True))
    return given


def conv(a, x, w, bias=None):
    return jc.conv(x, w, bias, **options(a, "strides", "dilations", "group"))


def conv_integer(a, x, w, x_zero=0, w_zero=0):
    x = x.astype(np.int32) - np.int32(x_zero)
    w = w.astype(np.int32) - np.asarray(w_zero, np.int32).reshape(-1, *[1] * (w.ndim - 1))  # one zero a kernel
    return jc.conv(x, w, **options(a, "strides", "dilations", "group"))


def conv_transpose(a, x, w, bias=None):
    given = options(a, "strides", "dilations", "group", "output_padding")
    if "output_shape" in a:
        free = {name: value for name, value in given.items() if name != "padding"}
        whole = jc.conv_transpose(x, w, **free).shape[2:]
        surplus = [full - wanted for full, wanted in zip(whole, a["output_shape"], strict=True)]
        lows = [max(total, 0) // 2 for total in surplus]  # what is missing is added at the high end
        given["padding"] = [(low, total - low) for low, total in zip(lows, surplus, strict=True)]
    return jc.conv_transpose(x, w, bias, **given)


def max_pool(a, x):
    given = {"stride": 1, **options(a, "strides", "dilations", "ceil_mode")}
    if a["outputs"] == 1:
        return jc.pool(x, a["kernel_shape"], "max", **given)
    values, indices = jc.max_pool_with_indices(x, a["kernel_shape"], **given)
    spatial = x.shape[2:]
    if a.get("storage_order"):
        rows, columns = jnp.divmod(indices, spatial[1])
        indices = columns * spatial[0] + rows
    # ONNX counts through samples and channels as well.
    maps = jnp.arange(math.prod(x.shape[:2])).reshape(*x.shape[:2], *[1] * len(spatial))
    return values, indices + math.prod(spatial) * maps


def max_unpool(a, x, indices, output_shape=None):
    sides = zip(x.shape[2:], a["strides"], a["kernel_shape"], strict=True)
    spatial = [(m - 1) * s + k for m, s, k in sides]
    y = jc.max_unpool(x, jnp.asarray(indices) % math.prod(spatial), spatial)
    return y if output_shape is None else jnp.pad(y, [(0, n - m) for m, n in zip(y.shape, output_shape, strict=True)])


def average_pool(a, x):
    given = options(a, "strides", "dilations", "ceil_mode", "count_include_pad")
    return jc.pool(x, a["kernel_shape"], "mean", **{"stride": 1, "count_include_pad": False, **given})


def lp_pool(a, x):
    return jc.pool(x, a["kernel_shape"], "lp", p=a.get("p", 2), **{"stride": 1, **options(a, "strides", "dilations")})


def col2im(a, columns, image_shape, block_shape):
    spatial, size = image_shape.tolist(), block_shape.tolist()
    given = options(a, "strides", "dilations")
    w = columns.reshape(len(columns), -1, *size, *jc.output_size(spatial, size, **given))
    return jc.fold(jnp.moveaxis(w, range(2, 2 + len(size)), range(-len(size), 0)), spatial, **given)


OPERATORS = {
    "Conv": conv,
    "ConvInteger": conv_integer,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "MaxUnpool": max_unpool,
    "AveragePool": average_pool,
    "LpPool": lp_pool,
    "GlobalAveragePool": lambda a, x: jc.adaptive_pool(x, [1] * (x.ndim - 2), "mean"),
    "GlobalMaxPool": lambda a, x: jc.adaptive_pool(x, [1] * (x.ndim - 2), "max"),
    "GlobalLpPool": lambda a, x: jc.pool(x, x.shape[2:], "lp", p=a.get("p", 2)),
    "Col2Im": col2im,
}
CASES = [case for case in ALL if case.model.graph.node[0].op_type in OPERATORS and len(case.model.graph.node) == 1]


def test_there_are_cases():
    assert len(CASES) >= 70


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_onnx_case(case):
    node = case.model.graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes = {key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()}
    inputs, outputs = case.data_sets[0]
    attributes["outputs"] = len(outputs)
    x, *others = inputs  # of which some are shapes, which a program needs to know
    y = jax.jit(lambda x: OPERATORS[node.op_type](attributes, x, *others))(x)
    for ours, theirs in zip(y if isinstance(y, tuple) else (y,), outputs, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=case.rtol, atol=1e-6)
