"""The report page of a run: one HTML file that needs no network and no other file."""

import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jaxcnn.train.files import write_atomically
from jaxcnn.train.report.facts import Facts, facts_of
from jaxcnn.train.saved import Run

__all__ = ["facts_of", "page", "write_report"]

SCRIPTS = ("draw.js", "chart.js", "page.js", "windows.js", "explorer.js")


def write_report(run: Run, to: Path, facts: Facts | None = None) -> Path:
    """Write the report page of a run.

    Args:
      run: read back by `open_run`.
      to: the file.
      facts: of the run; None computes them, its data must still be where they were.

    Returns:
      `to`.

    Raises:
      InputError: data that are gone or have changed, a damaged run directory, a file that can't be written.
    """
    write_atomically(to, page(facts or facts_of(run)).encode(), remedy="choose another file with --out")
    return to


def page(facts: Facts) -> str:
    """The HTML of the page: template, style, scripts and facts in one text.

    Args:
      facts: what `facts_of` returns.

    Returns:
      The text of report.html.
    """
    return filled("page.html", f"LeNet on {facts['run']['data']}", SCRIPTS, facts)


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
