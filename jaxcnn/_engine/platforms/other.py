"""Platforms that nobody has measured (TPU, Metal): XLA's convolution where it has one."""

from jaxcnn._engine.algorithms.columns import rows
from jaxcnn._engine.algorithms.xla import xla
from jaxcnn._engine.platforms.rule import Rule, always
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.mirror import mirror
from jaxcnn._geometry import Geometry

NAMES = ()
EASIER = (mirror,)
PIECES = ()


def reduces_by_xla(g: Geometry) -> bool:
    return False


def pools_at_once(g: Geometry) -> bool:
    return False


POOLING = {
    "value": ("slices, one axis at a time", "not measured"),
    "definition": ("definition", "one window at a time, for reading"),
    "gradient": ("to the tap that won, or to all taps, by shifts", "not measured"),
}


def _convolved(p: Problem) -> bool:
    return 1 <= p.geometry.n <= 3 and not p.exact


RULES = (
    Rule(xla, _convolved, "not measured: XLA's convolution of floats in one to three axes"),
    Rule(rows, always, "not measured: a matrix product serves integers and other numbers of axes"),
)
