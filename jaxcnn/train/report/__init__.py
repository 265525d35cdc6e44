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


def write_report(
    run: Run, to: Path, *, data_dir: Path | None = None, data_file: Path | None = None
) -> tuple[str, ...]:
    """Write the report page of a run.

    Args:
      run: read back by `open_run`.
      to: the file.
      data_dir, data_file: where its data are, if they have moved.

    Returns:
      What is to be said of the data.

    Raises:
      InputError: data that are gone or have changed, a damaged run directory, a file that can't be written.
    """
    facts = facts_of(run, data_dir=data_dir, data_file=data_file)
    write_whole(to, page(facts).encode(), remedy="choose another file with --out")
    return tuple(facts["notes"])


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
