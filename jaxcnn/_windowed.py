"""Functions of windows, as one primitive of JAX: on one device, divided among several, and their derivatives.

Such a function is given padded maps, and makes something of each window by itself. So on several devices it is the same
function of each one's share, and so is its derivative; padding, or in its place what the neighbours have, is put around
the maps before it. Its adjoint goes the same way back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import jet

from jaxcnn._devices import Arrays, divided, lies, origin_of
from jaxcnn._engine.platforms import names
from jaxcnn._geometry import Geometry
from jaxcnn._padding import Border, bordered
from jaxcnn._primitives import derivatives_of, lying_as, primitive


class Share(NamedTuple):
    """What a function of windows knows beside its arrays."""

    g: Geometry  # the windows on maps that are padded already
    origin: tuple[Any, ...]  # for each axis, on which cell of the whole map the first cell of these maps lies
    platform: str


# A function of windows: f(share, *arrays), hashable, and no tuple, of which JAX 0.8 can't hold a weak reference. It may
# say what to take in its place where it is differentiated (`in_derivative`) and under `jet` (`in_series`), and what its
# adjoint is (`adjoint`) if it is linear in the last array.
Function = Any


def windowed(f: Function, x: jax.Array, g: Geometry, border: Border, dtype: Any = None) -> jax.Array:
    """f of the windows on x, one cell for each: (*lead, *spatial) to (*lead, *out)."""
    made: jax.Array = of_windows.bind(
        x, f=f, roles=("x",), borders=(border,), result="y", around=None, laid=g, dtype=jnp.dtype(dtype or x.dtype),
        is_linear=False,
    )  # fmt: skip
    return made


def linear(
    f: Function, a: jax.Array, g: Geometry, border: Border, role: str = "x", result: str = "y"
) -> jax.Array:  # fmt: skip
    """The same, of a function that is linear, of arrays of any roles."""
    made: jax.Array = of_windows.bind(
        a, f=f, roles=(role,), borders=(border if role == "x" else None,), result=result,
        around=border if result == "x" else None, laid=g, dtype=a.dtype, is_linear=True,
    )  # fmt: skip
    return made


def winners(f: Function, x: jax.Array, g: Geometry, border: Border) -> tuple[jax.Array, jax.Array]:
    """The two results of f: the value of the winner of each window, and where it stands, an int32."""
    value, place = winners_of_windows.bind(x, f=f, laid=g, border=border)
    return value, place


@dataclass(frozen=True)
class Tangent:
    """The derivative of f in operand `at`, along a tangent, which is the last operand."""

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
    """The adjoint of that, of a cotangent, which is the last operand."""

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


def _shape(a: Any, *_: Any, laid: Geometry, roles: Sequence[str], result: str, dtype: Any, **__: Any) -> Any:
    sides = {"x": laid.size, "y": laid.out, "windows": (*laid.out, *laid.window)}
    return (*a.shape[: a.ndim - len(sides[roles[0]])], *sides[result]), dtype


def _compute(
    *arrays: jax.Array, platform: str, f: Function, laid: Geometry, borders: Sequence[Border | None],
    around: Border | None, origin: tuple[Any, ...] | None = None, **_: Any,
) -> jax.Array:  # fmt: skip
    share = Share(laid.unpadded(), origin or origin_of(laid), platform)
    made: jax.Array = f(share, *(
        array if border is None else bordered(array, laid, border)
        for array, border in zip(arrays, borders, strict=True)
    ))  # fmt: skip
    if around is None:
        return made
    like = jax.ShapeDtypeStruct((*made.shape[: made.ndim - laid.n], *laid.size), made.dtype)
    inside: jax.Array = jax.linear_transpose(partial(bordered, g=laid, border=around.of_tangents()), like)(made)[0]
    return inside


def _arrays(rank: int, laid: Geometry, roles: Sequence[str], result: str) -> Arrays:
    """`rank` is that of the first operand."""
    spatial = laid.n * (2 if roles[0] == "windows" else 1)
    lead = tuple(f"lead{axis}" for axis in range(rank - spatial))
    return Arrays(dict.fromkeys((*roles, result), lead), tuple(roles), result, laid.n)


def _lies(*operands: Any, laid: Geometry, roles: Any, result: str, borders: Any, around: Any, **_: Any) -> Any:
    return lies(_arrays(operands[0].ndim, laid, roles, result), laid, operands, (*borders, around))


def _divide(on_a_device: Any, ranks: Any, *, laid: Geometry, roles: Any, result: str, **params: Any) -> Any:
    def local(g: Geometry, origin: Any, *arrays: jax.Array) -> Any:
        return on_a_device(*arrays, laid=g, origin=origin, **params)

    return divided(local, _arrays(ranks[0], laid, roles, result), laid, params["borders"], params["around"])


def _jvp(primals: Any, tangents: Any, **params: Any) -> Any:
    """The tangent is the sum over the operands; each summand is linear in the last operand."""
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
    """Of the last operand, in which it is linear."""
    *others, last = operands
    f, roles, borders, result, around = (params[name] for name in ("f", "roles", "borders", "result", "around"))
    turned = {
        "f": f.adjoint, "roles": (*roles[:-1], result), "borders": (*borders[:-1], around and around.of_tangents()),
        "result": roles[-1], "around": borders[-1], "dtype": last.aval.dtype,
    }  # fmt: skip
    return [*(None for _ in others), lying_as(of_windows.bind(*others, cotangent, **params | turned), last.aval)]


def _series(primals: Any, terms: Any, **params: Any) -> Any:
    """Of Taylor: of a linear function term by term, of any other as JAX finds it."""
    if params["is_linear"] and len(primals) == 1:
        (border,) = params["borders"]
        of_terms = params | {"borders": (border and border.of_tangents(),)}
        return of_windows.bind(*primals, **params), [of_windows.bind(term, **of_terms) for term in terms[0]]
    plain = partial(_compute, platform="other", **params | {"f": getattr(params["f"], "in_series", params["f"])})
    return jet.jet(plain, primals, terms, factorial_scaled=False)


of_windows = primitive("jaxcnn_of_windows", _shape, _compute, platforms=names(), lies=_lies, divide=_divide)
derivatives_of(of_windows, _jvp, _series, _transpose)


# Of two results, a value and a place; the value has the derivative of the function of windows that f says.


def _winners_shape(x: Any, *, laid: Geometry, **_: Any) -> Any:
    return (*x.shape[: x.ndim - laid.n], *laid.out), (x.dtype, jnp.dtype(jnp.int32))


def _winners(x: jax.Array, *, border: Border, **params: Any) -> Any:
    return _compute(x, borders=(border,), around=None, **params)


def _winners_lie(x: Any, *, laid: Geometry, border: Border, **_: Any) -> Any:
    return lies(_arrays(x.ndim, laid, ("x",), "y"), laid, (x,), (border,))


def _divide_winners(on_a_device: Any, ranks: Any, *, laid: Geometry, border: Border, f: Any) -> Any:
    def local(g: Geometry, origin: Any, x: jax.Array) -> Any:
        return on_a_device(x, laid=g, origin=origin, border=border, f=f)

    return divided(local, _arrays(ranks[0], laid, ("x",), "y"), laid, (border,), results=2)


def _winners_jvp(primals: Any, tangents: Any, *, f: Any, laid: Geometry, border: Border) -> Any:
    (x,), (tangent,) = primals, tangents
    value, place = winners_of_windows.bind(x, f=f, laid=laid, border=border)
    if tangent is None or not jnp.issubdtype(x.dtype, jnp.inexact):
        return (value, place), (None, None)
    moved = of_windows.bind(
        x, tangent, f=Tangent(f.in_derivative, 0), roles=("x", "x"), borders=(border, border.of_tangents()),
        result="y", around=None, laid=laid, dtype=x.dtype, is_linear=True,
    )  # fmt: skip
    return (value, place), (moved, None)


def _winners_series(primals: Any, terms: Any, *, f: Any, laid: Geometry, border: Border) -> Any:
    return jet.jet(lambda x: tuple(_winners(x, platform="other", f=f, laid=laid, border=border)), primals, terms,
                   factorial_scaled=False)  # fmt: skip


winners_of_windows = primitive(
    "jaxcnn_winners_of_windows", _winners_shape, _winners, platforms=names(), lies=_winners_lie, divide=_divide_winners,
    several=True,
)  # fmt: skip
derivatives_of(winners_of_windows, _winners_jvp, _winners_series)
