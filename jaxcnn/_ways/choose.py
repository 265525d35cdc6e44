"""The chooser: which way computes a face, by static facts."""

import math
from typing import Any

import jax.numpy as jnp

from jaxcnn._geometry import Geometry, refuse
from jaxcnn._ways.columns import rows, windows
from jaxcnn._ways.definition import definition
from jaxcnn._ways.fft import fft
from jaxcnn._ways.shifts import shifts
from jaxcnn._ways.xla import xla
from jaxcnn._windows import LONG

WAYS = {"definition": definition, "windows": windows, "rows": rows, "shifts": shifts, "fft": fft, "xla": xla}

# Taps from which a transform is cheaper than going through them.
MANY_TAPS = 100
# Terms of a cell, and products of all cells at a place, up to which one loop is faster than columns and a product.
FEW_TERMS, FEW_PRODUCTS = 72, 600


def check_method(function: str, method: str, dtype: Any) -> None:
    """Refuse an unknown way, and a transform of numbers that it would round."""
    if method != "auto" and method not in WAYS:
        names = ", ".join(map(repr, ("auto", *WAYS)))
        raise ValueError(refuse(function, "method", f"{method!r} is unknown", f"use one of {names}"))
    if method == "fft" and not jnp.issubdtype(dtype, jnp.inexact):
        problem = f"'fft' would round {jnp.dtype(dtype)}, which is exact otherwise"
        raise ValueError(refuse(function, "method", problem, "use another method, or convert to float32"))


def choose(face: str, g: Geometry, sizes: dict[str, int], dtype: Any, *, on_cpu: bool) -> str:
    """The rule. Milliseconds are those of two cores (AVX2), float32, of the way picked and of the next best.

    Face "x" comes here only with a stride that blocks could not take up: the others are another face's by then.
    """
    taps, ins, outs = math.prod(g.window), sizes["in"], sizes["out"]
    stride_1 = all(s == 1 for s in g.stride)
    if not on_cpu:
        return "xla" if 1 <= g.n <= 3 and jnp.issubdtype(dtype, jnp.inexact) else "rows"
    if taps > MANY_TAPS and stride_1 and dtype == jnp.float32 and ins * outs <= 1024:
        return "fft"  # depthwise 31x31: 3.0 for 45; 16 channels of 11x11: 6.0 for 8.5; 64 of them 172 for 33
    if ins == outs == 1 and taps <= MANY_TAPS and face != "x":
        return "shifts"  # depthwise 3x3: 0.5 for 5.8; the gradient for the kernel 0.9 for 8.8
    terms = ins * taps
    if terms <= FEW_TERMS and terms * outs <= FEW_PRODUCTS and face == "y" and stride_1:
        return "shifts"  # LeNet's first layer: 0.6 for 0.9; 8 groups of 8 channels, 3x3: 0.6 for 1.0
    if g.n and g.axes[-1].window > LONG:
        laid_out = "windows"  # 1024 taps, 8 channels, float64: 1.3 s to compile for 53
    else:
        laid_out = min(("windows", "rows"), key=lambda name: WAYS[name].cells(face, g, ins, outs))
    if sizes["group"] > 1 and dtype != jnp.float32:
        return laid_out  # XLA makes one kernel of such groups, with zeros between them, which spread a NaN
    if taps > MANY_TAPS and stride_1 and g.n <= 2 and ins * outs > 1024:
        return "xla"
    if g.n == 1 and ins * outs >= 1024 and taps > 1:
        return "xla"  # 64 channels of 9: 17 for 42
    if min(ins, outs) >= 256 and g.n == 2 and taps > 1:
        return "xla"  # 256 channels of 3x3: 11 for 11, and nothing is laid out
    if face != "x" and g.n == 2 and ins * outs >= 1024 and any(a.dilation > 1 for a in g.axes):
        return "xla"  # 64 channels of 3x3, dilation 4: 3.7 for 3.9; the wide overlap makes many columns
    return laid_out
