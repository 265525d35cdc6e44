"""Loads a package's names when they are first used, so that importing the package is quick."""

import ast
import importlib
import sys
from collections.abc import Callable
from typing import Any


def names_of_stub(package: str) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__all__`, `__getattr__` and `__dir__`, from the imports of its stub `__init__.pyi`.

    Editors and type checkers read the stub too, so the names stand in one place.

    Args:
      package: its full name.

    Returns:
      The names in alphabetical order; the function that Python calls for a name that is not loaded; and the one that it
      calls to list all names.
    """
    with open(f"{sys.modules[package].__file__}i") as stub:
        imports = [node for node in ast.parse(stub.read()).body if isinstance(node, ast.ImportFrom)]
    home_of = {alias.name: node.module for node in imports for alias in node.names}

    def load(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        found = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, found)
        return found

    return sorted(home_of), load, lambda: sorted({*vars(sys.modules[package]), *home_of})
