"""Problems as the engine poses them to itself, and what is chosen for them."""

import jax.numpy as jnp

from jaxcnn._engine.plan import plan
from jaxcnn._engine.problem import Problem


def a_problem(g, face="y", *, ins=1, outs=1, groups=1, samples=8, dtype="float32", platform="cpu"):
    dtype = jnp.dtype(dtype)
    return Problem(face, g, samples, groups, ins, outs, (dtype, dtype), dtype, platform=platform)


def chosen(*problem, **facts):
    """The name of the algorithm that a platform's rules choose."""
    return plan(a_problem(*problem, **facts)).algorithm.name
