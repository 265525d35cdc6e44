"""The definition: one window at a time, multiplied by its kernel and summed; `vmap` runs it over everything else."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn._engine.algorithms.algorithm import algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._slices import each_window


def correlate(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    x = zero_pad(x, problem.geometry.padding).astype(problem.summed)
    one_group = partial(_one_group, g=problem.geometry, precision=problem.precision)
    y: jax.Array = jax.vmap(one_group, (1, 0), 1)(x, kernel.astype(problem.summed))
    return y


def gather(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    """Each tap correlates what it sees with y, and the samples are summed: they are the channels here."""
    g = problem.geometry.of_taps()
    x, y = zero_pad(x, g.padding).astype(problem.summed), y.astype(problem.summed)
    one_group = partial(_one_group, g=g, precision=problem.precision)
    kernel: jax.Array = jax.vmap(lambda x, y: one_group(x.swapaxes(0, 1), y.swapaxes(0, 1)), (1, 1), 0)(x, y)
    return kernel.swapaxes(1, 2)


def _one_group(x: jax.Array, kernel: jax.Array, g: Geometry, precision: Any) -> jax.Array:
    """The padded x (samples, ins, *padded) with (outs, ins, *window) to (samples, outs, *out)."""

    def one_window(window: jax.Array, k: jax.Array) -> jax.Array:
        # `tensordot`, not `jnp.sum(window * k)`: from rank 7 on XLA corrupts memory in the latter's gradient (0.10.2).
        return jnp.tensordot(window, k, g.n, precision=precision)

    def one_map(feature_map: jax.Array, k: jax.Array) -> jax.Array:
        return each_window(lambda window: one_window(window, k), feature_map, g)

    def one_channel(sample: jax.Array, k: jax.Array) -> jax.Array:
        return jnp.sum(jax.vmap(one_map)(sample, k), axis=0, dtype=sample.dtype)

    def one_sample(sample: jax.Array) -> jax.Array:
        return jax.vmap(one_channel, in_axes=(None, 0))(sample, kernel)

    return jax.vmap(one_sample)(x)


definition = algorithm("definition", correlate, kernel=gather)
