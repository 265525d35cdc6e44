"""Formulas as MathML, which browsers show by themselves: no script from a network."""

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: Any, node: nodes.math) -> None:
    _write(translator, node, as_block=False)


def _block(translator: Any, node: nodes.math_block) -> None:
    _write(translator, node, as_block=True)


def _write(translator: Any, node: nodes.Element, *, as_block: bool) -> None:
    try:
        formula = node.astext().replace(r"\dots", r"\ldots")  # the one name that docutils lacks
        translator.body.append(tex2mathml(formula, as_block=as_block))
    except MathError as error:
        logger.warning("a formula can't be read: %s", error, location=node)
    raise nodes.SkipNode
