"""Derivatives of any order and vmaps of a contraction are contractions, and have lax's numbers."""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from checks import assert_close, equations, normal, run_both

import jaxcnn as jc

# Arrays that fit both operations; in those of several, the mapped axis is the last of xs and the second of kernels.
X, K = normal(2, 4, 5, 4, dtype="float64"), normal(4, 2, 3, 2, dtype="float64", seed=1)
XS, KERNELS = normal(2, 4, 5, 4, 3, dtype="float64"), normal(4, 3, 2, 3, 2, dtype="float64", seed=1)
CONV = {"stride": (2, 1), "padding": ((2, 0), (-1, 2)), "groups": 2}
TRANSPOSE = {"stride": (2, 3), "padding": (1, 0), "groups": 2}


def lax_transpose(x, kernel):
    """Zeros between the cells, and the kernel flipped, its channels swapped in each group."""
    groups, window = TRANSPOSE["groups"], kernel.shape[2:]
    kernel = jnp.flip(kernel, (2, 3)).reshape(groups, -1, kernel.shape[1], *window).swapaxes(1, 2)
    pads = [(k - 1 - p, k - 1 - p) for k, p in zip(window, TRANSPOSE["padding"], strict=True)]
    return jax.lax.conv_general_dilated(
        x, kernel.reshape(-1, kernel.shape[2], *window), (1, 1), pads, TRANSPOSE["stride"], feature_group_count=groups
    )


# Our function, lax's, and the array that is wanted.
OPERATIONS = {
    "conv": (lambda x, kernel: jc.conv(x, kernel, **CONV), lambda x, k: oracles.lax_conv(x, k, **CONV), "y"),
    "conv_transpose": (lambda x, kernel: jc.conv_transpose(x, kernel, **TRANSPOSE), lax_transpose, "x"),
}
EACH = pytest.mark.parametrize("name", OPERATIONS)


def loss(f):
    return lambda x, kernel: jnp.sum(jnp.sin(f(x, kernel)))


def gradients(f):
    return jax.grad(loss(f), (0, 1))


# What is made of a function f(x, kernel), and of arrays x and kernel.
DERIVATIVES = {
    "value": lambda f, *args: f(*args),
    "gradients": lambda f, *args: gradients(f)(*args),
    "forward": lambda f, *args: jax.jvp(f, args, tuple(1 - 2 * a for a in args)),
    "forward in x": lambda f, x, kernel: jax.jvp(lambda x: f(x, kernel), (x,), (1 - x,)),
    "forward in kernel": lambda f, x, kernel: jax.jvp(lambda kernel: f(x, kernel), (kernel,), (1 - kernel,)),
    "second order": lambda f, *args: jax.jvp(gradients(f), args, tuple(1 - 2 * a for a in args)),
    "hessian": lambda f, *args: jax.hessian(loss(f), (0, 1))(*args),
    "third order": lambda f, *args: jax.grad(lambda *a: jnp.sum(jnp.cos(gradients(f)(*a)[0])), (0, 1))(*args),
    "checkpoint": lambda f, *args: gradients(jax.checkpoint(f))(*args),
    "linear transpose": lambda f, x, kernel: jax.linear_transpose(lambda x: f(x, kernel), x)(jnp.cos(f(x, kernel))),
}

MAPS = {
    "x": lambda f, xs, kernels: jax.vmap(f, (-1, None))(xs, kernels[:, 0]),
    "kernel": lambda f, xs, kernels: jax.vmap(f, (None, 1))(xs[..., 0], kernels),
    "both": lambda f, xs, kernels: jax.vmap(f, (-1, 1))(xs, kernels),
    "each with each": lambda f, xs, kernels: jax.vmap(jax.vmap(f, (-1, None)), (None, 1))(xs, kernels),
    "out last": lambda f, xs, kernels: jax.vmap(f, (-1, 1), -1)(xs, kernels),
}


@EACH
def test_derivatives(name):
    part = {"hessian": (slice(1), slice(None), slice(3), slice(3))}  # it has two axes for each axis of x
    every = lambda f, *args: {made: DERIVATIVES[made](f, args[0][part.get(made, ...)], args[1]) for made in DERIVATIVES}
    assert_as_lax(name, every, X, K)


@EACH
def test_maps_of_the_value_and_of_the_gradients(name):
    every = lambda f, *args: {over: (mapped(f, *args), mapped(gradients(f), *args)) for over, mapped in MAPS.items()}
    assert_as_lax(name, every, XS, KERNELS)


def assert_as_lax(name, made, *arrays):
    ours, theirs, _ = OPERATIONS[name]
    with jax.enable_x64(True):
        assert_close(*run_both(partial(made, theirs), partial(made, ours), *arrays))


# What the program is made of ------------------------------------------------------------------------------------------


def program(f, *arrays, told="wanted"):
    """One parameter of each contraction in f, and the names of its other primitives."""
    found = list(equations(jax.make_jaxpr(f)(*arrays)))
    contractions = [eqn.params[told] for eqn in found if "wanted" in eqn.params]
    return contractions, {eqn.primitive.name for eqn in found if "wanted" not in eqn.params}


# Primitives that sum products, or that loop or scatter.
COSTLY = {"conv_general_dilated", "dot_general", "reduce_window_sum", "gather", "scatter-add", "scan", "while", "cond"}


@pytest.mark.parametrize("made", DERIVATIVES)
@EACH
def test_nothing_else_is_computed(name, made):
    ours, _, wanted = OPERATIONS[name]
    contractions, others = program(lambda *args: DERIVATIVES[made](ours, *args), X, K)
    assert wanted in contractions
    assert set(contractions) <= {"y", "x", "kernel"}
    assert not others & COSTLY


@EACH
def test_a_gradient_is_one_contraction_more(name):
    """The value is one of the three, its gradients are the two others."""
    ours, _, wanted = OPERATIONS[name]
    assert program(ours, X, K)[0] == [wanted]
    assert sorted(program(gradients(ours), X, K)[0]) == ["kernel", "x", "y"]
    assert len(program(jax.grad(loss(ours), 1), X, K)[0]) == 2


@pytest.mark.parametrize("told", ["method", "precision"])
def test_method_and_precision_hold_for_the_derivatives(told):
    said = {"method": "windows", "precision": jax.lax.Precision.HIGH}
    f = lambda *args: jax.hessian(loss(lambda x, kernel: jc.conv(x, kernel, **CONV, **said)), (0, 1))(*args)
    assert set(program(f, X, K, told=told)[0]) == {said[told]}


@pytest.mark.parametrize("over", MAPS)
@EACH
def test_a_map_is_one_contraction(name, over):
    ours, _, wanted = OPERATIONS[name]
    contractions, others = program(lambda *args: MAPS[over](ours, *args), XS, KERNELS)
    assert contractions == [wanted]
    assert not others & COSTLY


@pytest.mark.parametrize("over", MAPS)
@EACH
def test_a_map_over_nothing(name, over):
    """The same shapes as over 7, a number that no other side has, with 0 in its place."""
    many, f = 7, OPERATIONS[name][0]

    def shapes(number):
        xs, kernels = np.zeros((2, 4, 5, 4, number or 1)), np.zeros((4, number or 1, 2, 3, 2))
        xs, kernels = (array if over == other else array[at] for array, other, at in (
            (xs, "kernel", (..., slice(number))), (kernels, "x", (slice(None), slice(number)))))  # fmt: skip
        both = jax.eval_shape(lambda *args: (MAPS[over](f, *args), MAPS[over](gradients(f), *args)), xs, kernels)
        return [leaf.shape for leaf in jax.tree.leaves(both)]

    assert shapes(0) == [tuple(0 if side == many else side for side in shape) for shape in shapes(many)]


def test_each_gradient_has_the_dtype_of_its_operand():
    """Also where the result, and so its cotangent, has a wider dtype."""
    halves = [each.astype(jnp.bfloat16) for each in (X, K)]
    widened = lambda x, kernel, method: jc.conv(x, kernel, **CONV, method=method, preferred_element_type=jnp.float32)

    @jax.jit
    def every(*args):
        ways = {method: gradients(partial(widened, method=method))(*args) for method in cases.CONTRACTIONS}
        return ways, gradients(OPERATIONS["conv"][0])(*(each.astype(jnp.float32) for each in args))

    results, exact = every(*halves)
    for method, result in results.items():
        for ours, wide in zip(result, exact, strict=True):
            assert ours.dtype == jnp.bfloat16
            largest = np.abs(wide).max() * 2**-8
            np.testing.assert_allclose(np.float32(ours), wide, rtol=0, atol=largest, err_msg=method)
