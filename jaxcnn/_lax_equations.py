"""Which function of ours replaces an equation of lax on a platform, and why."""

import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn._arrays import lack_of
from jaxcnn._conv_general_dilated import conv_general_dilated
from jaxcnn._engine.algorithms.xla import xla
from jaxcnn._engine.plan import Plan, plan
from jaxcnn._engine.platforms import platform_of
from jaxcnn._engine.problem import MADE_OF
from jaxcnn._engine.rewrites.mirror import mirror
from jaxcnn._explain import contractions_in, how
from jaxcnn._primitives import as_function
from jaxcnn._reduce_window import known_reduction, reduce_window

# The parts of a convolution's plan, in the order in which they are planned.
WAYS = ("value", "gradient in lhs", "gradient in rhs")

# Reducers of one array, named by the one primitive that they call.
KNOWN = {"add", "max", "min"}
ASSOCIATIVE = {"mul", "and", "or", "xor"}


class Choice(NamedTuple):
    """What replaces an equation (None: it stays lax's own), and how its value and gradients are computed, and why."""

    ours: Callable[..., Any] | None
    parts: tuple[tuple[str, str, str], ...]


class Choosing:
    """Chooses for one platform, once for each equation."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.choices: dict[int, tuple[Any, Choice | None]] = {}  # by the id of an equation, which is kept alive
        self.convolutions: dict[Any, Choice] = {}
        self.with_gradient: dict[int, Any] = {}  # reductions whose gradient follows in the same function
        self.pulls: dict[Any, tuple[Any, Callable[..., Any]]] = {}  # their gradients, by the operand and the windows

    def __call__(self, eqn: Any) -> Callable[..., Any] | None:
        """What replaces the equation."""
        choice = self.choice(eqn)
        return choice and choice.ours

    def look_ahead(self, jaxpr: Any) -> None:
        """Note which reductions are followed by their gradient, so that both share one search for the winners."""
        gradients = {_winners_key(eqn) for eqn in jaxpr.eqns if eqn.primitive.name == "select_and_scatter_add"}
        for eqn in jaxpr.eqns:
            if eqn.primitive.name in ("reduce_window_max", "reduce_window_min") and _winners_key(eqn) in gradients:
                self.with_gradient[id(eqn)] = eqn

    def choice(self, eqn: Any) -> Choice | None:
        """None for an equation that is neither a convolution nor a window reduction."""
        if eqn.primitive.name not in _CHOOSE:
            return None
        if id(eqn) not in self.choices:
            self.choices[id(eqn)] = eqn, self._choice(eqn)
        return self.choices[id(eqn)][1]

    def _choice(self, eqn: Any) -> Choice:
        avals = [atom.aval for atom in eqn.invars]
        lack = next(filter(None, (lack_of(aval.dtype) for aval in avals)), "")
        if lack:
            return _stays_lax(f"{avals[0].dtype}, {lack}")
        if eqn.primitive.name != "conv_general_dilated":
            choice = _CHOOSE[eqn.primitive.name](eqn, self.platform)
            return choice._replace(ours=choice.ours and self._sharing_winners(eqn, choice.ours))
        key = tuple((aval.shape, aval.dtype) for aval in avals), tuple(eqn.params.items())
        if key not in self.convolutions:
            self.convolutions[key] = _convolution(eqn, self.platform)
        return self.convolutions[key]

    def _sharing_winners(self, eqn: Any, ours: Callable[..., Any]) -> Callable[..., Any]:
        """`ours`, but the gradient uses the winners that the value before it has found."""
        windows = _winners_key(eqn)[1:]

        def value(operand: Any) -> Any:
            if id(eqn) not in self.with_gradient:
                return ours(operand)
            y, pull = jax.vjp(ours, operand)
            self.pulls[id(operand), windows] = operand, pull
            return y

        def gradient(along: Any, operand: Any) -> Any:
            if (id(operand), windows) not in self.pulls:
                return ours(along, operand)
            return self.pulls.pop((id(operand), windows))[1](along)[0]

        name = eqn.primitive.name
        return gradient if name == "select_and_scatter_add" else value if len(eqn.invars) == 1 else ours


def _winners_key(eqn: Any) -> Any:
    """The same for a reduction and its gradient: the operand, the windows, and which cell wins."""
    lowest = eqn.primitive.name == "reduce_window_min" or getattr(eqn.params.get("select_prim"), "name", "") == "le"
    names = ("window_dimensions", "window_strides", "padding")
    dilated = max(1, *eqn.params.get("base_dilation", (1,)), *eqn.params.get("window_dilation", (1,)))
    return id(eqn.invars[-1]), lowest, dilated, *(eqn.params[name] for name in names)


def _stays_lax(why: str) -> Choice:
    return Choice(None, (("value", "lax's own", why),))


def _convolution(eqn: Any, platform: str) -> Choice:
    """Ours, unless our plans for the value and for both gradients are XLA's own convolution."""
    lhs, rhs = (jax.ShapeDtypeStruct(atom.aval.shape, atom.aval.dtype) for atom in eqn.invars)
    numbers = eqn.params["dimension_numbers"]
    sides = [lhs.shape[i] for i in numbers.lhs_spec[2:]] + [rhs.shape[i] for i in numbers.rhs_spec[2:]]
    if not all(isinstance(side, int) for side in sides):
        return _stays_lax("a symbolic size of a map or a window")
    traced = jax.make_jaxpr(partial(inspect.unwrap(conv_general_dilated), **eqn.params))(lhs, rhs)
    contractions = contractions_in(traced, platform)
    if not contractions:
        return _stays_lax("no product")
    ((problem, _),) = contractions
    ours = _traced_once(traced, partial(conv_general_dilated, **eqn.params))
    value, *gradients = (plan(problem.but(wanted=each)) for each in (problem.wanted, *MADE_OF[problem.wanted]))
    parts = [(way, how(made), made.why) for way, made in zip(WAYS, (value, *gradients), strict=True)]
    as_lax = list(map(_as_lax_does, (value, *gradients)))
    if problem.channels_last and problem.wanted != "kernel" and as_lax == [True, True, False]:
        kept = [(way, "lax's own", why) for way, _, why in parts[:2]]
        return Choice(_with_our_kernel_gradient(eqn, ours), (*kept, parts[2]))
    return Choice(None if all(as_lax) else ours, tuple(parts))


def _traced_once(traced: Any, f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """f, but under a trace by the equations that were found before, where its operands are what they were found for.

    Operands on a mesh or of another width are not.
    """

    def call(*operands: jax.Array) -> jax.Array:
        are_traced = all(isinstance(operand, jax.core.Tracer) for operand in operands)
        if are_traced and list(map(jax.typeof, operands)) == traced.in_avals:
            y: jax.Array = as_function(traced)(*operands)[0]
            return y
        return f(*operands)

    return call


def _with_our_kernel_gradient(eqn: Any, ours: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """lax's own equation with our gradient in rhs."""
    lax_own = partial(eqn.primitive.bind, **eqn.params)

    @jax.custom_jvp
    def convolution(lhs: jax.Array, rhs: jax.Array) -> jax.Array:
        y: jax.Array = lax_own(lhs, rhs)
        return y

    @partial(convolution.defjvp, symbolic_zeros=True)
    def _(primals: Any, tangents: Any) -> Any:
        (lhs, rhs), (along_lhs, along_rhs) = primals, tangents
        terms = []
        if isinstance(along_lhs, jax.Array):
            terms.append(lax_own(along_lhs, rhs))
        if isinstance(along_rhs, jax.Array):
            terms.append(ours(lhs, along_rhs))
        return convolution(lhs, rhs), sum(terms[1:], terms[0])

    return convolution


def _as_lax_does(made: Plan) -> bool:
    return made.algorithm is xla and all(rewrite is mirror for rewrite in made.rewrites)


def _reduction(reducer: str, eqn: Any, platform: str) -> Choice:
    params = _windows(eqn)
    if isinstance(params, Choice):
        return params
    start = () if len(eqn.invars) > 1 else (None,)
    return Choice(lambda *operands: known_reduction(*operands, *start, reducer=reducer, **params), _pooling(platform))


def _any_reduction(eqn: Any, platform: str) -> Choice:
    """A reducer is known by the one primitive that it calls; any other, and one of several arrays, stays with lax."""
    body = eqn.params["jaxpr"].eqns
    name = body[0].primitive.name if len(body) == 1 and len(eqn.invars) == 2 else ""
    if name not in KNOWN | ASSOCIATIVE or set(body[0].invars) != set(eqn.params["jaxpr"].invars):
        return _stays_lax("a reducer that we do not know")
    if name in KNOWN:
        choice = _reduction(name, eqn, platform)
        return choice._replace(ours=choice.ours and (lambda *operands: [choice.ours(*operands)]))  # type: ignore[misc]
    params = _windows(eqn)
    if isinstance(params, Choice):
        return params
    combine = partial(body[0].primitive.bind, **body[0].params)
    return Choice(lambda operand, start: [reduce_window(operand, start, combine, **params)], _pooling(platform))


def _gradient(eqn: Any, platform: str, *, forward: bool = False) -> Choice:
    """The gradient of max or min: lax's primitive takes the (co)tangent and the operand whose cells compete."""
    params = _windows(eqn)
    if isinstance(params, Choice):
        return params
    reducer = {"ge": "max", "le": "min"}[eqn.params["select_prim"].name]
    reduction = partial(known_reduction, init_value=None, reducer=reducer, **params)

    def ours(along: jax.Array, operand: jax.Array) -> jax.Array:
        if forward:
            tangent: jax.Array = jax.jvp(reduction, (operand,), (along,))[1]
            return tangent
        cotangent: jax.Array = jax.vjp(reduction, operand)[1](along)[0]
        return cotangent

    return Choice(ours, _pooling(platform)[1:])


def _windows(eqn: Any) -> dict[str, Any] | Choice:
    """The parameters of the windows, or why the equation stays with lax."""
    names = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
    params = {name: tuple(eqn.params[name]) for name in names if name in eqn.params}
    shape, columns = eqn.invars[-1 if "select_prim" in eqn.params else 0].aval.shape, list(params.values())
    still = [all(value in (1, (0, 0)) for value in axis) for axis in zip(*columns, strict=True)]
    if not all(isinstance(side, int) or alone for side, alone in zip(shape, still, strict=True)):
        return _stays_lax("a symbolic size of a map")
    if math.prod(params["window_dimensions"]) == 1:
        return _stays_lax("windows of one cell")
    if jnp.issubdtype(eqn.invars[0].aval.dtype, jnp.complexfloating):
        return _stays_lax("complex numbers have no rule of ours")
    return params


def _pooling(platform: str) -> tuple[tuple[str, str, str], ...]:
    told = platform_of(platform).POOLING
    return ("value", *told["value"]), ("gradient", *told["gradient"])


_CHOOSE: dict[str, Callable[[Any, str], Choice]] = {
    "conv_general_dilated": _convolution,
    "reduce_window": _any_reduction,
    "reduce_window_sum": partial(_reduction, "add"),
    "reduce_window_max": partial(_reduction, "max"),
    "reduce_window_min": partial(_reduction, "min"),
    "select_and_scatter_add": _gradient,
    "select_and_gather_add": partial(_gradient, forward=True),
}


def paragraph(eqn: Any, choice: Choice) -> Iterator[str]:
    """A paragraph for `accelerate(f, explain=True)`."""
    shapes = " and ".join(str(atom.aval.shape) for atom in eqn.invars)
    head = f"{eqn.primitive.name} of {shapes} in {eqn.invars[0].aval.dtype}"
    yield head if choice.ours else f"{head} stays lax's own"
    reasons = set()
    for part, way, why in choice.parts:
        if why not in reasons:  # a gradient with the same reason is not printed again
            reasons.add(why)
            yield f"  {part}: {way}"
            yield f"    {why}"
