"""How a primitive of ours is made: the only home of JAX's interpreters."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Rule = Callable[..., Any]


def primitive(name: str, shape: Rule, compute: Rule, batch: Rule | None = None) -> Primitive:
    """A primitive of two arrays and static parameters.

    `shape(a, b, **params)` is that of the result with its dtype, `compute(a, b, on_cpu=, **params)` what a platform
    runs, and `batch(arrays, dims, **params)` the result of mapped operands and where its mapped axis is; without it the
    arrays may have any leading axes.
    """
    made = Primitive(name)

    @functools.cache
    def compiled(**params: Any) -> Any:
        return jax.jit(partial(made.bind, **params))

    made.def_impl(lambda a, b, **params: compiled(**params)(a, b))
    made.def_abstract_eval(lambda a, b, **params: jax.core.ShapedArray(*shape(a, b, **params)))
    for on_cpu, platform in ((False, None), (True, "cpu")):
        lowered = mlir.lower_fun(partial(compute, on_cpu=on_cpu), multiple_results=False)
        mlir.register_lowering(made, lowered, platform)
    batching.primitive_batchers[made] = batch or _batch_in_front(made)
    return made


def bilinear(made: Primitive, transpose: Rule) -> None:
    """Linear in each operand: `transpose(cotangent, a, b, at=, **params)` is the cotangent of operand `at`."""
    ad.defbilinear(made, partial(transpose, at=0), partial(transpose, at=1))


def linear_pair(one: Primitive, other: Primitive) -> None:
    """Both linear in the first operand, and each the adjoint of the other."""
    for made, adjoint in ((one, other), (other, one)):

        def jvp(primals: Any, tangents: Any, *, made: Primitive = made, **params: Any) -> Any:
            (a, b), (tangent, _) = primals, tangents
            return made.bind(a, b, **params), made.bind(tangent, b, **params)

        def transpose(cotangent: Any, a: Any, b: Any, *, adjoint: Primitive = adjoint, **params: Any) -> Any:
            return (None if isinstance(cotangent, ad.Zero) else adjoint.bind(cotangent, b, **params)), None

        ad.primitive_jvps[made] = jvp
        ad.primitive_transposes[made] = transpose


def _batch_in_front(made: Primitive) -> Rule:
    """The mapped axis is put before all others, in both operands."""

    def batch(arrays: Any, dims: Any, **params: Any) -> Any:
        size = next(array.shape[dim] for array, dim in zip(arrays, dims, strict=True) if dim is not None)
        front = (
            jnp.broadcast_to(array, (size, *array.shape)) if dim is None else jnp.moveaxis(array, dim, 0)
            for array, dim in zip(arrays, dims, strict=True)
        )  # fmt: skip
        return made.bind(*front, **params), 0

    return batch
