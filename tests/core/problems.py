"""Problems as the engine poses them to itself, what is chosen for them, and what the oracle by index says of a row."""

import jax.numpy as jnp
import numpy as np
from checks import double

from jaxcnn._engine.plan import plan
from jaxcnn._engine.problem import Problem


def a_problem(g, wanted="y", *, ins=1, outs=1, groups=1, samples=8, dtype="float32", platform="cpu"):
    dtype = jnp.dtype(dtype)
    return Problem(wanted, g, samples, groups, ins, outs, (dtype, dtype), dtype, platform=platform)


def chosen(*problem, **facts):
    """The name of the algorithm that a platform's rules choose."""
    return plan(a_problem(*problem, **facts)).algorithm.name


def by_index(oracle, row, args):
    """A cotangent, the value with the gradients in all args, and the scale of their rounding."""
    value, pull = oracle(**double(args), **row.options)
    cotangent = row.random("float32", value.shape, "cotangent")
    pulled = pull(np.float64(cotangent))
    gradients = {name: np.reshape(pulled[name], np.shape(args[name])) for name in args}
    # The gradient in fill is one number, a sum whose terms may cancel.
    scale = gradients | ({"fill": np.abs(cotangent).sum()} if "fill" in args else {})
    return cotangent, (value, gradients), (value, scale)
