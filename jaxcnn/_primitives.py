"""Makes this library's JAX primitives and gives them their rules. No other file touches JAX's interpreters."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax._src.dispatch import prim_requires_devices_during_lowering  # JAX has no other names for these two
from jax._src.sharding_impls import parse_flatten_op_sharding
from jax.ad_checkpoint import Recompute
from jax.experimental import jet
from jax.interpreters import ad, batching, mlir, partial_eval
from jax.sharding import AxisType

if TYPE_CHECKING:
    from jax.extend.core import Primitive
else:
    Primitive = type(jax.lax.add_p)  # the same class, without Pallas: its import takes as long as all of jaxcnn's

Rule = Callable[..., Any]
SERIES: dict[Any, Any] = jet.jet_rules  # rules for Taylor series


def primitive(
    name: str, shape: Rule, compute: Rule, batch: Rule | None = None, *, platforms: Sequence[str] = (),
    result_spec: Rule | None = None, divide: Rule | None = None, multiple_results: bool = False,
) -> Primitive:  # fmt: skip
    """A primitive of some arrays and static parameters.

    Args:
      name: shown in a jaxpr.
      shape: `shape(*arrays, **params)` gives the result's shape and dtype.
      compute: `compute(*arrays, platform=, **params)` is what runs, on one of the `platforms` or on any "other".
      batch: `batch(arrays, dims, **params)` gives the result of mapped operands and its mapped axis. Without it the
        mapped axis is put in front, so the arrays must allow any leading axes.
      platforms: those for which `compute` differs from "other".
      result_spec: `result_spec(*arrays, **params)` gives the result's `PartitionSpec` in explicit sharding. Without it
        the result is divided as the first array is, where that is possible.
      divide: `divide(on_a_device, ranks, **params)` gives the function of whole arrays for a program on several
        devices. Without it XLA divides the program.
      multiple_results: the primitive returns a list, and `shape` gives their common shape and a list of dtypes.
    """
    made = Primitive(name)
    made.multiple_results = multiple_results

    @functools.cache
    def compiled(**params: Any) -> Any:
        return jax.jit(partial(made.bind, **params))

    def abstract(a: Any, *others: Any, **params: Any) -> Any:
        """Under shard_map the result varies over the same mesh axes as the operands, which `update` keeps."""
        sides, dtype = shape(a, *others, **params)
        spec = result_spec(a, *others, **params) if result_spec else _as_the_first(a, sides)
        mesh = next((each.sharding.mesh for each in (a, *others) if not each.sharding.mesh.empty), a.sharding.mesh)
        sharding = a.sharding.update(mesh=mesh, spec=spec)
        avals = [a.update(shape=sides, dtype=each, weak_type=False, sharding=sharding)
                 for each in (dtype if multiple_results else (dtype,))]  # fmt: skip
        return avals if multiple_results else avals[0]

    def run(*arrays: Any, **params: Any) -> Any:
        # Under `disable_jit` a jit of the primitive would come back here without end.
        if getattr(jax.config, "jax_disable_jit"):  # noqa: B009  (its stub lacks the name)
            return compute(*arrays, platform=jax.default_backend(), **params)
        return compiled(**params)(*arrays)

    made.def_impl(run)
    made.def_abstract_eval(abstract)

    def lower(platform: str) -> Rule:
        on_a_device = partial(compute, platform=platform)

        def rule(ctx: Any, *operands: Any, **params: Any) -> Any:
            """Without mesh axes in their types, arrays on one device have derivatives that sum over no other device."""
            apart = divide and _several_devices(ctx.module_context)
            ranks = [len(aval.shape) for aval in ctx.avals_in]
            f = divide(on_a_device, ranks, **params) if divide and apart else partial(on_a_device, **params)
            with axes_left_to_xla(), as_wide_as(ctx.avals_in):
                alone = [jax.core.ShapedArray(aval.shape, aval.dtype) for aval in ctx.avals_in]
                return mlir.lower_fun(f, multiple_results=multiple_results)(ctx.replace(avals_in=alone), *operands)

        return rule

    mlir.register_lowering(made, lower("other"))
    for platform in platforms:
        with suppress(NotImplementedError):  # a platform that this JAX does not know
            mlir.register_lowering(made, lower(platform), platform)
    prim_requires_devices_during_lowering.add(made)  # `divide` has to know the devices
    batching.primitive_batchers[made] = batch or _batch_in_front(made)
    return made


def _several_devices(module: Any) -> bool:
    """Whether XLA divides this program among several known devices.

    An exported program can't call back into this library, so there XLA divides what it can by itself.
    """
    context, exported = module.axis_context, getattr(module.lowering_parameters, "for_export", False)
    known = getattr(context, "num_devices", 1) > 1 and getattr(context, "device_assignment", None) is not None
    return known and not exported


def axes_left_to_xla() -> AbstractContextManager[Any]:
    """A context in which explicit mesh axes are automatic, since arrays inside of a primitive need no sharding."""
    mesh = jax.sharding.get_abstract_mesh()
    explicit = [name for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True) if kind == AxisType.Explicit]
    if not explicit:
        return nullcontext()
    return jax.sharding.use_abstract_mesh(mesh.update_axis_types(dict.fromkeys(explicit, AxisType.Auto)))


def as_wide_as(arrays: Sequence[Any]) -> AbstractContextManager[Any]:
    """64 bits where arrays have them: XLA asks for a device's share from a thread without the context of the caller."""
    narrowed = any(jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype for array in arrays)
    return jax.enable_x64(True) if narrowed else nullcontext()


def _as_the_first(a: Any, sides: Sequence[Any]) -> jax.sharding.PartitionSpec:
    """The first array's sharding, without the axes of the result that its devices don't divide evenly."""
    spec = a.sharding.spec
    counts = [math.prod(a.sharding.mesh.shape[name] for name in names_of(axes)) for axes in spec]
    kept = (axes if side % count == 0 else None for axes, count, side in zip(spec, counts, sides, strict=True))
    return jax.sharding.PartitionSpec(*kept)


def names_of(axes: Any) -> tuple[str, ...]:
    """The axes of a mesh that one entry of a PartitionSpec names."""
    return axes if isinstance(axes, tuple) else () if axes is None else (axes,)


def spec_of(sharding: Any, mesh: jax.sharding.Mesh, rank: int) -> jax.sharding.PartitionSpec:
    """XLA's sharding in the axes of a mesh; empty if XLA divides by a part of a mesh axis."""
    try:
        spec: jax.sharding.PartitionSpec = parse_flatten_op_sharding(sharding._to_xla_hlo_sharding(rank), mesh)[0]
    except ValueError:
        return jax.sharding.PartitionSpec()
    return spec


def resharded_like(cotangent: jax.Array, aval: Any) -> jax.Array:
    """A cotangent with the sharding of its primal."""
    where = aval.sharding
    if where.mesh.empty or jax.typeof(cotangent).sharding.spec == where.spec:
        return cotangent
    moved: jax.Array = jax.sharding.reshard(cotangent, where)
    return moved


def differentiated_as(made: Primitive, f: Rule) -> None:
    """Give a primitive of one array the derivatives of `f(array, **params)`, under `jet` too."""

    def jvp(primals: Any, tangents: Any, **params: Any) -> Any:
        return jax.jvp(partial(f, **params), primals, tuple(map(ad.instantiate_zeros, tangents)))

    def series(primals: Any, terms: Any, **params: Any) -> Any:
        return jet.jet(partial(f, **params), primals, terms, factorial_scaled=False)

    ad.primitive_jvps[made] = jvp
    SERIES[made] = series


def derivatives_of(made: Primitive, jvp: Rule, series: Rule, transpose: Rule | None = None) -> None:
    """Give a primitive these rules. A tangent or a cotangent that is zero for certain is None, in and out."""

    def with_zeros(primals: Any, tangents: Any, **params: Any) -> Any:
        values, moved = jvp(primals, [None if isinstance(t, ad.Zero) else t for t in tangents], **params)

        def fill(value: Any, tangent: Any) -> Any:
            return ad.Zero(jax.typeof(value).to_tangent_aval()) if tangent is None else tangent

        if not made.multiple_results:
            return values, fill(values, moved)
        return values, tuple(map(fill, values, moved))

    def transposed(cotangent: Any, *operands: Any, **params: Any) -> Any:
        if isinstance(cotangent, ad.Zero):
            return [None] * len(operands)
        return transpose(cotangent, *operands, **params)  # type: ignore[misc]

    ad.primitive_jvps[made] = with_zeros
    SERIES[made] = series
    if transpose is not None:
        ad.primitive_transposes[made] = transposed


def alike(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both operands, varying under shard_map over all mesh axes over which either varies."""
    axes = [_varying(jax.typeof(array)) for array in (a, b)]
    return _vary(a, axes[1] - axes[0]), _vary(b, axes[0] - axes[1])


# JAX 0.8.2 and 0.10 renamed what the next two functions use.
def _varying(aval: Any) -> frozenset[str]:
    """The mesh axes over which an array varies under shard_map."""
    axes: frozenset[str] = aval.manual_axis_type.varying if hasattr(aval, "manual_axis_type") else aval.vma
    return axes


def _vary(array: jax.Array, axes: frozenset[str]) -> jax.Array:
    """The array, marked as varying over these axes too."""
    pcast: Rule | None = getattr(jax.lax, "pcast", None)
    cast: Rule = partial(pcast, to="varying") if pcast else jax.lax.pvary  # type: ignore[attr-defined, unused-ignore]
    varying: jax.Array = cast(array, tuple(axes)) if axes else array
    return varying


def bilinear(made: Primitive, transpose: Rule) -> None:
    """Make a primitive bilinear: `transpose(cotangent, a, b, at=, **params)` is the cotangent of operand `at`."""
    ad.defbilinear(made, partial(transpose, at=0), partial(transpose, at=1))
    SERIES[made] = partial(SERIES[jax.lax.dot_general_p].func, made)
    partial_eval.partial_eval_jaxpr_custom_rules[made] = _saved_as_a_product


def _saved_as_a_product(policy: Rule, unknown: Sequence[bool], there: Sequence[bool], eqn: Any) -> Any:
    """`jax.checkpoint` saves or recomputes a contraction as its policy says of XLA's convolution.

    Returns:
      The equation of the forward pass, that of the backward pass (None where there is none), which results are unknown
      in the forward pass, which are known in the backward pass, and the operands to save.
    """
    operands = [each for each, is_there in zip(eqn.invars, there, strict=True) if not is_there]
    if any(unknown):
        return None, eqn, [True], [True], operands
    says = {policy(like, *(each.aval for each in eqn.invars), **eqn.params)
            for like in (eqn.primitive, jax.lax.conv_general_dilated_p)}  # fmt: skip
    if says <= {False, Recompute}:
        return eqn, eqn, [False], [True], operands
    return eqn, None, [False], [False], []


def linear_pair(one: Primitive, other: Primitive) -> None:
    """Make two primitives linear in their first operand, and each the adjoint of the other."""
    for made, adjoint in ((one, other), (other, one)):

        def series(primals: Any, terms: Any, *, made: Primitive = made, **params: Any) -> Any:
            (a, *others), (of_a, *_) = primals, terms
            return made.bind(a, *others, **params), [made.bind(term, *others, **params) for term in of_a]

        def jvp(primals: Any, tangents: Any, *, made: Primitive = made, **params: Any) -> Any:
            (a, *others), (tangent, *_) = primals, tangents
            return made.bind(a, *others, **params), made.bind(tangent, *others, **params)

        def transpose(cotangent: Any, a: Any, *others: Any, adjoint: Primitive = adjoint, **params: Any) -> Any:
            if isinstance(cotangent, ad.Zero):
                return None, *(None for _ in others)
            return resharded_like(adjoint.bind(cotangent, *others, **params), a.aval), *(None for _ in others)

        SERIES[made] = series
        ad.primitive_jvps[made] = jvp
        ad.primitive_transposes[made] = transpose


def _batch_in_front(made: Primitive) -> Rule:
    """A batching rule that puts the mapped axis in front, in all operands."""

    def batch(arrays: Any, dims: Any, **params: Any) -> Any:
        size = next(array.shape[dim] for array, dim in zip(arrays, dims, strict=True) if dim is not None)
        front = (
            jnp.broadcast_to(array, (size, *array.shape)) if dim is None else jnp.moveaxis(array, dim, 0)
            for array, dim in zip(arrays, dims, strict=True)
        )  # fmt: skip
        results = made.bind(*front, **params)
        return results, [0] * len(results) if made.multiple_results else 0

    return batch


def bind_again(
    eqn: Any, values: Sequence[Any], instead: Rule | None = None, changed: Mapping[str, Any] | None = None
) -> Any:
    """Evaluate an equation of a jaxpr on other values, with its own name and source line, as JAX itself does.

    `instead` is called in its place, or some of its parameters are `changed`.
    """
    from jax.extend import source_info_util

    source = eqn.source_info
    stack = source_info_util.current_name_stack() + source.name_stack
    with source_info_util.user_context(source.traceback, name_stack=stack), eqn.ctx.manager:
        if instead is not None:
            return instead(*values)
        params = eqn.primitive.get_bind_params({**eqn.params, **(changed or {})})
        functions, params = params if isinstance(params, tuple) else ((), params)  # a pair up to JAX 0.9
        return eqn.primitive.bind(*functions, *values, **params)


def as_function(jaxpr: Any) -> Rule:
    """The function of a closed jaxpr, which makes a list."""
    from jax.extend.core import jaxpr_as_fun

    evaluate: Rule = jaxpr_as_fun(jaxpr)
    return evaluate


def wrapped_like(given: Any, f: Rule) -> Any:
    """`f` wrapped as JAX wraps the function that is given."""
    from jax.extend import linear_util

    return linear_util.wrap_init(f, debug_info=given.debug_info)
