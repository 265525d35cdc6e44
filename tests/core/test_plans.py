"""A plan follows from a problem alone, so that any platform's plan is made, printed and run on any machine."""

import re

import cases
import gathered
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, normal, value_and_gradients
from jax import export
from problems import a_problem, by_index

import jaxcnn as jc
from jaxcnn._engine import platforms, primitive
from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.plan import plan
from jaxcnn._engine.platforms import cpu, gpu
from jaxcnn._engine.platforms.rule import Rule
from jaxcnn._geometry import geometry
from jaxcnn._reduce_xla import reduce_by_xla

PLATFORMS = ("cpu", "gpu", "other")


def a_geometry(size=(8, 8), window=(3, 3)):
    return geometry("test", size, window, padding=1)


# A plan of another platform runs here --------------------------------------------------------------------------------


@pytest.fixture
def planned_for(monkeypatch):
    """A function that makes every contraction be planned for another platform than it runs on."""

    def let(platform):
        monkeypatch.setattr(primitive, "plan", lambda problem, method: plan(problem.but(platform=platform), method))

    return let


@pytest.mark.parametrize("platform", ["gpu", "other"])
@pytest.mark.parametrize("row", [*cases.STRIDED_CONVS, *cases.a_fifth(cases.CONVS)], ids=str)
def test_values_and_gradients_equal_the_oracle_by_index(row, platform, planned_for):
    planned_for(platform)
    args = row.arguments("float32")
    cotangent, expected, scale = by_index(gathered.conv, row, args)
    f = lambda args: jc.conv(**args, **row.options)
    assert_close(jax.jit(lambda args, ct: value_and_gradients(f, args, ct))(args, cotangent), expected, scale)


@pytest.mark.parametrize("platform", ["gpu", "other"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("ins", "groups"), [(3, 1), (1, 3)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bfloat16", "float16"])
def test_integers_are_exact_and_halves_are_rounded(dtype, ins, groups, stride, platform, planned_for):
    planned_for(platform)
    rng = np.random.default_rng(0)
    x, kernel = (rng.integers(-9, 9, shape) for shape in [(2, ins * groups, 7, 6), (2 * groups, ins, 3, 3)])
    options = {"stride": stride, "padding": 1, "groups": groups}
    exact, _ = gathered.conv(x, kernel, **options)
    made = jax.jit(lambda x, kernel: jc.conv(x, kernel, **options))(
        *(jnp.asarray(a).astype(dtype) for a in (x, kernel))
    )
    assert made.dtype == dtype
    if "float" in dtype:
        np.testing.assert_allclose(np.float64(made), exact, rtol=float(jnp.finfo(dtype).eps))
    else:
        np.testing.assert_array_equal(made, exact.astype(dtype))


def test_a_gpu_needs_no_rewrite_for_the_cache():
    large = {"g": a_geometry((512, 512)), "ins": 64, "outs": 64}
    assert len(plan(a_problem(**large)).rewrites) > 0
    assert plan(a_problem(**large, platform="cuda")).rewrites == ()


# What a GPU is given -------------------------------------------------------------------------------------------------

CONVOLUTION, TRANSFORM, NEITHER = "convolution", "transform", "neither"
# Layers, and what was measured as fastest for the value and for the gradients in x and in the kernel (H200).
MEASURED = {
    "dense 3x3": ((64, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}, [CONVOLUTION] * 3),
    "depthwise 3x3": ((64, 144, 56, 56), (144, 1, 3, 3), {"padding": 1}, [NEITHER] * 3),
    "depthwise 3x3, stride 2": (
        (64, 144, 56, 56),
        (144, 1, 3, 3),
        {"padding": 1, "stride": 2},
        [NEITHER, NEITHER, CONVOLUTION],
    ),
    "depthwise 5x5": ((64, 96, 56, 56), (96, 1, 5, 5), {"padding": 2}, [NEITHER, NEITHER, CONVOLUTION]),
    "depthwise 7x7": ((64, 96, 56, 56), (96, 1, 7, 7), {"padding": 3}, [NEITHER, NEITHER, TRANSFORM]),
    "depthwise 11x11": ((64, 96, 56, 56), (96, 1, 11, 11), {"padding": 5}, [NEITHER, NEITHER, TRANSFORM]),
    "depthwise 31x31": ((32, 64, 56, 56), (64, 1, 31, 31), {"padding": 15}, [TRANSFORM] * 3),
    "depthwise 1-D": ((8, 2048, 4096), (2048, 1, 4), {"padding": "CAUSAL"}, [NEITHER] * 3),
    "depthwise 3-D": ((4, 64, 32, 56, 56), (64, 1, 3, 3, 3), {"padding": 1}, [NEITHER] * 3),
    "grouped": ((64, 128, 56, 56), (128, 4, 3, 3), {"padding": 1}, [CONVOLUTION] * 3),
    "LeNet's first": ((1024, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}, [NEITHER, CONVOLUTION, CONVOLUTION]),
    "LeNet's second": ((1024, 6, 14, 14), (16, 6, 5, 5), {}, [CONVOLUTION] * 3),
    "stem": ((64, 3, 224, 224), (64, 3, 7, 7), {"padding": 3, "stride": 2}, [CONVOLUTION] * 3),
    "dilated": ((32, 256, 28, 28), (256, 256, 3, 3), {"padding": 2, "dilation": 2}, [CONVOLUTION] * 3),
    "depthwise 7x7, bfloat16": ((64, 96, 56, 56), (96, 1, 7, 7), {"padding": 3}, [CONVOLUTION] * 3),
    "depthwise 3x3, bfloat16": ((64, 96, 56, 56), (96, 1, 3, 3), {"padding": 1}, [NEITHER, NEITHER, CONVOLUTION]),
}


def contractions(x, kernel, options, dtype):
    """The value and its two gradients as functions, each with its operands."""
    x, kernel = (jax.ShapeDtypeStruct(shape, dtype) for shape in (x, kernel))
    f = lambda x, kernel: jc.conv(x, kernel, **options, groups=x.shape[1] // kernel.shape[1])
    y = jax.eval_shape(f, x, kernel)
    yield f, (x, kernel)
    yield lambda y, kernel: jax.linear_transpose(lambda x: f(x, kernel), x)(y)[0], (y, kernel)
    yield lambda x, y: jax.linear_transpose(lambda kernel: f(x, kernel), kernel)(y)[0], (x, y)


def lowered(f, operands):
    return export.export(jax.jit(f), platforms=["cuda"])(*operands).mlir_module()


def kind(program):
    found = [CONVOLUTION] * ("stablehlo.convolution" in program) + [TRANSFORM] * ("stablehlo.fft" in program)
    return "and".join(found) or NEITHER


@pytest.mark.parametrize("name", MEASURED)
def test_value_and_gradients_are_of_the_kind_that_was_fastest(name):
    x, kernel, options, fastest = MEASURED[name]
    dtype = "bfloat16" if name.endswith("bfloat16") else "float32"
    with jax.default_matmul_precision("default"):
        programs = [lowered(*each) for each in contractions(x, kernel, options, dtype)]
    assert [kind(program) for program in programs] == fastest
    for program in programs:
        assert "stablehlo.while" not in program
        assert "stablehlo.case" not in program
        for results in re.findall(r"stablehlo\.convolution.* -> tensor<[\dx]*x(\w+)>", program):
            assert results == {"bfloat16": "bf16", "float32": "f32"}[dtype]


@pytest.mark.parametrize(("window", "stride", "by_xla"), [(3, 2, True), (2, 2, True), (5, 1, False)])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_largest_of_strided_windows_is_xlas_and_its_gradient_ours(mode, window, stride, by_xla):
    x = jax.ShapeDtypeStruct((4, 8, 32, 32), "float32")
    pool = lambda x: jc.pool2d(x, window, mode, stride=stride, padding=window // 2 * (stride < window))
    value, gradient = (lowered(f, (x,)) for f in (pool, jax.grad(lambda x: pool(x).sum())))
    assert ("stablehlo.reduce_window" in value) is by_xla
    assert not re.search("stablehlo.(reduce_window|select_and_scatter|scatter|while)", gradient)
    assert not re.search("stablehlo.(scatter|while|case)", value)


POOLED = [row for row in cases.POOLS if row.options.get("mode") in ("max", "min")]


@pytest.mark.parametrize("row", POOLED[::6], ids=str)
def test_a_gradient_through_all_taps_at_once_is_the_gradient_axis_by_axis(row, monkeypatch):
    """A GPU does this for some windows; here it is done for all whose taps lie side by side on several axes."""
    args = row.arguments("float32")
    pool = lambda args: jc.pool(**args, **row.options)
    cotangent = row.random("float32", jax.eval_shape(pool, args).shape, "cotangent")
    results = []
    for at_once in (False, True):
        monkeypatch.setattr(cpu, "pools_at_once", lambda g, at_once=at_once: at_once and gpu.side_by_side(g))
        jax.clear_caches()
        results.append(jax.jit(lambda args, ct: value_and_gradients(pool, args, ct))(args, cotangent))
    assert_close(*results)


@pytest.mark.parametrize("lowest", [False, True])
def test_xlas_reduction_equals_ours(lowest):
    x = np.round(normal(2, 3, 9, 8))
    x[0, 0, 0, 0] = np.nan
    g = geometry("test", (9, 8), (3, 2), stride=(2, 3), dilation=(2, 1))
    ours = jc.pool(x, (3, 2), "min" if lowest else "max", stride=(2, 3), dilation=(2, 1))
    np.testing.assert_array_equal(reduce_by_xla(jnp.asarray(x), g, np.inf if lowest else -np.inf, lowest=lowest), ours)


def test_all_groups_are_one_convolution():
    x, kernel, options, _ = MEASURED["grouped"]
    counts = [
        re.findall(r"(batch|feature)_group_count = (\d+)", lowered(*each))
        for each in contractions(x, kernel, options, "float32")
    ]
    assert counts == [
        [("batch", "1"), ("feature", "32")], [("batch", "1"), ("feature", "32")], [("batch", "32"), ("feature", "1")]
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["auto", "windows", "rows", "shifts", "xla"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_no_product_of_bytes_and_no_convolution_of_integers(dtype, method):
    """XLA's product of int8 is wrong there where the contracted length is no multiple of 4, and cuDNN saturates."""
    x, kernel = (jax.ShapeDtypeStruct(shape, dtype) for shape in [(4, 3, 9, 9), (6, 3, 3, 3)])
    program = lowered(lambda x, kernel: jc.conv(x, kernel, method=method), (x, kernel))
    assert "stablehlo.convolution" not in program
    assert not re.search(r"dot_general.*tensor<[\dx]*u?i8>", program)


# One file more -------------------------------------------------------------------------------------------------------


def by_hand(problem, x, kernel):
    """A correlation at stride 1 that multiplies and adds one number at a time."""
    y = [[0.0] * problem.geometry.out[1] for _ in range(problem.geometry.out[0])]
    padded = jnp.pad(x[0, 0, 0], problem.geometry.padding)
    for i, j in np.ndindex(*problem.geometry.out):
        for s, t in np.ndindex(*problem.geometry.window):
            y[i][j] += padded[i + s, j + t] * kernel[0, 0, 0, s, t]
    return jnp.array(y).reshape(problem.shape("y"))


def test_an_algorithm_is_one_file_and_one_line(monkeypatch):
    toy = Algorithm("toy", by_hand, by_hand, by_hand, can=lambda problem: problem.wanted == "y")
    line = Rule(toy, lambda problem: problem.geometry.size == (4, 4), "it is a toy")
    monkeypatch.setattr(cpu, "RULES", (line, *cpu.RULES))
    chosen = plan(a_problem(a_geometry((4, 4))))
    assert (chosen.algorithm, chosen.why) == (toy, "it is a toy")
    assert plan(a_problem(a_geometry())).algorithm is not toy
    x, kernel = normal(1, 1, 4, 4), normal(1, 1, 3, 3, seed=1)
    exact, _ = gathered.conv(np.float64(x), np.float64(kernel), padding=1)
    assert_close(jax.jit(lambda x, kernel: jc.conv(x, kernel, padding=1))(x, kernel), exact)
    assert_close(jax.jit(lambda x, kernel: jc.conv(x, kernel, padding=1, method="toy"))(x, kernel), exact)


TOY = """
from jaxcnn._engine.algorithms.fft import fft
from jaxcnn._engine.platforms.rule import Rule, always

NAMES, EASIER, PIECES = ("abacus",), (), ()
reduces_by_xla = lambda g: False
POOLING = {"value": ("beads", ""), "definition": ("beads", ""), "gradient": ("beads", "")}
RULES = (Rule(fft, always, "nobody has measured an abacus"),)
"""


def test_a_platform_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(platforms, "__path__", [*platforms.__path__, str(tmp_path)])
    platforms.platforms.cache_clear()
    try:
        chosen = plan(a_problem(a_geometry(), platform="abacus"))
        assert (chosen.algorithm.name, chosen.why) == ("fft", "nobody has measured an abacus")
        told = jc.explain(jc.conv, platform="abacus")(normal(1, 1, 8, 8), normal(1, 1, 3, 3))
        assert "nobody has measured an abacus" in told
    finally:
        platforms.platforms.cache_clear()


# What `explain` says of a plan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
def test_explain_tells_of_the_value_and_of_each_gradient(platform):
    x, kernel = jax.ShapeDtypeStruct((2, 4, 9, 9), "float32"), jax.ShapeDtypeStruct((4, 1, 3, 3), "float32")
    told = jc.explain(jc.conv2d, platform=platform)(x, kernel, groups=4, stride=2).splitlines()
    assert told[0] == f"conv of x (2, 4, 9, 9) and kernel (4, 1, 3, 3), groups=4, stride=2, in float32 on {platform}"
    assert [line.split(":")[0] for line in told[1::2]] == ["  value", "  gradient in x", "  gradient in kernel"]


def test_explain_tells_of_every_call_that_a_function_makes():
    params = jc.lenet.init(jax.random.key(0))
    told = jc.explain(jc.lenet.apply, platform="gpu")(params, jax.ShapeDtypeStruct((3, 1, 28, 28), "float32"))
    calls = [line.split(" ")[0] for line in told.splitlines() if not line.startswith(" ")]
    assert calls == ["conv", "pool", "conv", "pool"]


def test_explain_names_the_method_that_was_asked_for():
    x, kernel = normal(1, 1, 8, 8), normal(1, 1, 3, 3)
    assert "value: rows\n    method='rows'" in jc.explain(jc.conv)(x, kernel, method="rows")
    told = jc.explain(jc.conv, platform="gpu")(x.astype("int8"), kernel.astype("int8"), method="xla")
    assert "method='xla' cannot compute this, or not exactly, on gpu" in told


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jc.explain(3), TypeError, "explain: f must be a function, not int"),
        (
            lambda: jc.explain(jc.conv, platform="npu"),
            ValueError,
            "explain: platform 'npu' is unknown; use one of 'cpu'",
        ),
        (lambda: jc.explain(jnp.sum)(jnp.ones(3)), ValueError, "explain: f 'sum' calls no correlation"),
    ],
)
def test_explain_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
