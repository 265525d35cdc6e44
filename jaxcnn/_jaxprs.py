"""A traced function evaluated with other functions in the place of some equations, also of those that it calls."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxcnn._primitives import bind_again, wrapped_anew


class Replace(Protocol):
    """What stands in an equation's place, a function of its operands; None leaves it as it is."""

    def __call__(self, eqn: Any) -> Callable[..., Any] | None: ...

    def look_ahead(self, jaxpr: Any) -> None:
        """See the equations that are evaluated next, together."""


# Primitives whose inner functions are looked into: what these are called with is what the parameters say.
CALLS = {
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint", "scan", "while", "cond",
    "custom_jvp_call", "custom_vjp_call", "custom_vmap_call",
}  # fmt: skip


class Rewriting:
    """One function rewritten: an inner function that is called several times stays one."""

    def __init__(self, replace: Replace) -> None:
        self.replace = replace
        self.done: dict[int, tuple[Any, Any]] = {}  # by the identity of a jaxpr, which is kept alive beside the result

    def call(self, f: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """f(*values), a list; of both only what is an array is traced."""
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
                del known[variable]  # as Python would: an eager call keeps no more than it needs
        return [read(atom) for atom in jaxpr.outvars]

    def _evaluate_equation(self, eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
        instead = self.replace(eqn)
        if instead is not None:
            made = bind_again(eqn, values, instead)
        elif eqn.primitive.name == "shard_map" and self._changes(eqn.params["jaxpr"]):
            made = bind_again(eqn, values, self._shard_map(eqn.params))
        else:
            made = bind_again(eqn, values, changed=self._inner_functions(eqn))
        return made if eqn.primitive.multiple_results else [made]

    def _changes(self, jaxpr: Any) -> bool:
        """Whether an equation of a function, or of one within, is replaced."""
        jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
        return any(
            self.replace(eqn) is not None
            or (eqn.primitive.name in {*CALLS, "shard_map"} and any(map(self._changes, _jaxprs_in(eqn.params))))
            for eqn in jaxpr.eqns
        )  # fmt: skip

    def _inner_functions(self, eqn: Any) -> dict[str, Any]:
        """The parameters of an equation that hold functions in which something is replaced, anew."""
        if eqn.primitive.name not in CALLS:
            return {}
        changed: dict[str, Any] = {}
        for name, value in eqn.params.items():
            if name in ("jvp_jaxpr_fun", "fwd_jaxpr_thunk"):
                changed[name] = _Thunk(self._of_thunk(value), value.debug_info)
            elif name == "bwd":
                changed[name] = wrapped_anew(value, self._of_backward(value))
            elif isinstance(value, tuple) and any(map(_is_jaxpr, value)):
                changed[name] = tuple(map(self._rewritten, value))
            elif _is_jaxpr(value):
                changed[name] = self._rewritten(value)
        return changed

    def _rewritten(self, given: Any) -> Any:
        """A jaxpr, closed or open, of the same arguments."""
        if id(given) not in self.done:
            self.done[id(given)] = given, self._rewritten_anew(given)
        return self.done[id(given)][1]

    def _rewritten_anew(self, given: Any) -> Any:
        if not self._changes(given):
            return given
        if hasattr(given, "consts"):
            made = self._trace(given.jaxpr, given.consts)
            return made.replace(jaxpr=made.jaxpr.replace(debug_info=given.jaxpr.debug_info))
        made = self._trace(given, ())
        # An open one has no place for constants; then it stays as it is. Ours need none.
        return given if made.consts else made.jaxpr.replace(debug_info=given.debug_info)

    def _trace(self, jaxpr: Any, consts: Sequence[Any]) -> Any:
        return jax.make_jaxpr(lambda *args: self.evaluate(jaxpr, consts, args))(*(v.aval for v in jaxpr.invars))

    def _of_thunk(self, given: Any) -> Callable[..., Any]:
        """A derivative that somebody wrote, traced when it is asked for: its jaxpr, its constants, and more."""

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
        """Its function is traced for the devices of a mesh, by which only itself can trace."""
        axes = params["newly_manual_axes" if "newly_manual_axes" in params else "manual_axes"]
        return jax.shard_map(
            lambda *args: tuple(self.evaluate(params["jaxpr"], (), args)), mesh=params["mesh"], axis_names=set(axes),
            in_specs=params["in_specs"], out_specs=params["out_specs"], check_vma=params["check_vma"],
        )  # fmt: skip


class _Thunk(NamedTuple):
    """What JAX calls for a derivative."""

    call_wrapped: Callable[..., Any]
    debug_info: Any


_ARRAY = object()  # stands for an array among results


def is_array(value: Any) -> bool:
    """Whether a value is traced; Python's numbers are not, nor is anything else."""
    return isinstance(value, jax.Array) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind not in "OSUMmV"
    )


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns")


def _jaxprs_in(params: dict[str, Any]) -> list[Any]:
    values = [value if isinstance(value, tuple) else (value,) for value in params.values()]
    return [value for several in values for value in several if _is_jaxpr(value)]


def _last_uses(jaxpr: Any) -> dict[int, list[Any]]:
    """The variables that no equation after this one reads."""
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
