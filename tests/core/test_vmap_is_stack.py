"""vmap over any argument, by itself or with the others, is a stack of calls."""

import cases
import jax
import numpy as np
import pytest
from checks import assert_close, value_and_gradients

import jaxcnn as jc


def assert_vmap_is_stack(f, row, args):
    others = {name: 1 - 2 * value for name, value in args.items()}
    cotangents = [row.random("float32", jax.eval_shape(f, args).shape, name) for name in ("one", "two")]
    call = lambda args, cotangent: value_and_gradients(f, args, cotangent)

    @jax.jit
    def mapped(args, cotangents):
        first = {name: values[0] for name, values in args.items()}
        over_one = lambda name: jax.vmap(lambda value: f(first | {name: value}))(args[name])
        return {name: over_one(name) for name in args}, jax.vmap(call)(args, cotangents)

    over_one, over_all = mapped(stack(args, others), stack(*cotangents))
    call = jax.jit(call)
    for name, other in others.items():
        assert_close(over_one[name], stack(*(call(a, cotangents[0])[0] for a in (args, args | {name: other}))))
    assert_close(over_all, stack(call(args, cotangents[0]), call(others, cotangents[1])))


def stack(*trees):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@pytest.mark.parametrize("row", cases.CONVS[::17], ids=str)
def test_conv(row):
    assert_vmap_is_stack(lambda args: jc.conv(**args, **row.options), row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.POOLS[::17], ids=str)
def test_pool(row):
    assert_vmap_is_stack(lambda args: jc.pool(**args, **row.options), row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.WINDOWS[::13], ids=str)
def test_windows(row):
    assert_vmap_is_stack(lambda args: jc.windows(**args, **row.options), row, row.arguments("float32"))


@pytest.mark.parametrize("row", cases.WINDOWS[::13], ids=str)
def test_correlate(row):
    args = row.arguments("float32", kernel=row.size)
    assert_vmap_is_stack(lambda args: jc.correlate(**args, **row.common), row, args)
