"""`accelerate(f)` has the values and gradients of f, through every transformation of JAX, and touches nothing else."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, equations, run
from jax import lax

import jaxcnn as jc

accelerate = partial(jc.accelerate, platform="cpu")  # whose rules leave none of these layers to XLA
X, K = np.random.default_rng(0).normal(size=(2, 3, 7, 6)), np.random.default_rng(1).normal(size=(3, 3, 3, 3)) / 5
X32, K32 = X.astype("float32"), K.astype("float32")


def layer(x, kernel):
    return jnp.tanh(lax.conv_general_dilated(x, kernel, (1, 1), "SAME"))


def convolved(x, kernel):
    return lax.conv(x, kernel, (1, 1), "SAME")


def max_pool(x, window=(1, 1, 3, 2), stride=(1, 1, 2, 1), **options):
    return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, "SAME", **options)


def channels_last(x, kernel):
    x, kernel = jnp.moveaxis(x, 1, -1), jnp.transpose(kernel, (2, 3, 1, 0))
    y = lax.conv_general_dilated(x, kernel, (2, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 1, 1), "VALID")


def transposed(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), [(1, 2), (2, 2)], lhs_dilation=(2, 3))


def of_groups(x, kernel):
    y = lax.conv_general_dilated(x, kernel[:, :1], (2, 1), [(1, 0), (0, 2)], rhs_dilation=(1, 2), feature_group_count=3)
    samples = x[:, :, :4].reshape(6, 1, 4, 6)
    return y.sum() + jnp.sin(lax.conv_general_dilated(samples, kernel[:, :1], (1, 1), "VALID", batch_group_count=3))


def reductions(x, kernel):
    kept = max_pool(x), -lax.reduce_window(-x, jnp.inf, lax.min, (1, 1, 2, 3), None, [(0, 0), (0, 0), (1, 0), (0, 2)])
    sums = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 2), (1, 1, 2, 1), "VALID", window_dilation=(1, 1, 2, 1))
    spread = max_pool(x, base_dilation=(1, 1, 2, 1))
    return sum(jnp.sum(jnp.sin(each)) for each in (*kept, sums, spread))


def any_reducers(x, kernel):
    """lax has no gradient of these; theirs are compared elsewhere."""
    x = lax.stop_gradient(x)
    others = (1.0, lax.mul), (0.5, lax.max), (0.25, lax.add), (2.0, lambda a, b: a * b), (0.0, lambda a, b: a + 2 * b)
    reduced = [lax.reduce_window(x, start, f, (1, 1, 2, 2), (1, 1, 1, 2), "SAME") for start, f in others]
    places = lax.broadcasted_iota(x.dtype, x.shape, 3)
    larger = lambda a, b: jax.tree.map(partial(jnp.where, a[0] >= b[0]), a, b)
    best = lax.reduce_window((x, places), (-jnp.inf, 0.0), larger, (1, 1, 1, 3), None, "VALID")
    return reduced, best


def in_scan(x, kernel):
    return lax.scan(lambda x, scale: (layer(x, scale * kernel), max_pool(x).sum()), x, jnp.arange(3.0, dtype=x.dtype))


def in_while(x, kernel):
    """Without a gradient, as while has none."""
    x, kernel = lax.stop_gradient((x, kernel))
    step = lambda state: (state[0] + 1, layer(state[1], kernel))
    return lax.while_loop(lambda state: max_pool(state[1]).sum() + state[0] < 70, step, (0, x))[1]


def in_cond(x, kernel):
    branches = [lambda x: layer(x, kernel), lambda x: x, lambda x: layer(layer(x, kernel), kernel)]
    return lax.cond(x.sum() > 0, *branches[:2], x) + lax.switch(2, branches, x)


def in_remat(x, kernel):
    saving = jax.checkpoint(layer, policy=jax.checkpoint_policies.dots_saveable)
    return saving(jax.checkpoint(layer)(x, kernel), kernel)


@jax.custom_jvp
def with_a_jvp(x, kernel):
    return layer(x, kernel)


@with_a_jvp.defjvp
def _(primals, tangents):
    (x, kernel), (along_x, along_kernel) = primals, tangents
    y = layer(x, kernel)
    return y, (1 - y**2) * (layer(x, kernel) + lax.conv(along_x, kernel, (1, 1), "SAME") + along_kernel.sum())


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def with_a_vjp(x, kernel, padding):
    return lax.conv(x, kernel, (1, 1), padding)


def _forward(x, kernel, padding):
    return layer(x, kernel), (x, kernel)


def _backward(padding, residuals, along):
    _, kernel = residuals
    return lax.conv(along, kernel, (1, 1), padding), None


with_a_vjp.defvjp(_forward, _backward)


@jax.custom_vjp
def with_saved_residuals(x, kernel):
    return layer(x, kernel)


with_saved_residuals.defvjp(
    lambda x, kernel: _forward(x, kernel, "SAME"), partial(_backward, "SAME"), optimize_remat=True
)


def of_custom_derivatives(x, kernel):
    y = with_a_vjp(with_a_jvp(x, kernel), kernel, "SAME") + jax.jit(with_a_jvp)(jax.nn.relu(x), kernel)
    return with_saved_residuals(y, kernel)


def solved(x, kernel):
    """y + layer(y) / 10 = x for y, and its adjoint."""

    def steps(f, b):
        return lax.fori_loop(0, 3, lambda _, y: y - (f(y) - b), b)

    f = lambda y: y + lax.conv(y, kernel, (1, 1), "SAME") / 10
    return lax.custom_linear_solve(f, x, steps, transpose_solve=steps)


@partial(jax.custom_batching.custom_vmap)
def with_a_vmap(x, kernel):
    return layer(x, kernel)


@with_a_vmap.def_vmap
def _(size, mapped, x, kernel):
    return jax.vmap(layer, [0 if each else None for each in mapped])(x, kernel), True


MESH = jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Auto,))


def on_a_mesh(x, kernel):
    specs = {"mesh": MESH, "in_specs": (jax.P("samples"), jax.P()), "out_specs": (jax.P("samples"), jax.P())}
    both = lambda x, kernel: (max_pool(layer(x, kernel)), lax.psum(layer(x, kernel).sum(), "samples"))
    return jax.shard_map(both, **specs)(x, kernel)


def mapped(x, kernel):
    xs, kernels = jnp.stack([x, 2 * x]), jnp.stack([kernel, 3 * kernel])
    both = (
        jax.vmap(layer)(xs, kernels),
        jax.vmap(layer, (1, None), 2)(xs, kernel),
        jax.vmap(layer, (None, 0))(x, kernels),
    )
    return both, jax.vmap(max_pool, 3)(xs), lax.map(max_pool, xs)


FUNCTIONS = {
    "a layer": layer,
    "channels last": channels_last,
    "transposed": transposed,
    "groups": of_groups,
    "reductions": reductions,
    "any reducers": any_reducers,
    "jit": lambda x, kernel: jax.jit(lambda x, *, kernel: layer(layer(x, kernel), kernel))(x, kernel=kernel),
    "scan": in_scan,
    "while": in_while,
    "cond": in_cond,
    "remat": in_remat,
    "custom derivatives": of_custom_derivatives,
    "linear solve": solved,
    "custom vmap": lambda x, kernel: with_a_vmap(x, kernel),
    "shard_map": on_a_mesh,
    "vmap": mapped,
    "gradients": lambda x, kernel: jax.grad(lambda x: layer(x, kernel).sum() + max_pool(x).sum())(x),
    "two poolings of one map": lambda x, kernel: jax.grad(
        lambda x: jnp.sin(max_pool(x)).sum() * max_pool(x, (1, 1, 2, 2)).sum()
    )(x),
    "tangents": lambda x, kernel: jax.jvp(lambda x: max_pool(layer(x, kernel)), (x,), (jnp.cos(x),)),
}  # fmt: skip
WITHOUT_GRADIENT = {"any reducers", "while", "custom vmap"}
# lax's own equations that stay: of a reducer that we do not know, and a rule of vmap, which is not run.
STAYS = {"any reducers": 2}


def loss_of(f):
    return lambda *args: sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(f(*args)))


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name, x64):
    """Accelerated before the gradient is taken, and after it."""
    f = FUNCTIONS[name]
    gradient = (lambda f: f) if name in WITHOUT_GRADIENT else lambda f: jax.grad(loss_of(f), (0, 1))

    @jax.jit
    def every(*args):
        oracle = f(*args), gradient(f)(*args)
        return oracle, (accelerate(f)(*args), accelerate(gradient(f))(*args)), gradient(accelerate(f))(*args)

    oracle, before, after = every(X, K)
    assert_close((before, after), (oracle, oracle[1]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_equation_is_replaced(name, x64):
    f = FUNCTIONS[name] if name in WITHOUT_GRADIENT else jax.grad(loss_of(FUNCTIONS[name]))
    left = [eqn for eqn in equations(jax.make_jaxpr(accelerate(f))(X, K)) if is_of_windows(eqn)]
    assert len(left) == STAYS.get(name, 0)


def is_of_windows(eqn):
    return eqn.primitive.name.startswith(("conv_general", "reduce_window", "select_and_"))


def without_windows(x, kernel):
    y = jax.checkpoint(jnp.sin)(jax.nn.relu(x)) + lax.scan(lambda c, _: (jax.jit(jnp.cos)(c), None), x, length=2)[0]
    y = lax.cond(y.sum() > 0, lambda y: y, jnp.negative, y)
    y = lax.fori_loop(0, 3, lambda i, y: y + jnp.cumsum(y, 0), y)
    spread = jax.shard_map(jax.nn.silu, mesh=MESH, in_specs=jax.P("samples"), out_specs=jax.P("samples"))
    return spread(y).sum() + jnp.linalg.solve(jnp.eye(3), kernel[0, 0]).sum(), jax.random.key(0)


def test_nothing_else_is_changed():
    text = [str(jax.make_jaxpr(f)(X, K)) for f in (without_windows, accelerate(without_windows))]
    assert text[0] == text[1]


def test_what_xla_computes_best_stays_lax():
    """On a GPU a dense layer and its gradients; a depthwise layer in the same model is replaced."""
    arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in ((8, 64, 56, 56), (64, 64, 3, 3), (64, 1, 3, 3))]
    dense = lambda x, kernel, _: lax.conv(x, kernel, (1, 1), "SAME").sum()
    both = lambda x, kernel, thin: lax.conv_general_dilated(
        lax.conv(x, kernel, (1, 1), "SAME"), thin, (1, 1), "SAME", feature_group_count=64
    )
    for f in (dense, jax.grad(dense, (0, 1))):
        assert str(jax.make_jaxpr(jc.accelerate(f, platform="gpu"))(*arrays)) == str(jax.make_jaxpr(f)(*arrays))
    names = [eqn.primitive.name for eqn in equations(jax.make_jaxpr(jc.accelerate(both, platform="gpu"))(*arrays))]
    assert names.count("conv_general_dilated") == names.count("jaxcnn_contraction") == 1


def test_gradients_before_and_after_are_the_same_contractions():
    """The gradient in a kernel is written by lax as a correlation with a whole map, and is recognised."""

    def loss(x, kernel, thin):
        y = lax.conv_general_dilated(x, thin, (2, 2), "SAME", feature_group_count=4)
        return jnp.sin(lax.conv_general_dilated(y, kernel, (1, 1), [(1, 2)] * 2, lhs_dilation=(2, 2))).sum()

    arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in ((2, 4, 24, 24), (8, 4, 3, 3), (4, 1, 5, 5))]
    gradient = partial(jax.grad, argnums=(0, 1, 2))
    found = []
    for f in (accelerate(gradient(loss)), gradient(accelerate(loss))):
        eqns = [eqn for eqn in equations(jax.make_jaxpr(f)(*arrays)) if eqn.primitive.name == "jaxcnn_contraction"]
        taps = [(max(eqn.params["geometry"].window), eqn.outvars[0].aval.size) for eqn in eqns]
        found.append(sorted(taps))
    assert found[0] == found[1]


# What goes in and out ------------------------------------------------------------------------------------------------


def test_trees_numbers_and_names():
    def model(params, x, *, rate, training, names=("a",), key=None):
        """A model."""
        assert isinstance(rate, float)
        assert training is True
        assert names == ["b", None]
        y = lax.conv(x, params["kernel"], (1, 1), "SAME") + BIAS
        kept = jax.random.bernoulli(key, 1 - rate, y.shape)
        mean = y.mean((0, 2, 3), keepdims=True)
        state = {"mean": mean, "none": None, "name": names[0], "steps": 3, "f": jnp.sin}
        return jnp.where(kept, (y - mean) * lax.rsqrt(y.var() + 1e-3), 0), state

    BIAS = jnp.ones((1, 3, 1, 1))
    args = {"kernel": K32, "unused": None}, X32
    options = {"rate": 0.5, "training": True, "names": ["b", None], "key": jax.random.key(0)}
    (ours, state), (theirs, expected) = accelerate(model)(*args, **options), model(*args, **options)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(state.pop("mean"), expected.pop("mean"), atol=1e-5)
    assert state == expected
    assert accelerate(model).__name__ == "model"
    assert accelerate(model).__doc__ == "A model."
    assert inspect.signature(accelerate(model)) == inspect.signature(model)


def test_static_and_donated_arguments_of_a_jitted_function():
    @partial(jax.jit, static_argnums=1, donate_argnums=0, static_argnames="scale")
    def step(x, padding, kernel, *, scale=1):
        return x + scale * lax.conv(x, kernel, (1, 1), padding)

    x, expected = jnp.asarray(X32), X32 + 2 * lax.conv(X32, K32, (1, 1), "SAME")
    (eqn,) = jax.make_jaxpr(lambda x: accelerate(step)(x, "SAME", K32, scale=2))(x).eqns
    assert eqn.params["name"] == "step"
    assert eqn.params["donated_invars"].count(True) == 1
    np.testing.assert_allclose(accelerate(step)(x, "SAME", K32, scale=2), expected, atol=1e-5)
    assert x.is_deleted()


def test_a_function_that_is_called_twice_stays_one():
    inner = jax.jit(layer)
    eqns = jax.make_jaxpr(accelerate(lambda x, k: inner(inner(x, k), k)))(X, K).eqns
    calls = [eqn.params["jaxpr"] for eqn in eqns if eqn.primitive.name in ("jit", "pjit")]
    assert len(calls) == 2
    assert calls[0] is calls[1]


def test_pmap():
    mapped = partial(jax.pmap, in_axes=(0, None))
    for f in (accelerate(mapped(layer)), mapped(accelerate(layer))):
        assert_close(f(X32[None], K32), mapped(layer)(X32[None], K32))


def test_export_with_a_symbolic_batch():
    (batch,) = jax.export.symbolic_shape("batch")
    f = lambda x: jax.value_and_grad(lambda k: max_pool(layer(x, k)).sum())(K32)
    shape = jax.ShapeDtypeStruct((batch, *X.shape[1:]), "float32")
    exported = jax.export.export(jax.jit(accelerate(f)))(shape)
    assert_close(exported.call(X32), run(f, X32))


# lax itself refuses the first two; the third has a mesh of its own.
NOT_OF_NAMED_SAMPLES = {"groups", "vmap", "shard_map"}
OF_NAMED_SAMPLES = {name: f for name, f in FUNCTIONS.items() if name not in NOT_OF_NAMED_SAMPLES} | {
    "depthwise": lambda x, kernel: lax.conv_general_dilated(x, kernel[:, :1], (2, 1), "SAME", feature_group_count=3)
}


@pytest.mark.parametrize("name", OF_NAMED_SAMPLES)
def test_a_named_sharding_stays(name):
    """Where the type of an array names its sharding, results and gradients have lax's types, and all is replaced."""
    f = OF_NAMED_SAMPLES[name]
    with jax.set_mesh(jax.make_mesh((1,), ("samples",), axis_types=(jax.sharding.AxisType.Explicit,))):
        x, kernel = (jax.device_put(a, spec) for a, spec in ((X32, jax.P("samples")), (K32, jax.P())))
        gradient = jax.grad(loss_of(f), (0, 1))
        pairs = [(f, accelerate(f))]
        if name not in WITHOUT_GRADIENT:
            pairs += [(gradient, accelerate(gradient)), (gradient, jax.grad(loss_of(accelerate(f)), (0, 1)))]
        for theirs, ours in pairs:
            expected, made = (jax.make_jaxpr(each)(x, kernel) for each in (theirs, ours))
            assert [str(aval) for aval in made.out_avals] == [str(aval) for aval in expected.out_avals]
            assert sum(map(is_of_windows, equations(made))) <= STAYS.get(name, 0)


def test_numbers_of_a_byte():
    """As near as lax comes to the sum in float32; a dtype without a zero, which padding needs, stays with lax."""
    x, kernel = (jnp.abs(jnp.asarray(a, jnp.float8_e4m3fn)) for a in (X, K))
    ours, theirs = (f(x, kernel).astype("float32") for f in (accelerate(convolved), convolved))
    assert_close(ours, theirs, 2**-3 * np.abs(theirs).max())
    for dtype, count in ((jnp.float8_e4m3fn, 1), (jnp.float8_e8m0fnu, 0)):
        traced = jax.make_jaxpr(accelerate(convolved))(x.astype(dtype), kernel.astype(dtype))
        assert [eqn.primitive.name for eqn in equations(traced)].count("jaxcnn_contraction") == count


def test_an_unknown_primitive_is_passed_through():
    """With the convolution within."""
    convolve = lambda kernel, x: lax.conv(x, kernel, (1, 1), "SAME")
    f = lambda x, kernel: jax.custom_derivatives.linear_call(convolve, convolve, kernel, layer(x, kernel))
    assert_close(run(accelerate(f), X32, K32), run(f, X32, K32))
    names = [eqn.primitive.name for eqn in equations(jax.make_jaxpr(accelerate(f))(X32, K32))]
    assert names.count("conv_general_dilated") >= names.count("jaxcnn_contraction") == 1


def test_ours_in_place_of_lax(monkeypatch):
    """Does not call itself, where XLA's own operators are what computes it."""
    args = X32, K32
    f = lambda x, kernel: jc.pool(jc.conv(x, kernel, method="xla"), (2, 2), "max")
    expected = run(f, *args)
    monkeypatch.setattr(lax, "conv_general_dilated", jc.conv_general_dilated)
    monkeypatch.setattr(lax, "reduce_window", jc.reduce_window)
    assert_close(run(lambda *args: f(*args), *args), expected)
    through_lax = lambda x, kernel: lax.conv_general_dilated(x, kernel, (1, 1), "SAME")
    assert_close(run(accelerate(through_lax), *args), run(jc.conv, *args, padding="SAME"))


def test_every_layer_is_explained():
    arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in ((4, 64, 56, 56), (64, 64, 3, 3), (64, 1, 3, 3))]

    def model(x, kernel, thin):
        y = lax.conv(max_pool(x), kernel, (1, 1), "SAME")
        return lax.conv_general_dilated(y, thin, (1, 1), "SAME", feature_group_count=64)

    told = jc.accelerate(model, platform="gpu", explain=True)(*arrays).splitlines()
    heads = [line for line in told if not line.startswith(" ")]
    assert [head.partition(" ")[0] for head in heads] == ["reduce_window_max", *["conv_general_dilated"] * 2]
    assert ["stays lax's own" in head for head in heads] == [False, True, False]
    assert told[-2] == "  value: shifts"
    assert told[-1].startswith("    depthwise 3x3: ")
    assert jc.accelerate(jnp.sin, explain=True)(1.0) == ""


@pytest.mark.parametrize("f", [3, None, jnp.ones(3)], ids=["int", "None", "array"])
def test_what_is_no_function_is_refused(f):
    with pytest.raises(
        TypeError, match=r"^accelerate: f must be a function, not .*; pass e\.g\. a model's forward pass"
    ):
        jc.accelerate(f)


def test_an_unknown_platform_is_refused():
    with pytest.raises(ValueError, match=r"^accelerate: platform 'abacus' is unknown; use one of 'cpu'"):
        jc.accelerate(layer, platform="abacus")
