"""A transformation that replaces lax's convolutions and window reductions in any function where ours are faster."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxcnn._errors import message
from jaxcnn._explain import as_arrays, check_platform, equations
from jaxcnn._jaxprs import Rewriting, is_array
from jaxcnn._lax_equations import Choosing, paragraph

_NAME = "accelerate"


def accelerate(f: Callable[..., Any], *, platform: str | None = None, explain: bool = False) -> Callable[..., Any]:
    """f with each of lax's convolutions and window reductions replaced by ours where ours is faster, and nothing else.

    accelerate(f)(*args, **kwargs) = f(*args, **kwargs)

    It is a transformation, as `jax.jit` and `jax.grad` are, and composes with them in any order; under `jax.jit` it
    costs nothing at run time. `f` is traced, and functions inside it are rewritten too: of jit, scan, while, cond,
    remat, custom derivatives, custom_linear_solve, shard_map, vmap and pmap. Results lie on a mesh as lax's do.

    Args:
      f: any function, such as the forward pass or the training step of a Keras, Flax, Equinox or Haiku model. Arguments
        and results are trees; leaves that are no arrays are passed on as they are, Python's numbers too.
      platform: the platform to choose for, as in `explain`; None is JAX's default. The choice is made when f is traced,
        not when it is lowered: a wrong platform costs time, and never changes a result.
      explain: return what is replaced, by what and why, in place of f's result; nothing is computed.

    Returns:
      A function of f's arguments. A layer that our rules leave to XLA, with its gradients, stays lax's own equation; a
      function without convolutions and poolings stays as it is.

    Raises:
      TypeError: an f that is no function.
      ValueError: an unknown platform.

    >>> import jax.numpy as jnp
    >>> from jax import lax
    >>> model = lambda x, kernel: lax.conv(x, kernel, (1, 1), "SAME")
    >>> x, kernel = jnp.ones((8, 3, 32, 32)), jnp.ones((16, 3, 3, 3))
    >>> jax.jit(accelerate(model))(x, kernel).shape
    (8, 16, 32, 32)
    >>> print(accelerate(model, platform="cpu", explain=True)(x, kernel))
    conv_general_dilated of (8, 3, 32, 32) and (16, 3, 3, 3) in float32
      value: keep it apart from what reads the result; shifts
        LeNet's first layer: 0.6 ms, the gradient in the kernel 1.0 ms; the next best 0.9 and 2.5 ms
      gradient in lhs: correlate with the flipped kernel; rows
        64 channels of 3x3: only a third of the columns are laid out in memory
      gradient in rhs: windows
        fewer cells are laid out in memory than for rows

    Source: `jax.jit` and `jax.grad`; a function's jaxpr is read and evaluated, as JAX's own transformations do.
    """
    if not callable(f):
        raise TypeError(
            message(_NAME, "f", f"must be a function, not {type(f).__name__}", "pass e.g. a model's forward pass")
        )
    platform = check_platform(_NAME, platform)

    @functools.wraps(f)
    def accelerated(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs))
        structure = None

        def flat(*leaves: Any) -> list[Any]:
            nonlocal structure
            args, kwargs = jax.tree.unflatten(tree, leaves)
            made, structure = jax.tree.flatten(f(*args, **kwargs))
            return made

        made = Rewriting(Choosing(platform)).call(flat, leaves)
        return jax.tree.unflatten(structure, made)

    @functools.wraps(f)
    def explained(*args: Any, **kwargs: Any) -> str:
        call, structs = as_arrays(f, args, kwargs)
        arrays_of_call = lambda arrays: list(filter(is_array, jax.tree.leaves(call(arrays))))
        choosing = Choosing(platform)
        choices = ((eqn, choosing.choice(eqn)) for eqn in equations(jax.make_jaxpr(arrays_of_call)(structs)))
        return "\n".join(line for eqn, choice in choices if choice for line in paragraph(eqn, choice))

    return explained if explain else accelerated
