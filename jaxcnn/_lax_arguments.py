"""Reads the arguments of `conv_general_dilated` and `reduce_window` as lax does, with lax's types of exception."""

from collections.abc import Sequence
from typing import Any

from jaxcnn._errors import integer, integer_or_symbol, is_sequence, message
from jaxcnn._geometry import Pair, padding_pairs

Error = type[Exception]
PADDINGS = ("VALID", "SAME", "SAME_LOWER")


def ints(
    function: str, argument: str, values: Any, n: int, *, whose: str, wrong_length: Error, below_one: Error
) -> tuple[int, ...]:
    """One int at least 1 for each of the n axes of `whose`."""
    if not is_sequence(values):
        raise TypeError(message(function, argument, f"is {values!r}, but must be a sequence of {n} ints"))
    numbers = tuple(integer(function, f"{argument} on axis {i}", value) for i, value in enumerate(values))
    if len(numbers) != n:
        problem = f"has {len(numbers)} entries, but {whose} has {n} axes"
        raise wrong_length(message(function, argument, problem, "use 1 for an axis that is not windowed"))
    if any(number < 1 for number in numbers):
        raise below_one(message(function, argument, f"is {numbers}, but each must be at least 1"))
    return numbers


def pairs(
    function: str, padding: Any, size: Sequence[int], window: Sequence[int], stride: Sequence[int],
    dilation: Sequence[int], *, whose: str, unreadable: Error, wrong_length: Error,
) -> tuple[Pair, ...]:  # fmt: skip
    """One (low, high) per axis, from one of lax's names in any case, or from pairs."""
    if isinstance(padding, str):
        if padding.upper() not in PADDINGS:
            names = "'VALID', 'SAME', 'SAME_LOWER' or pairs"
            raise RuntimeError(message(function, "padding", f"{padding!r} is unknown", f"use {names}"))
        return padding_pairs(function, padding.upper(), size, window, stride, dilation)
    try:
        read = [tuple(integer_or_symbol(function, "padding", pad) for pad in (low, high)) for low, high in padding]
    except (TypeError, ValueError) as error:
        problem = f"is {padding!r}, but must be a string or one (low, high) of ints per axis"
        raise unreadable(message(function, "padding", problem)) from error
    if len(read) != len(window):
        problem = f"has {len(read)} pairs, but {whose} has {len(window)} axes"
        raise wrong_length(message(function, "padding", problem))
    return tuple((low, high) for low, high in read)
