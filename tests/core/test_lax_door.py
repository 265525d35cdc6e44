"""`conv_general_dilated` gives what lax gives, values and gradients, and refuses what lax refuses, by the same type."""

import random
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, assert_refused_alike, assert_same_signature, run, run_both, value_and_gradients
from jax import lax

import jaxcnn as jc


def a_call(rng):
    """Shapes and options, drawn so that some windows fit nowhere."""
    n = rng.randint(0, 3)
    ints = lambda low, high: [rng.randint(low, high) for _ in range(n)]
    count = rng.choice([1, 1, 2])
    groups = {rng.choice(["feature_group_count", "batch_group_count"]): count}
    per_kernel = 2 // groups.get("feature_group_count", 1) if rng.random() < 0.5 else 1
    channels = per_kernel * groups.get("feature_group_count", 1)
    shapes = [(rng.choice([2, 4]), channels, *ints(1, 6)), (rng.choice([2, 4]), per_kernel, *ints(1, 3))]
    axes = "DHW"[3 - n :]
    spell = lambda letters: "".join(rng.sample(letters + axes, n + 2))
    pairs = list(zip(ints(-1, 3), ints(-1, 3), strict=True))
    padding = rng.choice(["VALID", "SAME", "same_lower", *[pairs] * 5])
    options = {
        "window_strides": ints(1, 3),
        "padding": padding,
        "rhs_dilation": rng.choice([None, ints(1, 2)]),
        **groups,
    }
    if not isinstance(options["padding"], str):
        options["lhs_dilation"] = rng.choice([None, ints(1, 3)])
    if rng.random() < 0.4:
        numbers = (spell("NC"), spell("OI"), spell("NC"))
        canonical = lax.conv_dimension_numbers(*shapes, numbers)
        places = [canonical.lhs_spec, canonical.rhs_spec]
        shapes = [tuple(shape[spec.index(i)] for i in range(n + 2)) for shape, spec in zip(shapes, places, strict=True)]
        options["dimension_numbers"] = rng.choice([numbers, canonical])
    return shapes, options


RNG = random.Random(0)
# As lax writes the gradient of a layer in its kernel: its samples are the channels here.
ON_A_SMALL_MAP = {"dimension_numbers": lax.ConvDimensionNumbers((3, 0, 1, 2), (3, 0, 1, 2), (2, 3, 0, 1))}
CALLS = [a_call(RNG) for _ in range(30)] + [
    (((4, 3, 3, 5), (4, 3, 3, 6)), {"window_strides": (1, 1), "padding": [(1, 1)] * 2, **ON_A_SMALL_MAP}),
    (
        ((4, 5, 5, 5), (4, 2, 3, 6)),
        {"window_strides": (1, 1), "padding": [(1, 0)] * 2, "rhs_dilation": (2, 2), **ON_A_SMALL_MAP},
    ),
    (((2, 3, 3, 4), (2, 2, 2, 6)), {"window_strides": (2, 1), "padding": [(2, 2)] * 2, **ON_A_SMALL_MAP}),
]


def on_lax(lhs, rhs, *, padding, lhs_dilation=None, **options):
    """lax itself, but crops are done before, since their gradient can abort the process inside XLA (jax 0.10.2)."""
    if not isinstance(padding, str) and min([0, *sum(padding, ())]) < 0:
        spatial = lax.conv_dimension_numbers(lhs.shape, rhs.shape, options.pop("dimension_numbers", None))
        config = [(0, 0, 0)] * lhs.ndim
        for axis, (low, high), apart in zip(spatial.lhs_spec[2:], padding, lhs_dilation or [1] * 9, strict=False):
            config[axis] = (low, high, apart - 1)
        lhs = lax.pad(lhs, jnp.zeros((), lhs.dtype), config)
        options["dimension_numbers"], padding, lhs_dilation = spatial, [(0, 0)] * len(padding), None
    return lax.conv_general_dilated(lhs, rhs, padding=padding, lhs_dilation=lhs_dilation, **options)


@pytest.mark.parametrize(("shapes", "options"), CALLS, ids=[str(i) for i in range(len(CALLS))])
def test_equals_lax(shapes, options):
    rng = np.random.default_rng(0)
    args = tuple(rng.normal(size=shape).astype("float32") for shape in shapes)
    shape = jax.eval_shape(lambda args: lax.conv_general_dilated(*args, **options), args)
    cotangent = rng.normal(size=shape.shape).astype("float32")

    ours, theirs = (
        partial(value_and_gradients, lambda args, f=f: f(*args, **options)) for f in (jc.conv_general_dilated, on_lax)
    )
    assert_close(*run_both(theirs, ours, args, cotangent))


def test_signature_is_that_of_lax():
    assert_same_signature(jc.conv_general_dilated, lax.conv_general_dilated)


BASE = {"lhs": (2, 4, 5, 5), "rhs": (6, 4, 3, 3), "window_strides": (1, 1), "padding": "VALID"}
REFUSED = [
    {"window_strides": (0, 1)},
    {"window_strides": 1},
    {"window_strides": (1,)},
    {"window_strides": (1.5, 1)},
    {"window_strides": None},
    {"padding": "foo"},
    {"padding": "FULL"},
    {"padding": 1},
    {"padding": None},
    {"padding": [(1, 1)]},
    {"padding": [(1, 1)] * 3},
    {"padding": [(1.0, 1), (1, 1)]},
    {"padding": [(-3, -3), (0, 0)]},
    {"rhs_dilation": (0, 1)},
    {"rhs_dilation": (-1, 1)},
    {"rhs_dilation": (1, 1, 1)},
    {"rhs_dilation": 2},
    {"lhs_dilation": (2, 2)},
    {"lhs_dilation": 2},
    {"lhs_dilation": (0, 1), "padding": [(1, 1), (1, 1)]},
    {"rhs": (6, 4, 3)},
    {"rhs": (6, 4, 0, 3)},
    {"lhs": (2, 3, 5, 5)},
    {"feature_group_count": 2},
    {"feature_group_count": 3},
    {"feature_group_count": 0},
    {"feature_group_count": 2, "rhs": (5, 2, 3, 3)},
    {"feature_group_count": 2, "batch_group_count": 2, "rhs": (6, 2, 3, 3)},
    {"batch_group_count": 3},
    {"batch_group_count": 0},
    {"batch_group_count": 2, "rhs": (5, 4, 3, 3)},
    {"dimension_numbers": ("NHWC", "HWIO")},
    {"dimension_numbers": ("NHWC", "HWIO", "NHW")},
    {"dimension_numbers": ("NHWC", "HWIO", "NHHC")},
    {"dimension_numbers": ("NCHW", "OIHW", "NCHX")},
    {"dimension_numbers": "NCHW"},
    {"dimension_numbers": (1, 2, 3)},
    {"preferred_element_type": jnp.int32},
    {"preferred_element_type": jnp.bfloat16},
    {"lhs": (3,), "rhs": (3,), "window_strides": (), "padding": ()},
]


@pytest.mark.parametrize("changed", REFUSED, ids=str)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_refuses_like_lax(changed):
    call = BASE | changed
    arrays = {name: np.zeros(call.pop(name), np.float32) for name in ("lhs", "rhs")}
    assert_refused_alike(jc.conv_general_dilated, lax.conv_general_dilated, **arrays, **call)


def test_refuses_two_dtypes():
    lhs, rhs = (np.zeros((1, 1, 3), jnp.dtype(dtype)) for dtype in ("float32", "bfloat16"))
    with pytest.raises(TypeError, match="rhs is bfloat16, but lhs is float32"):
        jc.conv_general_dilated(lhs, rhs, (1,), "VALID")


def through_both(*arrays, **options):
    return [door(*arrays, **options) for door in (jc.conv_general_dilated, lax.conv_general_dilated)]


@pytest.mark.parametrize("shape", [(0, 4, 5, 5), (2, 4, 0, 5), (2, 0, 5, 5), (2, 4, 2, 2)])
def test_empty_where_lax_is_empty(shape):
    arrays = [np.zeros(each, np.float32) for each in (shape, (6, shape[1], 3, 3))]
    assert_close(*run(through_both, *arrays, window_strides=(1, 1), padding="VALID"))


def test_out_sharding():
    mesh = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        wanted = jax.sharding.NamedSharding(mesh, jax.P("samples"))
        arrays = [np.ones(shape, np.float32) for shape in ((2, 1, 4), (1, 1, 2))]
        results = run(through_both, *arrays, window_strides=(1,), padding="VALID", out_sharding=wanted)
        assert_close(*results)
        assert jax.typeof(results[0]).sharding == jax.typeof(results[1]).sharding


@pytest.mark.parametrize("dtype", ["int8", "int32", "bool", "complex64"])
def test_dtypes(dtype):
    rng = np.random.default_rng(0)
    lhs, rhs = (rng.integers(0, 100, size=shape).astype(dtype) for shape in ((2, 3, 6), (4, 3, 3)))
    for wide in [None] if dtype in ("bool", "complex64") else [None, "int32", "float32"]:
        options = {"window_strides": (1,), "padding": "SAME", "preferred_element_type": wide}
        doors = (partial(door, **options) for door in (lax.conv_general_dilated, jc.conv_general_dilated))
        ours, theirs = run_both(*doors, lhs, rhs)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
