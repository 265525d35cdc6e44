"""Every operation and its gradient give the same in every mode of JAX and through each of its interpreters."""

import functools
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, equations, with_gradients
from jax import lax
from jax.experimental import checkify
from jax.experimental.jet import jet
from jax.extend.core import jaxpr_as_fun
from test_transforms import OPERATIONS, K, X

import jaxcnn as jc


def in_threads(f, x):
    """f(x) in three threads at once."""
    results = [None] * 3

    def work(i):
        results[i] = f(x)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results[-1]


def under(context, f, x):
    with context:
        return f(x)


def donated(f, x):
    return jax.jit(f, donate_argnums=0)(jnp.array(x))


def checked(f, x):
    error, result = checkify.checkify(jax.jit(f), errors=checkify.float_checks)(x)
    error.throw()
    return result


def linearized(f, x):
    """The value and its gradients by linearization and transposition in place of reverse mode."""
    value, slope = jax.linearize(lambda x: f(x)[0], x)
    return value, jax.linear_transpose(slope, x)(jnp.sin(value))


MODES = {
    "disable_jit": lambda f, x: under(jax.disable_jit(), f, jnp.array(x)),
    "debug_infs, eager": lambda f, x: under(jax.debug_infs(True), f, x),
    "debug_nans": lambda f, x: under(jax.debug_nans(True), jax.jit(f), x),
    "debug_infs": lambda f, x: under(jax.debug_infs(True), jax.jit(f), x),
    "linearize": linearized,
    "checking_leaks": lambda f, x: under(jax.checking_leaks(), jax.jit(f), x),
    "enable_checks": lambda f, x: under(jax.enable_checks(True), jax.jit(f), x),
    "transfer_guard": lambda f, x: under(jax.transfer_guard("disallow"), jax.jit(f), x),
    "from its jaxpr": lambda f, x: jax.jit(jaxpr_as_fun(jax.make_jaxpr(f)(x)))(x),
    "donation": donated,
    "threads": lambda f, x: in_threads(jax.jit(f), x),
    "checkify": checked,
    "closure_convert": lambda f, x: jax.closure_convert(f, x)[0](x),
    "scan": lambda f, x: jax.tree.map(lambda a: a[0], lax.scan(lambda c, x: (c, f(x)), 0, x[None])[1]),
    "cond": lambda f, x: jax.jit(lambda x: lax.cond(x[0, 0, 0, 0] < 9, f, f, x))(x),
    "pmap": lambda f, x: jax.tree.map(lambda a: a[0], jax.pmap(f)(x[None])),
    "custom_batching": lambda f, x: jax.tree.map(lambda a: a[0], lax.map(f, x[None], batch_size=1)),
}
# A mode treats all operations of a kind alike; the first two run eagerly, where more can differ.
SOME = ("conv", "max")
MORE = (*SOME, "indices", "adaptive mean")


@functools.cache
def oracle(name):
    return jax.jit(with_gradients(OPERATIONS[name]))(jnp.asarray(X))


@pytest.mark.parametrize(
    ("mode", "name"), [(mode, name) for mode in MODES for name in (MORE if mode in list(MODES)[:2] else SOME)]
)
def test_a_mode(mode, name):
    actual = MODES[mode](with_gradients(OPERATIONS[name]), jnp.asarray(X))
    assert_close(tuple(jax.tree.leaves(actual)), tuple(jax.tree.leaves(oracle(name))))


# JAX has no Taylor series of argmax and sort; and the indices of "unpool" are made of x there.
WITHOUT_SERIES = {"max definition", "median", "unpool"}


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in WITHOUT_SERIES])
def test_taylor_series(name):
    """The second derivative along a line by `jet`, and by forward mode twice."""
    f, along = OPERATIONS[name], np.cos(X)
    twice = lambda x: jax.jvp(lambda x: jax.jvp(f, (x,), (along,))[1], (x,), (along,))

    @jax.jit
    def each(x):
        value, series = jet(f, (x,), ((along, 0 * x),))
        return (value, *series), (f(x), *twice(x))

    assert_close(*each(X))


def contractions(f, *args):
    """The number of contractions in a program, recomputed ones included."""
    return sum("wanted" in eqn.params for eqn in equations(jax.make_jaxpr(f)(*args)))


POLICIES = {
    "nothing": (jax.checkpoint_policies.nothing_saveable, 1),
    "dots": (jax.checkpoint_policies.dots_saveable, 0),
    "everything": (jax.checkpoint_policies.everything_saveable, 0),
    "dots without batch": (jax.checkpoint_policies.dots_with_no_batch_dims_saveable, 1),
    "names": (jax.checkpoint_policies.save_only_these_names("y"), 1),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_of_checkpoint_saves_a_contraction_as_lax_s(policy):
    """The gradient of two layers has two contractions forward, four back, and the recomputed ones."""
    saves, anew = POLICIES[policy]
    layers = lambda conv: lambda x, k: jnp.sin(conv(jnp.sin(conv(x, k)), k))
    square = K[:, :, :2, :2]
    loss = lambda conv: lambda x, k: jax.checkpoint(layers(conv), policy=saves)(x, k).sum()
    ours, theirs = (
        jax.grad(loss(conv), (0, 1)) for conv in (jc.conv, lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "VALID"))
    )
    assert contractions(ours, X, square) - 6 in (anew, 2 * anew)
    assert_close(jax.jit(ours)(X, square), jax.jit(theirs)(X, square))
    program = str(jax.make_jaxpr(theirs)(X, square))
    assert contractions(ours, X, square) == program.count("conv_general_dilated[")
