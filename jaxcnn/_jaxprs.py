"""Rewrites jaxprs: evaluates a traced function with some equations replaced, in its inner functions too."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxcnn._primitives import bind_again, resharded_like, wrapped_like


class Replace(Protocol):
    """Chooses for an equation the function that replaces it; None keeps the equation."""

    def __call__(self, eqn: Any) -> Callable[..., Any] | None: ...

    def look_ahead(self, jaxpr: Any) -> None:
        """See together all equations that are evaluated next."""


# Primitives with inner functions in their parameters that are called as they stand, and so can be rewritten.
CALLS = {
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint", "scan", "while", "cond",
    "custom_jvp_call", "custom_vjp_call", "custom_vmap_call", "custom_linear_solve", "remat_opt",
}  # fmt: skip


class Rewriting:
    """Rewrites one function. An inner function that is called several times is rewritten once."""

    def __init__(self, replace: Replace) -> None:
        self.replace = replace
        self.done: dict[int, tuple[Any, Any]] = {}  # by the id of a jaxpr, which is kept alive with its result

    def call(self, f: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """f(*values) as a list. Only arrays are traced, among the values and among the results."""
        places = [i for i, value in enumerate(values) if is_array(value)]
        others: list[Any] = []

        def of_arrays(*arrays: Any) -> list[Any]:
            given = dict(zip(places, arrays, strict=True))
            made = f(*(given.get(i, value) for i, value in enumerate(values)))
            others[:] = [_ARRAY if is_array(value) else value for value in made]
            return [value for value in made if is_array(value)]

        arrays = [values[i] for i in places]
        traced = jax.make_jaxpr(of_arrays)(*arrays)
        made = iter(self.evaluate(traced.jaxpr, traced.consts, arrays))
        return [next(made) if value is _ARRAY else value for value in others]

    def evaluate(self, jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """The results of a jaxpr with its equations replaced."""
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

        def read(atom: Any) -> Any:
            return atom.val if hasattr(atom, "val") else known[atom]

        self.replace.look_ahead(jaxpr)
        last = _last_uses(jaxpr)
        for i, eqn in enumerate(jaxpr.eqns):
            known.update(
                zip(eqn.outvars, self._evaluate_equation(eqn, [read(atom) for atom in eqn.invars]), strict=True)
            )
            for variable in last.get(i, ()):
                del known[variable]  # frees memory in an eager call, as Python does for plain code
        return [read(atom) for atom in jaxpr.outvars]

    def _evaluate_equation(self, eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
        instead = self.replace(eqn)
        if instead is not None:
            made = bind_again(eqn, values, instead)
            results = made if eqn.primitive.multiple_results else [made]
            return [resharded_like(result, v.aval) for result, v in zip(results, eqn.outvars, strict=True)]
        if eqn.primitive.name == "shard_map" and self._changes(eqn.params["jaxpr"]):
            made = bind_again(eqn, values, self._shard_map(eqn.params))
        else:
            made = bind_again(eqn, values, changed=self._inner_functions(eqn))
        return made if eqn.primitive.multiple_results else [made]

    def _changes(self, jaxpr: Any) -> bool:
        """Whether an equation of a jaxpr, or of one inside it, is replaced."""
        jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
        return any(
            self.replace(eqn) is not None
            or (eqn.primitive.name in {*CALLS, "shard_map"} and any(map(self._changes, _jaxprs_in(eqn.params))))
            for eqn in jaxpr.eqns
        )  # fmt: skip

    def _inner_functions(self, eqn: Any) -> dict[str, Any]:
        """An equation's parameters that hold functions, rewritten."""
        if eqn.primitive.name not in CALLS:
            return {}
        changed: dict[str, Any] = {}
        for name, value in eqn.params.items():
            if name in ("jvp_jaxpr_fun", "fwd_jaxpr_thunk"):
                changed[name] = _Thunk(self._of_thunk(value), value.debug_info)
            elif name == "bwd":
                changed[name] = wrapped_like(value, self._of_backward(value))
            elif isinstance(value, tuple) and any(map(_is_jaxpr, value)):
                made = [self._rewritten(each) if _is_jaxpr(each) else each for each in value]
                changed[name] = value._make(made) if hasattr(value, "_make") else tuple(made)
            elif _is_jaxpr(value):
                changed[name] = self._rewritten(value)
        return changed

    def _rewritten(self, given: Any) -> Any:
        """A jaxpr, closed or open, rewritten."""
        if id(given) not in self.done:
            self.done[id(given)] = given, self._rewrite(given)
        return self.done[id(given)][1]

    def _rewrite(self, given: Any) -> Any:
        if not self._changes(given):
            return given
        if hasattr(given, "consts"):
            made = self._trace(given.jaxpr, given.consts)
            return made.replace(jaxpr=made.jaxpr.replace(debug_info=given.jaxpr.debug_info))
        made = self._trace(given, ())
        # An open jaxpr has no place for constants. Ours need none; if another does, it stays as it was.
        return given if made.consts else made.jaxpr.replace(debug_info=given.debug_info)

    def _trace(self, jaxpr: Any, consts: Sequence[Any]) -> Any:
        return jax.make_jaxpr(lambda *args: self.evaluate(jaxpr, consts, args))(*(v.aval for v in jaxpr.invars))

    def _of_thunk(self, given: Any) -> Callable[..., Any]:
        """A user's derivative, which JAX traces when it needs it: a jaxpr, its constants, and more."""

        def thunk(*args: Any) -> tuple[Any, ...]:
            jaxpr, consts, *more = given.call_wrapped(*args)
            if not self._changes(jaxpr):
                return jaxpr, consts, *more
            made = self._trace(jaxpr, consts)
            return made.jaxpr, made.consts, *more

        return thunk

    def _of_backward(self, given: Any) -> Callable[..., Any]:
        return lambda *args: self.call(given.call_wrapped, args)

    def _shard_map(self, params: dict[str, Any]) -> Callable[..., Any]:
        """A `shard_map` of the rewritten function: only `shard_map` itself can trace for one device of a mesh."""
        axes = params["newly_manual_axes" if "newly_manual_axes" in params else "manual_axes"]
        return jax.shard_map(
            lambda *args: tuple(self.evaluate(params["jaxpr"], (), args)), mesh=params["mesh"], axis_names=set(axes),
            in_specs=params["in_specs"], out_specs=params["out_specs"], check_vma=params["check_vma"],
        )  # fmt: skip


class _Thunk(NamedTuple):
    """The form in which JAX calls for a user's derivative."""

    call_wrapped: Callable[..., Any]
    debug_info: Any


_ARRAY = object()  # a placeholder for an array among results


def is_array(value: Any) -> bool:
    """Whether a value is an array, which is traced. Python's numbers are not."""
    return isinstance(value, jax.Array) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind not in "OSUMmV"
    )


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns")


def _jaxprs_in(params: dict[str, Any]) -> list[Any]:
    values = [value if isinstance(value, tuple) else (value,) for value in params.values()]
    return [value for several in values for value in several if _is_jaxpr(value)]


def _last_uses(jaxpr: Any) -> dict[int, list[Any]]:
    """For each equation the variables that none after it reads."""
    last: dict[Any, int] = {}
    for i, eqn in enumerate(jaxpr.eqns):
        last |= {variable: i for variable in (*eqn.invars, *eqn.outvars) if not hasattr(variable, "val")}
    for variable in jaxpr.outvars:
        if not hasattr(variable, "val"):
            last.pop(variable, None)
    by_equation: dict[int, list[Any]] = {}
    for variable, i in last.items():
        by_equation.setdefault(i, []).append(variable)
    return by_equation
