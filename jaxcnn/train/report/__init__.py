"""The report page of a run: one HTML file that needs no network and no other file."""

import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jaxcnn.train.files import write_atomically
from jaxcnn.train.report.facts import Facts, facts_of

__all__ = ["facts_of", "filled", "page", "write_page"]

SCRIPTS = ("draw.js", "chart.js", "page.js", "windows.js", "explorer.js")


def page(facts: Facts) -> str:
    """The text of report.html, from what `facts_of` returns."""
    return filled("page.html", f"LeNet on {facts['run']['data']}", SCRIPTS, facts)


def write_page(to: Path, text: str) -> None:
    """Write a page to the file that --out names.

    Raises:
      InputError: it can't be written.
    """
    write_atomically(to, text.encode(), remedy="choose another file with --out")


def filled(template: str, title: str, scripts: Sequence[str], facts: Facts) -> str:
    """A page: its template with the style, the scripts and the facts put in."""
    parts = {
        "title": html.escape(title),
        "style": _text("page.css"),
        "script": "\n".join(map(_text, scripts)),
        # No "<" is left that could end the script element.
        "facts": json.dumps(facts, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], _text(template))


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
