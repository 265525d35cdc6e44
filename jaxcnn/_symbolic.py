"""Symbolic sizes, as `jax.export` uses them: integers of which only some facts are known."""

from collections.abc import Callable
from typing import Any

import jax
import jax.export

# JAX 0.8 has this exception in another module.
_UNKNOWN = getattr(jax.errors, "InconclusiveDimensionOperation", None) or jax.core.InconclusiveDimensionOperation


def is_symbolic(*sizes: Any) -> bool:
    """Whether any of these sizes is a symbol and not an int."""
    return not all(isinstance(size, int) for size in sizes)


def is_symbol(value: Any) -> bool:
    """Whether this value, of whatever type, is a symbolic size."""
    return jax.export.is_symbolic_dim(value)


def known(fact: Callable[[], bool]) -> bool:
    """Whether JAX can prove a fact about sizes, for all values that their constraints allow."""
    try:
        return bool(fact())
    except (_UNKNOWN, AssertionError):  # JAX 0.10.2 asserts that each bound which it computes is an integer
        return False


def at_least(a: Any, b: Any) -> bool:
    """Whether a >= b for certain."""
    return known(lambda: a >= b)


def larger(a: Any, b: Any) -> int:
    """The larger of two sizes. For type checkers a symbol is an int."""
    found: int = jax.core.max_dim(a, b) if is_symbolic(a, b) else max(a, b)
    return found


def smaller(a: Any, b: Any) -> int:
    """The smaller of two sizes."""
    found: int = jax.core.min_dim(a, b) if is_symbolic(a, b) else min(a, b)
    return found
