"""One JAX primitive for all functions that treat each window by itself, with its derivatives and its sharding.

Such a function takes padded maps. Because it treats each window by itself, several devices can each apply it to their
share, and its tangent and cotangent too. Before it, each share gets padding around it, or cells of the neighbours; the
adjoint gives these cells back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import jet

from jaxcnn._devices import Arrays, divided, origin_of, result_spec
from jaxcnn._engine.platforms import names
from jaxcnn._geometry import Geometry
from jaxcnn._padding import Border, bordered
from jaxcnn._primitives import derivatives_of, primitive, resharded_like


class Share(NamedTuple):
    """What a function of windows gets with its arrays."""

    g: Geometry  # the windows on maps that already have their padding
    origin: tuple[Any, ...]  # for each axis, the place of these maps' first cell on the whole map
    platform: str


# A function of windows, f(share, *arrays). It is hashable, and not a tuple: JAX 0.8 needs a weak reference to it. Its
# optional attributes name functions to use in its place: `in_derivative` where it is differentiated, `in_series` under
# `jet`, and `adjoint` for its transpose if it is linear in the last array.
Function = Any


def windowed(f: Function, x: jax.Array, g: Geometry, border: Border, dtype: Any = None) -> jax.Array:
    """f applied to the windows of x, one number for each: (*lead, *spatial) to (*lead, *out)."""
    made: jax.Array = of_windows.bind(
        x, f=f, roles=("x",), borders=(border,), result="y", around=None, geometry=g, dtype=jnp.dtype(dtype or x.dtype),
        is_linear=False,
    )  # fmt: skip
    return made


def linear(f: Function, a: jax.Array, g: Geometry, border: Border, role: str = "x", result: str = "y") -> jax.Array:
    """The same for a linear function, with maps, windows or one number a window as its input and its result."""
    made: jax.Array = of_windows.bind(
        a, f=f, roles=(role,), borders=(border if role == "x" else None,), result=result,
        around=border if result == "x" else None, geometry=g, dtype=a.dtype, is_linear=True,
    )  # fmt: skip
    return made


def winners(f: Function, x: jax.Array, g: Geometry, border: Border) -> tuple[jax.Array, jax.Array]:
    """The two results of f: the value of each window's winner, and its index, an int32."""
    value, index = winners_of_windows.bind(
        x, f=f, roles=("x",), borders=(border,), result="y", around=None, geometry=g,
        dtype=(x.dtype, jnp.dtype(jnp.int32)), is_linear=False,
    )  # fmt: skip
    return value, index


@dataclass(frozen=True)
class Linear:
    """A linear function of windows and its adjoint, both as f(share, array)."""

    forward: Callable[[Share, jax.Array], jax.Array]
    back: Callable[[Share, jax.Array], jax.Array]

    def __call__(self, share: Share, array: jax.Array) -> jax.Array:
        return self.forward(share, array)

    @property
    def adjoint(self) -> "Linear":
        return Linear(self.back, self.forward)


@dataclass(frozen=True)
class Tangent:
    """The tangent of f: its derivative in operand `at` along the last operand."""

    f: Any
    at: int

    def __call__(self, share: Share, *arrays: jax.Array) -> jax.Array:
        *operands, tangent = arrays
        made: jax.Array = jax.jvp(_in_operand(self.f, self.at, share, operands), (operands[self.at],), (tangent,))[1]
        return made

    @property
    def adjoint(self) -> "Cotangent":
        return Cotangent(self.f, self.at)


@dataclass(frozen=True)
class Cotangent:
    """The cotangent of f in operand `at`; the last operand is that of its result."""

    f: Any
    at: int

    def __call__(self, share: Share, *arrays: jax.Array) -> jax.Array:
        *operands, cotangent = arrays
        made: jax.Array = jax.vjp(_in_operand(self.f, self.at, share, operands), operands[self.at])[1](cotangent)[0]
        return made

    @property
    def adjoint(self) -> Tangent:
        return Tangent(self.f, self.at)


def _in_operand(f: Any, at: int, share: Share, operands: Sequence[jax.Array]) -> Callable[[jax.Array], jax.Array]:
    return lambda operand: f(share, *operands[:at], operand, *operands[at + 1 :])


# The primitive -------------------------------------------------------------------------------------------------------


def _shape(a: Any, *_: Any, geometry: Geometry, roles: Sequence[str], result: str, dtype: Any, **__: Any) -> Any:
    sides = {"x": geometry.size, "y": geometry.out, "windows": (*geometry.out, *geometry.window)}
    return (*a.shape[: a.ndim - len(sides[roles[0]])], *sides[result]), dtype


def _compute(
    *arrays: jax.Array, platform: str, f: Function, geometry: Geometry, borders: Sequence[Border | None],
    around: Border | None, origin: tuple[Any, ...] | None = None, **_: Any,
) -> jax.Array:  # fmt: skip
    share = Share(geometry.unpadded(), origin or origin_of(geometry), platform)
    made: jax.Array = f(share, *(
        array if border is None else bordered(array, geometry, border)
        for array, border in zip(arrays, borders, strict=True)
    ))  # fmt: skip
    if around is None:
        return made
    like = jax.ShapeDtypeStruct((*made.shape[: made.ndim - geometry.n], *geometry.size), made.dtype)
    inside: jax.Array = jax.linear_transpose(partial(bordered, g=geometry, border=around.of_tangents()), like)(made)[0]
    return inside


def _arrays(rank: int, geometry: Geometry, roles: Sequence[str], result: str) -> Arrays:
    """The arrays by their roles; `rank` is that of the first operand."""
    spatial = geometry.n * (2 if roles[0] == "windows" else 1)
    lead = tuple(f"lead{axis}" for axis in range(rank - spatial))
    return Arrays(dict.fromkeys((*roles, result), lead), tuple(roles), result, geometry.n)


def _spec(*operands: Any, geometry: Geometry, roles: Any, result: str, borders: Any, around: Any, **_: Any) -> Any:
    return result_spec(_arrays(operands[0].ndim, geometry, roles, result), geometry, operands, (*borders, around))


def _divide(
    on_a_device: Any, ranks: Any, *, geometry: Geometry, roles: Any, result: str, borders: Any, around: Any,
    results: int = 1, **params: Any,
) -> Any:  # fmt: skip
    def local(g: Geometry, origin: Any, *arrays: jax.Array) -> Any:
        return on_a_device(*arrays, geometry=g, origin=origin, borders=borders, around=around, **params)

    return divided(local, _arrays(ranks[0], geometry, roles, result), geometry, borders, around, results)


def _jvp(primals: Any, tangents: Any, **params: Any) -> Any:
    """The tangent is a sum over the operands, and each summand is linear in its last operand."""
    f, roles, borders, is_linear = (params[name] for name in ("f", "roles", "borders", "is_linear"))
    differentiated = getattr(f, "in_derivative", f)
    y = of_windows.bind(*primals, **params | {"f": differentiated})
    moved = []
    for at, tangent in enumerate(tangents):
        if tangent is None or not jnp.issubdtype(params["dtype"], jnp.inexact):
            continue
        around = borders[at] and borders[at].of_tangents()
        if is_linear and at == len(primals) - 1:
            moved.append(of_windows.bind(*primals[:-1], tangent, **params | {"borders": (*borders[:-1], around)}))
            continue
        more = {"f": Tangent(differentiated, at), "roles": (*roles, roles[at]), "borders": (*borders, around)}
        moved.append(of_windows.bind(*primals, tangent, **params | more | {"is_linear": True}))
    return y, sum(moved[1:], moved[0]) if moved else None


def _transpose(cotangent: Any, *operands: Any, **params: Any) -> Any:
    """The cotangent of the last operand, in which the function is linear."""
    *others, last = operands
    f, roles, borders, result, around = (params[name] for name in ("f", "roles", "borders", "result", "around"))
    turned = {
        "f": f.adjoint, "roles": (*roles[:-1], result), "borders": (*borders[:-1], around and around.of_tangents()),
        "result": roles[-1], "around": borders[-1], "dtype": last.aval.dtype,
    }  # fmt: skip
    return [*(None for _ in others), resharded_like(of_windows.bind(*others, cotangent, **params | turned), last.aval)]


def _series(primals: Any, terms: Any, **params: Any) -> Any:
    """The Taylor series: term by term for a linear function, as JAX finds it for any other."""
    if params["is_linear"] and len(primals) == 1:
        (border,) = params["borders"]
        of_terms = params | {"borders": (border and border.of_tangents(),)}
        return of_windows.bind(*primals, **params), [of_windows.bind(term, **of_terms) for term in terms[0]]
    plain = partial(_compute, platform="other", **params | {"f": getattr(params["f"], "in_series", params["f"])})
    return jet.jet(plain, primals, terms, factorial_scaled=False)


of_windows = primitive("jaxcnn_of_windows", _shape, _compute, platforms=names(), result_spec=_spec, divide=_divide)
derivatives_of(of_windows, _jvp, _series, _transpose)


# The same with two results, a value and an index. The value has the derivative of `f.in_derivative`.


def _winners_jvp(primals: Any, tangents: Any, **params: Any) -> Any:
    (x,), (tangent,), (border,) = primals, tangents, params["borders"]
    results = winners_of_windows.bind(x, **params)
    if tangent is None or not jnp.issubdtype(x.dtype, jnp.inexact):
        return results, (None, None)
    of_value = {
        "f": Tangent(params["f"].in_derivative, 0), "roles": ("x", "x"), "borders": (border, border.of_tangents()),
        "dtype": x.dtype, "is_linear": True,
    }  # fmt: skip
    return results, (of_windows.bind(x, tangent, **params | of_value), None)


def _winners_series(primals: Any, terms: Any, **params: Any) -> Any:
    return jet.jet(partial(_compute, platform="other", **params), primals, terms, factorial_scaled=False)


winners_of_windows = primitive(
    "jaxcnn_winners_of_windows", _shape, _compute, platforms=names(), result_spec=_spec,
    divide=partial(_divide, results=2), multiple_results=True,
)  # fmt: skip
derivatives_of(winners_of_windows, _winners_jvp, _winners_series)
