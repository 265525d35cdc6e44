"""Formulas set by KaTeX while the site is built; its style sheet and fonts are files of the site."""

import atexit
import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import npm
from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)


class FormulaError(Exception):
    """A formula that KaTeX can't read, and what it says of it."""


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("katex", (_inline, None), (_block, None))
    app.add_css_file("katex/katex.min.css")
    app.connect("build-finished", _copy_style)
    return {"parallel_read_safe": True, "parallel_write_safe": False}


@functools.cache
def render(tex: str, *, block: bool = False) -> str:
    """A formula as HTML, with the same as MathML for screen readers."""
    process = _process()
    process.stdin.write(json.dumps({"tex": tex, "block": block}) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    if "error" in answer:
        raise FormulaError(answer["error"])
    return answer["html"]


@functools.cache
def _process() -> subprocess.Popen[str]:
    """One Node for all formulas: starting one takes longer than setting a page."""
    command = [npm.NODE, Path(__file__).with_name("katex.js"), npm.package("katex")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    atexit.register(process.communicate)
    return process


def _inline(translator: Any, node: nodes.math) -> None:
    _write(translator, node, block=False)


def _block(translator: Any, node: nodes.math_block) -> None:
    _write(translator, node, block=True)


def _write(translator: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        translator.body.append(render(node.astext(), block=block))
    except FormulaError as error:
        logger.warning("a formula can't be read: %s", error, location=node)
    raise nodes.SkipNode


def _copy_style(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        target, style = Path(app.outdir) / "_static" / "katex", npm.package("katex") / "dist"
        (target / "fonts").mkdir(parents=True, exist_ok=True)
        shutil.copy(style / "katex.min.css", target)
        for font in (style / "fonts").glob("*.woff2"):  # the only kind that browsers of today ask for
            shutil.copy(font, target / "fonts")
