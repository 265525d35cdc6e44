"""Reads arguments that are no arrays (ints, names, tuples), and words every error message the same way."""

import operator
from collections.abc import Callable, Iterable
from typing import Any

from jaxcnn._symbolic import at_least, is_symbol


def message(function: str, argument: str, problem: str, remedy: str = "") -> str:
    """The text of an error: the function, its argument, what is wrong in numbers, and what to do about it."""
    return f"{function}: {argument} {problem}" + (f"; {remedy}" if remedy else "")


def check_name(function: str, argument: str, value: Any, names: Iterable[str], more: str = "") -> None:
    """Raise unless `value` is one of these names; `more` says what else the argument may be."""
    known = tuple(names)
    if value not in known:
        remedy = f"use one of {', '.join(map(repr, known))}{more}"
        raise ValueError(message(function, argument, f"{value!r} is unknown", remedy))


def check_groups(function: str, argument: str, groups: int, **counts: int) -> None:
    """Raise unless the number of groups divides each of these counts; their keywords name them in the message."""
    for name, count in counts.items():
        if count % groups:
            problem = f"is {groups}, which does not divide the {count} {name}"
            raise ValueError(message(function, argument, problem, f"{' and '.join(counts)} must be multiples of it"))


def integer(function: str, argument: str, value: Any, *, least: int | None = None) -> int:
    """`value` as a Python int of at least `least`. A bool, a float or a traced array is a TypeError."""
    if is_symbol(value):
        problem = f"is the symbolic size {value}, but must be known when the program is exported"
        raise TypeError(message(function, argument, problem, "pass an int; adaptive_pool pools a map of any size"))
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        shown = (
            f"{type(value).__name__} {value!r}"
            if isinstance(value, float | bool | str)
            else f"a {type(value).__name__}"
        )
        remedy = "pass a Python int, known when the function is traced (under jit: static_argnames)"
        raise TypeError(message(function, argument, f"must be an int, not {shown}", remedy))
    if least is not None and number < least:
        raise ValueError(message(function, argument, f"is {number}, but must be at least {least}"))
    return number


def integer_or_symbol(function: str, argument: str, value: Any, *, least: int | None = None) -> Any:
    """`value` as an int, as `integer` reads it, or as a symbolic size."""
    if not is_symbol(value):
        return integer(function, argument, value, least=least)
    if least is not None:
        require_at_least(function, argument, f"is {value}", value, least)
    return value


def require_at_least(function: str, argument: str, problem: str, size: Any, least: Any) -> None:
    """Raise unless a symbolic size is large enough for certain; the message says which constraint makes it so."""
    if not at_least(size, least):
        remedy = f"add the constraint '{size} >= {least}' in jax.export.symbolic_shape(..., constraints=...)"
        raise ValueError(message(function, argument, f"{problem}, a symbolic size that may be too small", remedy))


def is_sequence(value: Any) -> bool:
    """Whether `value` lists something per axis. A string or a 0-d array does not."""
    return isinstance(value, Iterable) and not isinstance(value, str) and getattr(value, "ndim", 1) > 0


def check_entries(function: str, argument: str, values: tuple[Any, ...], n: int, remedy: str) -> None:
    """Raise unless there is one entry for each spatial axis."""
    if len(values) != n:
        problem = f"has {len(values)} entries, but there are {n} spatial axes"
        raise ValueError(message(function, argument, problem, remedy))


def per_axis(
    function: str, argument: str, value: Any, n: int, *, least: int | None = None, read: Callable[..., Any] = integer
) -> tuple[int, ...]:
    """One int for all n axes or one int per axis, as a tuple of n ints."""
    if not is_sequence(value):
        return (read(function, argument, value, least=least),) * n
    values = tuple(value)
    check_entries(function, argument, values, n, f"pass one int, or a tuple of {n}")
    return tuple(read(function, f"{argument} on axis {i}", v, least=least) for i, v in enumerate(values))


def rank_of(function: str, argument: str, value: Any, remedy: str = "") -> int:
    """How many spatial axes `value` has entries for. A lone int is a TypeError, since it does not say."""
    if not is_sequence(value):
        problem = f"is {value!r}, which does not say how many axes are windowed"
        raise TypeError(message(function, argument, problem, remedy or "pass a tuple, one int per axis"))
    return len(tuple(value))
