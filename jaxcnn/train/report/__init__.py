"""The report page of a run: one HTML file that needs neither a network nor anything beside it."""

import html
import json
import re
from importlib.resources import files
from pathlib import Path

from jaxcnn.train.record import Run, write_whole
from jaxcnn.train.report.facts import Facts, facts_of

__all__ = ["facts_of", "page", "write_report"]

SCRIPTS = ("draw.js", "page.js", "explorer.js")


def write_report(run: Run, to: Path) -> Path:
    """Write the report page of a run.

    Args:
      run: read back by `open_run`; its data must still be where they were.
      to: the file.

    Returns:
      `to`.

    Raises:
      InputError: data that are gone or have changed, a damaged run directory, a file that can't be written.
    """
    write_whole(to, page(facts_of(run)).encode(), remedy="choose another file with --out")
    return to


def page(facts: Facts) -> str:
    """The HTML of the page: template, style, scripts and facts in one text.

    Args:
      facts: what `facts_of` returns.

    Returns:
      The text of report.html.
    """
    parts = {
        "title": html.escape(f"LeNet on {facts['run']['data']}"),
        "style": _text("page.css"),
        "script": "\n".join(map(_text, SCRIPTS)),
        # No "<" is left that could end the script element.
        "facts": json.dumps(facts, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], _text("page.html"))


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
