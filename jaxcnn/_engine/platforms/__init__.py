"""Platforms, a file each: which algorithm computes what there, and the measurements behind it.

These are the only files that know a millisecond. A platform's file has the names that JAX has for it (`NAMES`), the
rewrites that come before the choice of an algorithm (`EASIER`) and behind it (`PIECES`), and the rules of that choice,
of which the first that applies is taken (`RULES`).
"""

import functools
import importlib
import pkgutil
from types import ModuleType

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.algorithms.definition import definition


@functools.cache
def platforms() -> tuple[ModuleType, ...]:
    """The file of each platform, in the order of the alphabet."""
    found = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(module for module in found if hasattr(module, "RULES"))


def platform_of(name: str) -> ModuleType:
    """The file of the platform that JAX, or its file, calls so; `other` for those that nobody has measured."""
    by_name = {named: file for file in platforms() for named in (*file.NAMES, file.__name__.rpartition(".")[2])}
    return by_name.get(name, by_name["other"])


def names() -> tuple[str, ...]:
    """JAX's names of the platforms that have files of their own."""
    return tuple(name for file in platforms() for name in file.NAMES)


def methods() -> dict[str, Algorithm]:
    """The algorithms by the names that a user gives; all but the definition are some platform's choice."""
    rules = (rule for file in platforms() for rule in file.RULES)
    return {definition.name: definition} | {rule.algorithm.name: rule.algorithm for rule in rules}
