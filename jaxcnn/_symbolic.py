"""Sizes that are symbols while a program is exported: integers of which only some facts are known."""

from collections.abc import Callable
from typing import Any

import jax
import jax.export

# JAX 0.8 has it in another module.
_UNKNOWN = getattr(jax.errors, "InconclusiveDimensionOperation", None) or jax.core.InconclusiveDimensionOperation


def is_symbolic(*sizes: Any) -> bool:
    """Whether one of these sizes, ints otherwise, is a symbol."""
    return not all(isinstance(size, int) for size in sizes)


def is_symbol(value: Any) -> bool:
    """Whether a value of any kind is a symbolic size."""
    return jax.export.is_symbolic_dim(value)


def known(fact: Callable[[], bool]) -> bool:
    """Whether a fact about sizes holds for all values that their constraints allow, as far as JAX can tell."""
    try:
        return bool(fact())
    except _UNKNOWN:
        return False


def at_least(a: Any, b: Any) -> bool:
    """Whether a >= b is known."""
    return known(lambda: a >= b)


def larger(a: Any, b: Any) -> int:
    """The larger of two sizes; a symbol is an int to whoever reads the types."""
    found: int = jax.core.max_dim(a, b) if is_symbolic(a, b) else max(a, b)
    return found


def smaller(a: Any, b: Any) -> int:
    found: int = jax.core.min_dim(a, b) if is_symbolic(a, b) else min(a, b)
    return found
