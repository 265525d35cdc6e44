"""Makes the names that check the rank: `conv2d` is `conv` for two spatial axes only."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from jaxcnn._arrays import as_array
from jaxcnn._errors import message

P = ParamSpec("P")
R = TypeVar("R")


def ranked(
    operation: Callable[P, R], name: str, n: int, read: Callable[[str, Any, int], Any], example: str
) -> Callable[P, R]:
    """`operation` for n spatial axes only: `read(function, argument, n)` checks and returns its second argument."""
    signature = inspect.signature(operation)
    required = [name for name, each in signature.parameters.items() if each.default is each.empty]
    second = required[1]

    @functools.wraps(operation)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if len(args) >= 2 and all(needed in kwargs for needed in required[len(args) :]):
            first, given, *others = args
            return operation(first, read(name, given, n), *others, **kwargs)  # type: ignore[arg-type]
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        bound.arguments[second] = read(name, bound.arguments[second], n)
        return operation(*bound.args, **bound.kwargs)

    checked.__name__ = checked.__qualname__ = name
    axes = "axis" if n == 1 else "axes"
    checked.__doc__ = (
        f"`{operation.__name__}` with the rank checked: {n} spatial {axes}, the same arguments.\n\n"
        f"Raises:\n  ValueError: a {second} of another rank, and whatever `{operation.__name__}` raises.\n\n"
        f"{example.format(name=name, n=n)}\n"
    )
    return checked


def kernel_rank(lead: int) -> Callable[[str, Any, int], Any]:
    """A `read` for kernels: they must have `lead` axes before their n window axes."""

    def read(function: str, kernel: Any, n: int) -> Any:
        rank = as_array(function, "kernel", kernel).ndim
        if rank != lead + n:
            channels = f"{lead} of channels and " if lead else ""
            problem = f"has {rank} axes, but {function} takes {lead + n}: {channels}{n} of the window"
            other = f"use {function[:-2]}{rank - lead}d for this kernel" if 1 <= rank - lead <= 3 else ""
            raise ValueError(message(function, "kernel", problem, other))
        return kernel

    return read
