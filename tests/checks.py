"""How results are compared, and how they are compiled."""

import importlib.metadata
import importlib.util
import inspect
import os
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

# The largest difference allowed, as a part of the oracle's largest number (design, section 3).
BOUND = {"float32": 1e-5, "float64": 1e-12}


def assert_close(actual, oracle, scale=None):
    """Assert the same structure, shapes, NaN and infinities, and all other numbers within the bound of each leaf.

    The bound is a part of the oracle's largest number, or of the largest number of `scale` where that is given.
    """
    chex.assert_trees_all_equal_structs(actual, oracle)
    jax.tree.map_with_path(_assert_leaf_close, actual, oracle, oracle if scale is None else scale)


def at_least_1(oracle):
    """A scale for numbers of about 1, some of which are sums that cancel."""
    return jax.tree.map(lambda leaf: np.append(leaf, np.ones((), leaf.dtype)), oracle)


def _assert_leaf_close(path, actual, oracle, scale):
    where = jax.tree_util.keystr(path)  # names the method or row, where one program has several
    bound = BOUND[str(jnp.asarray(actual).dtype)]
    actual, oracle, scale = np.asarray(actual), np.asarray(oracle), np.asarray(scale)
    assert actual.shape == oracle.shape, where
    finite = np.isfinite(oracle)
    np.testing.assert_array_equal(actual[~finite], oracle[~finite], err_msg=where)
    largest = np.abs(scale[np.isfinite(scale)]).max(initial=0)
    np.testing.assert_allclose(actual[finite], oracle[finite], rtol=0, atol=bound * largest, err_msg=where)


def assert_same_product(a, b, c, d):
    """Assert <a, b> = <c, d> up to the rounding of the sums."""
    terms = [np.asarray(u) * np.asarray(v) for u, v in zip(*map(jax.tree.leaves, (a, b)), strict=True)]
    others = [np.asarray(u) * np.asarray(v) for u, v in zip(*map(jax.tree.leaves, (c, d)), strict=True)]
    largest = max(sum(np.abs(t).sum() for t in side) for side in (terms, others))
    difference = sum(t.sum() for t in terms) - sum(t.sum() for t in others)
    assert abs(difference) <= BOUND[str(terms[0].dtype)] * largest


def module_at(path):
    """A file of Python that no package holds, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# A case is compiled once and run once on a handful of numbers, so optimizing it does not pay. Options of XLA, each with
# its quick value and with its default.
XLA = {
    # XLA aborts at an option it does not know, as this one from JAX 0.11 on.
    **({"xla_cpu_use_fusion_emitters": (False, True)} if jax.__version_info__ < (0, 11) else {}),
    "xla_cpu_parallel_codegen_split_count": (1, 32),
    "xla_llvm_disable_expensive_passes": (True, False),
    "xla_backend_optimization_level": (0, 3),
}
AS_USERS = {option: value for option, (_, value) in XLA.items()}


def compile_quickly():
    """Set these options for this process, whose backend does not exist yet, and for its children; on CPUs only."""
    if importlib.metadata.entry_points(group="jax_plugins"):  # a GPU's compiler aborts at some of them
        return
    flags = [f"--{option}={str(value).lower()}" for option, (value, _) in XLA.items()]
    os.environ["XLA_FLAGS"] = " ".join([*flags, os.environ.get("XLA_FLAGS", "")])


def double(args):
    """The same numbers in float64."""
    return {name: np.asarray(value, np.float64) for name, value in args.items()}


def run(f, *arrays, **options):
    """f(*arrays, **options) compiled as a whole: an eager call would compile each operation by itself."""
    return jax.jit(partial(f, **options))(*arrays)


def on_cpu(f, *arrays, **options):
    """`run` on the CPU always: on a GPU lax lacks integers, and is wrong for groups of four axes."""
    with jax.default_device(jax.devices("cpu")[0]):
        return run(f, *jax.tree.map(np.asarray, arrays), **options)


def assert_refused_alike(ours, theirs, **call):
    """A door refuses a call as lax's function of the same name does, by the same type and in our words."""
    with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)) as refused:
        theirs(**call)
    with pytest.raises(refused.type, match=rf"^{ours.__name__}: ") as error:
        ours(**call)
    assert error.type is refused.type


def assert_same_signature(ours, theirs):
    names = lambda f: [(p.name, p.default) for p in inspect.signature(f).parameters.values()]
    assert names(ours) == names(theirs)


def run_both(oracle, f, *arrays):
    """f(*arrays) and oracle(*arrays), the oracle on the CPU; if f runs there too, both are one program."""
    if jax.default_backend() == "cpu":
        return run(lambda *arrays: (f(*arrays), oracle(*arrays)), *arrays)
    return run(f, *arrays), on_cpu(oracle, *arrays)


def normal(*shape, dtype="float32", seed=0):
    """Normal random numbers, the same on each run."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def with_gradients(f):
    """The value of f, and its gradients in all its arguments along the sine of the value."""

    def both(*args):
        value, pull = jax.vjp(f, *args)
        return value, pull(jnp.sin(value))

    return both


def equations(jaxpr):
    """All equations of a program, those of the functions within included."""
    for eqn in jaxpr.eqns:
        yield eqn
        for inner in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda value: hasattr(value, "eqns")):
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def value_and_gradients(f, args, cotangent):
    """f(args) and its gradients in every leaf of args, along one cotangent."""
    value, pull = jax.vjp(f, args)
    return value, pull(cotangent)[0]
