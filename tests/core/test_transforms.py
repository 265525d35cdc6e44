"""Every operation works under every transformation: checkpoint, export, jvp, hessian, shard_map, vmap."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, normal, run, with_gradients
from jax import export

import jaxcnn as jc
from jaxcnn._engine.platforms import methods

X, K = normal(3, 2, 5, 4), normal(2, 2, 3, 2, seed=1)


def k(x):
    """The kernel in the dtype of x."""
    return K.astype(x.dtype)


INDICES = run(jc.max_pool_with_indices, X, window=(2, 2))[1]

# Functions of one batch, every option of the surface among them.
OPERATIONS = {
    "windows": lambda x: jc.windows(x, (2, 2), stride=(1, 2), padding=1, padding_mode="reflect"),
    "fold": lambda x: jc.fold(jc.windows(x, (2, 2)), (5, 4)),
    "correlate": lambda x: jc.correlate(x, k(x)[0, 0], padding="SAME", padding_mode=("circular", "reflect")),
    "conv": lambda x: jc.conv(x, k(x), jnp.ones(2, x.dtype), stride=2, padding=1, fill=0.5),
    "conv definition": lambda x: jc.conv(x, k(x), padding=1, method="definition"),
    "conv grouped": lambda x: jc.conv(x, k(x)[:, :1], groups=2, dilation=2, padding=2, padding_mode="symmetric"),
    "conv reflect": lambda x: jc.conv(x, k(x), padding=2, padding_mode="reflect"),
    "conv one by one": lambda x: jax.vmap(lambda x: jc.conv(x, k(x)))(x),
    "conv_transpose": lambda x: jc.conv_transpose(x, k(x), stride=2, output_padding=1, dilation=2),
    "conv_transpose definition": lambda x: jc.conv_transpose(x, k(x), stride=2, method="definition"),
    "conv_general_dilated": lambda x: jc.conv_general_dilated(x, k(x), (1, 2), [(2, 0), (1, -1)], (2, 1), (1, 2)),
    "max": lambda x: jc.pool(x, (3, 2), "max", stride=2, padding=(1, 0), dilation=2, ceil_mode=True),
    "max definition": lambda x: jc.pool(x, (3, 2), "max", method="definition"),
    "min": lambda x: jc.pool(x, (2, 2), "min", padding_mode="replicate", padding=1),
    "mean": lambda x: jc.pool(x, (2, 2), "mean", padding=1, count_include_pad=False, ceil_mode=True),
    "lp": lambda x: jc.pool(x, (2, 2), "lp", p=3, dilation=2, stride=1),
    "median": lambda x: jc.pool(x, (3, 2), jnp.median, dilation=(2, 1), stride=1),
    "logsumexp": lambda x: jc.pool(x, (2, 2), jax.nn.logsumexp, axes=(1, 3), stride=1),
    "indices": lambda x: jc.max_pool_with_indices(x, (2, 2))[0],
    "unpool": lambda x: jc.max_unpool(x[..., :2, :2], INDICES[:1] + 0 * x[..., :2, :2].astype(INDICES.dtype), (5, 4)),
    "adaptive": lambda x: jc.adaptive_pool(x, (3, 3), "max"),
    "adaptive mean": lambda x: jc.adaptive_pool(x, (2, 3), "mean"),
}  # fmt: skip
EACH = pytest.mark.parametrize("name", OPERATIONS)


def loss_of(name):
    return lambda x: jnp.sum(jnp.sin(OPERATIONS[name](x)))


@pytest.mark.parametrize("name", list(OPERATIONS)[::3])  # more, of which all sizes are symbolic: test_symbolic_sizes.py
def test_export_with_a_symbolic_batch(name):
    """One exported program of an operation and its gradient serves every batch size."""
    (batch,) = export.symbolic_shape("batch")
    f = jax.jit(with_gradients(OPERATIONS[name]))
    exported = export.export(f)(jax.ShapeDtypeStruct((batch, *X.shape[1:]), X.dtype))
    oracle, of_three, of_one = jax.jit(lambda x: (f(x), exported.call(x), exported.call(x[:1])))(X)
    assert_close(of_three, oracle)
    assert_close(of_one, jax.tree.map(lambda leaf: leaf[:1], oracle))


@EACH
def test_modes_and_orders_of_differentiation(name):
    """Forward, reverse, reverse of a checkpoint and a difference give one slope, and so do those of second order."""
    f, step = loss_of(name), 1e-6

    @jax.jit
    def every(x, along):
        slope = lambda f: lambda x: jax.jvp(f, (x,), (along,))[1]
        forward, twice_forward = jax.jvp(slope(f), (x,), (along,))
        reverse, forward_of_reverse = jax.jvp(jax.grad(f), (x,), (along,))
        first = {"reverse": reverse, "reverse of a checkpoint": jax.grad(jax.checkpoint(f))(x)}
        second = {"forward of reverse": forward_of_reverse, "reverse of forward": jax.grad(slope(f))(x)}
        difference = (f(x + step * along) - f(x - step * along)) / (2 * step)
        return difference, (forward, first), (twice_forward, second)

    with jax.enable_x64(True):
        along = np.random.default_rng(2).normal(size=X.shape)
        difference, *orders = every(X.astype(float), along)
        np.testing.assert_allclose(difference, orders[0][0], rtol=1e-5, atol=1e-6)
        for oracle, gradients in orders:
            for mode, gradient in gradients.items():
                np.testing.assert_allclose(np.vdot(gradient, along), oracle, rtol=1e-9, atol=1e-9, err_msg=mode)


# Functions of arguments in each of which there is a gradient.
OF_ARGUMENTS = {
    "conv": lambda x, kernel, bias, fill: jc.conv(x, kernel, bias, padding=1, fill=fill),
    "conv_transpose": lambda x, kernel, bias, fill: fill * jc.conv_transpose(x, kernel, bias),
    "correlate": lambda x, kernel, bias, fill: jc.correlate(x, kernel[0, 0], padding=(1, 2), fill=fill),
    "windows": lambda x, kernel, bias, fill: jc.windows(x, (2, 2), padding=1, fill=fill),
    "max": lambda x, kernel, bias, fill: jc.pool(x, (2, 2), "max", padding=1, fill=fill),
    "mean": lambda x, kernel, bias, fill: jc.pool(x, (2, 2), "mean", padding=1, fill=fill),
    "median": lambda x, kernel, bias, fill: jc.pool(x, (3, 2), jnp.median, padding=1, fill=fill),
}


@pytest.mark.parametrize("name", OF_ARGUMENTS)
def test_a_single_gradient_equals_that_of_all_together(name):
    loss = lambda *args: jnp.sum(jnp.sin(OF_ARGUMENTS[name](*args)))
    args = X, K, np.array([0.5, -1], np.float32), np.array(0.25, np.float32)

    @jax.jit
    def alone_and_together(*args):
        places = range(len(args))
        return tuple(jax.grad(loss, i)(*args) for i in places), jax.grad(loss, places)(*args)

    assert_close(*alone_and_together(*args))


def dense(x, kernel):
    """A layer whose channels and maps are large enough for any platform's own convolution."""
    return jc.conv(x, kernel, stride=2, padding=1)


def test_export_for_two_platforms():
    """The algorithm is chosen by the platform that a program is lowered for."""
    (batch,) = export.symbolic_shape("batch")
    x, kernel = normal(3, 8, 9, 9), normal(8, 8, 3, 3, seed=1)
    shapes = jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), jax.ShapeDtypeStruct(kernel.shape, kernel.dtype)
    f = jax.jit(with_gradients(dense))
    exported = export.export(f, platforms=("cpu", "cuda"))(*shapes)
    assert exported.mlir_module().count("stablehlo.convolution") == 3
    assert_close(*jax.jit(lambda *args: (exported.call(*args), f(*args)))(x, kernel))
    assert "stablehlo.convolution" not in export.export(f, platforms=("cpu",))(*shapes).mlir_module()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "complex64"])
def test_gradients_of_any_dtype_are_lowered_for_a_gpu(dtype):
    with jax.enable_x64(True):
        shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape in [(2, 8, 9, 9), (8, 8, 3, 3)]]
        lowered = export.export(jax.jit(with_gradients(dense)), platforms=("cuda",))(*shapes)
        assert {aval.dtype for aval in lowered.out_avals} == {jnp.dtype(dtype)}


# One program on a mesh of devices ------------------------------------------------------------------------------------

MESH = jax.sharding.Mesh(np.array(jax.devices("cpu")[:1]), ("data",))
SPLIT, WHOLE = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()
LAYERS = {
    "conv": lambda x, kernel, method: jc.conv(x, kernel, stride=2, padding=1, method=method),
    "conv grouped": lambda x, kernel, method: jc.conv(x, kernel[:, :1], groups=2, method=method),
    "conv_transpose": lambda x, kernel, method: jc.conv_transpose(x, kernel, stride=2, method=method),
    "max": lambda x, kernel, method: jc.pool(jc.conv(x, kernel, method=method), (2, 2), "max", stride=1),
}


def spread(f, out):
    """f on the part of the samples that a device has, and on the whole kernel."""
    return jax.shard_map(f, mesh=MESH, in_specs=(SPLIT, WHOLE), out_specs=out)


@pytest.mark.parametrize("name", LAYERS)
def test_shard_map_over_the_samples(name):
    f = partial(LAYERS[name], method="auto")

    @jax.jit
    def every(x, kernel):
        inside = spread(with_gradients(f), (SPLIT, (SPLIT, WHOLE)))(x, kernel)
        return inside, with_gradients(spread(f, SPLIT))(x, kernel), with_gradients(f)(x, kernel)

    inside, outside, oracle = every(X, K)
    assert_close(inside, oracle)
    assert_close(outside, oracle)


@pytest.mark.parametrize(
    ("name", "method"), [*(("conv", method) for method in methods()), *((name, "auto") for name in LAYERS)]
)
def test_shard_map_knows_what_varies(name, method):
    """A result differs between devices; the gradient in the kernel is summed over them, once."""
    f = partial(LAYERS[name], method=method)
    with pytest.raises(ValueError, match="out_specs"):
        jax.eval_shape(spread(f, WHOLE), X, K)
    program = jax.jit(spread(with_gradients(f), (SPLIT, (SPLIT, WHOLE)))).lower(X, K).as_text()
    assert program.count("stablehlo.all_reduce") == 1


def test_vmap_of_unpooling():
    unpool = lambda x, index: jc.max_unpool(x, index, (5, 4))
    assert_close(*jax.jit(lambda *args: (jax.vmap(unpool)(*args), unpool(*args)))(X[..., :2, :2], INDICES))
