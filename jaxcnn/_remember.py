"""Compiles a public function once for each set of options and shapes, and records calls for `explain`."""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, ParamSpec, TypeVar

import jax

from jaxcnn._arrays import as_array

P = ParamSpec("P")
R = TypeVar("R")
CACHE_SIZE = 4096  # functions with their options


def remembered(*arrays: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for a function of the arrays named here, and of options.

    An eager call compiles the function as a whole, once for its shapes and options. Under a transformation the compiled
    function is inlined, as if it were not there.
    """

    def decorate(operation: Callable[P, R]) -> Callable[P, R]:
        name, parameters = operation.__name__, inspect.signature(operation).parameters
        positional = tuple(p.name for p in parameters.values() if p.kind is not p.KEYWORD_ONLY)

        @functools.wraps(operation)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args) > len(positional) or not kwargs.keys().isdisjoint(positional[: len(args)]):
                return operation(*args, **kwargs)  # raises Python's own TypeError
            options = dict(zip(positional, args, strict=False)) | kwargs
            operands = {
                argument: as_array(name, argument, options.pop(argument))
                for argument in arrays
                if options.get(argument) is not None
            }
            if (made := _MADE.get()) is not None:
                made.append(Call(operation, operands, options, getattr(jax.config, "jax_default_matmul_precision")))  # noqa: B009
            try:
                compiled: Callable[..., R] = _compiled(operation, _Options(options))
            except TypeError:  # an option without a hash, such as an array, or a wrong one, which `operation` reports
                return operation(*args, **kwargs)
            return compiled(**operands)

        return call

    return decorate


class Call(NamedTuple):
    """A call of a decorated function, as `explain` shows it."""

    operation: Callable[..., Any]
    operands: dict[str, Any]
    options: dict[str, Any]
    precision: Any  # `jax_default_matmul_precision` at the time


_MADE: ContextVar[list[Call] | None] = ContextVar("calls made", default=None)


def calls_made_by(f: Callable[[], Any]) -> list[Call]:
    """The calls that f makes, in order."""
    made: list[Call] = []
    token = _MADE.set(made)
    try:
        f()
    finally:
        _MADE.reset(token)
    return [
        call._replace(operands={name: jax.ShapeDtypeStruct(a.shape, a.dtype) for name, a in call.operands.items()})
        for call in made
    ]


@functools.lru_cache(CACHE_SIZE)
def _compiled(operation: Callable[..., Any], options: "_Options") -> Callable[..., Any]:
    return jax.jit(functools.partial(operation, **options.given), inline=True)


class _Options:
    """Options with a hash in which 1, 1.0 and True differ."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.key = tuple((name, _typed(option)) for name, option in given.items())
        self.hashed = hash(self.key)

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Options) and self.key == other.key


def _typed(option: Any) -> Any:
    if isinstance(option, tuple | list):
        return (type(option), *map(_typed, option))
    if callable(option):
        raise TypeError("a function that is new for each call would be compiled for each call")
    return type(option), option
