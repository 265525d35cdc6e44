"""The documentation site shows every public name, and what its pages point to is there."""

import re
from pathlib import Path

import pytest
from public_names import public

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BUILT = ("_built/", "lessons/_built/")  # made by conf.py
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "reference").glob("*.md"))]
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception):: (\S+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|^```\{image\} (\S+)", re.MULTILINE)
INCLUDE = re.compile(
    r"```\{(?:literal)?include\} (\S+)\n(?::start-a(?:fter|t): \"?(.+?)\"?\n:end-before: \"?(.+?)\"?\n)?"
)


def shown():
    """The full names that the reference documents, each as often as it does."""
    names = []
    for page in sorted((DOCS / "reference").glob("*.md")):
        text = page.read_text()
        module = re.search(r"currentmodule:: (\S+)", text)
        names += [name if "." in name else f"{module[1]}.{name}" for name in DIRECTIVE.findall(text)]
    return names


def test_the_reference_shows_each_public_name_once():
    assert sorted(shown()) == sorted(public())


def slugs(path):
    """The places of a page that a link can name."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_exists(page):
    missing = []
    for link in (target or image for target, image in LINK.findall(page.read_text())):
        path, _, place = link.partition("#")
        if re.match(r"[a-z]+:", link) or path.startswith(BUILT):
            continue
        target = (page.parent / path) if path else page
        if not target.exists() or (place and place not in slugs(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_includes_is_there(page):
    for path, start, end in INCLUDE.findall(page.read_text()):
        if "_built/" in path:
            continue
        text = (page.parent / path).read_text()
        if start:
            assert text.count(start) == text.count(end) == 1, f"{path}: {start} ... {end}"
            assert text.index(start) < text.index(end), f"{path}: {start} ... {end}"


def test_each_marker_of_the_readme_has_its_end():
    marks = re.findall(r"^<!-- (/?)(.+) -->$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(marks) > 10
    assert [name for slash, name in marks[::2]] == [name for slash, name in marks[1::2]]
    assert [slash for slash, name in marks] == ["", "/"] * (len(marks) // 2)


def test_the_pages_hang_together():
    """Every page stands in a toctree."""
    for index, folder in ((DOCS / "index.md", ""), (DOCS / "reference.md", "reference/")):
        listed = set(re.findall(rf"^{folder}([a-z_]+)$", index.read_text(), re.MULTILINE))
        assert {page.stem for page in (DOCS / folder).glob("*.md")} - {"index"} == listed


def test_the_pictures_of_sizes_are_those_that_are_drawn():
    drawn = re.findall(r'^    "(\w+)": ', (DOCS / "extensions" / "size_pictures.py").read_text(), re.MULTILINE)
    shown_there = re.findall(r"_built/(\w+)\.svg", (DOCS / "sizes.md").read_text())
    assert len(drawn) > 10
    assert sorted(drawn) == sorted(shown_there)
