"""jaxcnn's docstrings as reStructuredText: formula lines as code, sections as lists, names as links."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

SECTIONS = {"Args:": "Arguments", "Returns:": "Returns", "Raises:": "Raises"}
ITEM = re.compile(r"  (\S.*?): (.*)")
CODE = re.compile(r"`([^`]+)`")


def to_rst(docstring: Iterable[str], links: Mapping[str, str]) -> list[str]:
    """A docstring in the house's form as reStructuredText.

    Args:
      docstring: its lines, without the indentation that all share.
      links: the full name of each function that a name in backticks links to; other names become code.

    >>> docstring = ["Add.", "", "f(x) = x * 2", "", "Args:", "  x: (*lead,), as `f` takes it."]
    >>> print("\\n".join(to_rst(docstring, {"f": "package.f"})))
    Add.
    <BLANKLINE>
    .. code-block:: text
       :class: formula
    <BLANKLINE>
       f(x) = x * 2
    <BLANKLINE>
    :Arguments:
       - ``x``: (\\*lead,), as :py:func:`f <package.f>` takes it.
    <BLANKLINE>
    """
    rst: list[str] = []
    in_front = True  # of the first section, where formulas stand
    for paragraph in _paragraphs(docstring):
        head = paragraph[0]
        if head in SECTIONS:
            in_front = False
            rst += _section(SECTIONS[head], paragraph[1:], links)
        elif head.startswith(">>> "):
            rst += paragraph
        elif head.startswith("Source: "):
            rst += _field("Source", [head.removeprefix("Source: "), *paragraph[1:]], {})  # others' names
        elif in_front and rst and not paragraph[-1].endswith((".", ":")):
            rst += [".. code-block:: text", "   :class: formula", "", *(f"   {line}" for line in paragraph)]
        else:
            rst += _inline(paragraph, links)
        rst.append("")
    return rst


def _paragraphs(lines: Iterable[str]) -> Iterator[list[str]]:
    for blank, paragraph in groupby(lines, lambda line: not line.strip()):
        if not blank:
            yield list(paragraph)


def _section(title: str, lines: list[str], links: Mapping[str, str]) -> list[str]:
    """`Returns` is text; the others are items, a name or several and what is said of them."""
    if title == "Returns":
        return _field(title, [line.removeprefix("  ") for line in lines], links)
    items: list[list[str]] = []
    for line in lines:
        if item := ITEM.fullmatch(line):
            names = ", ".join(f"``{name}``" for name in item[1].split(", "))
            items.append([f"   - {names}: {_escaped(item[2], links)}"])
        else:
            items[-1].append(f"     {_escaped(line.strip(), links)}")
    return [f":{title}:", *(line for item in items for line in item)]


def _field(title: str, lines: list[str], links: Mapping[str, str]) -> list[str]:
    first, *rest = _inline(lines, links)
    return [f":{title}: {first}", *(f"   {line.strip()}" for line in rest)]


def _inline(lines: list[str], links: Mapping[str, str]) -> list[str]:
    """Escaped as one text, since a name in backticks can go on in the next line."""
    return _escaped("\n".join(lines), links).split("\n")


def _escaped(text: str, links: Mapping[str, str]) -> str:
    pieces = CODE.split(text)
    pieces[::2] = [re.sub(r"[\\*|]|_(?!\w)", r"\\\g<0>", prose) for prose in pieces[::2]]
    pieces[1::2] = [f":py:func:`{code} <{links[code]}>`" if code in links else f"``{code}``" for code in pieces[1::2]]
    return "".join(pieces)


def setup(app: Any) -> dict[str, Any]:
    app.add_config_value("docstring_links", {}, "env", dict)
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst(lines, app.config.docstring_links)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Fields of a named tuple that have no text but Python's own."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None
