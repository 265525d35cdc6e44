"""The chooser: which way computes a face, by static facts."""

from typing import Any

from jaxcnn._geometry import Geometry, refuse
from jaxcnn._ways.columns import rows, windows
from jaxcnn._ways.definition import definition
from jaxcnn._ways.fft import fft
from jaxcnn._ways.shifts import shifts
from jaxcnn._ways.xla import xla

WAYS = {"definition": definition, "windows": windows, "rows": rows, "shifts": shifts, "fft": fft, "xla": xla}


def check_method(function: str, method: str) -> None:
    if method != "auto" and method not in WAYS:
        names = ", ".join(map(repr, ("auto", *WAYS)))
        raise ValueError(refuse(function, "method", f"{method!r} is unknown", f"use one of {names}"))


def choose(face: str, g: Geometry, sizes: dict[str, int], dtype: Any, *, on_cpu: bool) -> str:
    return "rows"
