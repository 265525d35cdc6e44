"""Blocks of samples and strips of a map change only how many cells are in memory at a time."""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close, normal, value_and_gradients
from jax import export

import jaxcnn as jc
from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.platforms import methods
from jaxcnn._engine.rewrites import sample_blocks

# The most cells at a time: one row of one sample, and two numbers that leave a rest of samples and rows.
CELLS = (1, 40, 300)
SAMPLES = 5  # blocks of two, three and four of them leave a remainder

# Ranks come in turns of four, and CELLS in turns of three.
ROWS = [(row, CELLS[i % 3]) for i, row in enumerate(cases.FEW_CONVS[-6:])]
# Six cells a sample, so blocks of two samples: the kernel's gradient has one sample left over.
ROWS += [(cases.Conv(x=(1, 1, 4), kernel=(1, 1, 2)), 12)]


def of_a_batch(row, dtype):
    """A function of args and a method, args with more samples than the row has, and a cotangent."""
    args = row.arguments(dtype, x=(SAMPLES, *row.x[1:]), kernel=row.kernel, bias=row.bias)
    f = lambda args, method: jc.conv(**args, **row.options, method=method)
    return f, args, row.random(dtype, jax.eval_shape(partial(f, method="auto"), args).shape, "cotangent")


def assert_blocks_change_nothing(f, args, cotangent, cells, monkeypatch):
    def each(args, cotangent, methods):
        return [value_and_gradients(partial(f, method=method), args, cotangent) for method in methods]

    (oracle,) = jax.jit(partial(each, methods=["definition"]))(args, cotangent)
    monkeypatch.setattr(sample_blocks, "CELLS", cells)
    for result in jax.jit(partial(each, methods=["auto", *cases.CONTRACTIONS]))(args, cotangent):
        assert_close(result, oracle)


@pytest.mark.parametrize(("row", "cells"), ROWS, ids=str)
def test_conv(row, cells, monkeypatch):
    with jax.enable_x64(True):
        assert_blocks_change_nothing(*of_a_batch(row, "float64"), cells, monkeypatch)


def test_conv_transpose(monkeypatch):
    f = lambda args, method: jc.conv_transpose(*args, stride=2, padding=1, groups=2, method=method)
    args = normal(SAMPLES, 4, 7, 3, dtype="float64"), normal(4, 2, 3, 2, dtype="float64")
    cotangent = normal(SAMPLES, 4, 13, 4, dtype="float64")
    with jax.enable_x64(True):
        assert_blocks_change_nothing(f, args, cotangent, 40, monkeypatch)


def test_channels_last(monkeypatch):
    numbers = ("NHWC", "HWIO", "NHWC")
    f = lambda args, method: jc.conv(*args, padding=1, groups=2, dimension_numbers=numbers, method=method)
    args = normal(SAMPLES, 4, 3, 4, dtype="float64"), normal(3, 2, 2, 6, dtype="float64")
    cotangent = normal(SAMPLES, 4, 4, 6, dtype="float64")
    with jax.enable_x64(True):
        assert_blocks_change_nothing(f, args, cotangent, 600, monkeypatch)


@pytest.mark.parametrize("method", ["windows", "rows"])
@pytest.mark.parametrize("cells", [*CELLS, 1000])
@pytest.mark.parametrize("row", cases.FEW_CONVS[-8::5], ids=str)
def test_no_more_cells_are_in_memory_at_a_time(row, cells, method, monkeypatch):
    """Except where nothing is left to cut: one sample with one row, or the adjoint in x of one sample."""
    most, laid_out = [], methods()[method].cells

    def watched(algorithm, problem, a, b):
        least = problem.samples == 1 and (problem.wanted == "x" or problem.geometry.out[0] == 1)
        most.append((problem.samples * problem.groups * laid_out(problem), least))
        return original(algorithm, problem, a, b)

    original = Algorithm.__call__
    monkeypatch.setattr(Algorithm, "__call__", watched)
    monkeypatch.setattr(sample_blocks, "CELLS", cells)
    f, *arrays = of_a_batch(row, "float32")
    jax.jit(lambda args, ct: value_and_gradients(partial(f, method=method), args, ct)).lower(*arrays)
    assert most
    assert all(laid_out <= cells or least for laid_out, least in most)


@pytest.mark.parametrize("method", ["windows", "rows", "auto"])
def test_the_gradient_for_the_kernel_adds_blocks_in_float32(method, monkeypatch):
    """Added up in bfloat16, ones stop at 256."""
    monkeypatch.setattr(sample_blocks, "CELLS", 1)
    x = jnp.ones((300, 1, 4, 1), jnp.bfloat16)
    loss = lambda kernel: jc.conv(x, kernel, method=method).sum(dtype=jnp.float32)
    assert jax.jit(jax.grad(loss))(jnp.ones((1, 1, 4, 1), jnp.bfloat16)).tolist() == [[[[300]] * 4]]


@pytest.mark.parametrize("samples", [0, 1])
def test_a_batch_without_blocks(samples, monkeypatch):
    monkeypatch.setattr(sample_blocks, "CELLS", 1)
    x, kernel = np.ones((samples, 2, 4, 3), np.float32), np.ones((3, 2, 2, 2), np.float32)
    f = lambda args: jc.conv(*args, padding=1, method="windows")
    value, (in_x, in_kernel) = jax.jit(lambda args, ct: value_and_gradients(f, args, ct))(
        (x, kernel), np.ones((samples, 3, 5, 4), np.float32)
    )
    assert_close(in_x, np.full(x.shape, 12, np.float32))
    assert_close(in_kernel, np.full(kernel.shape, 12 * samples, np.float32))
    assert value.shape == (samples, 3, 5, 4)


@pytest.mark.parametrize("method", ["windows", "auto"])
def test_a_symbolic_batch_is_not_split(method, monkeypatch):
    monkeypatch.setattr(sample_blocks, "CELLS", 1)
    x, kernel = normal(3, 2, 5, 4, seed=1), normal(3, 2, 2, 2)
    f = jax.jit(lambda x: jc.conv(x, kernel, stride=2, padding=1, method=method))
    (batch,) = export.symbolic_shape("batch")
    exported = export.export(f)(jax.ShapeDtypeStruct((batch, 2, 5, 4), np.float32))
    assert "while" not in exported.mlir_module()
    assert_close(exported.call(x), jc.conv(x, kernel, stride=2, padding=1, method="definition"))
