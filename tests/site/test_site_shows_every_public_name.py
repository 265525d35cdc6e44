"""The documentation site shows every public name, in both languages what its pages point to is there."""

import re
from pathlib import Path

import pytest
from public_names import public

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ZH = DOCS / "zh"
PAGES = [*sorted(ROOT.glob("README*.md")), *(page for folder in (DOCS, ZH, DOCS / "reference")
                                             for page in sorted(folder.glob("*.md")))]  # fmt: skip
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
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
    """The places of a page that a link can name; those of a lesson stand in its source."""
    headings = re.findall(r"^(?:# )?#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_what_a_page_points_to_exists(page):
    missing = []
    for link in (target or image for target, image in LINK.findall(page.read_text())):
        path, _, place = link.partition("#")
        if re.match(r"[a-z]+:", link) or path.startswith("_built/"):  # made by conf.py
            continue
        target = (page.parent / path) if path else page
        if target.suffix == ".ipynb":
            target = DOCS / "lessons" / f"{target.stem}.py"
        if not target.exists() or (place and place not in slugs(target)):
            missing.append(link)
    assert not missing


@EACH_PAGE
def test_what_a_page_includes_is_there(page):
    for path, start, end in INCLUDE.findall(page.read_text()):
        if "_built/" in path:
            continue
        text = (page.parent / path).read_text()
        if start:
            assert text.count(start) == text.count(end) == 1, f"{path}: {start} ... {end}"
            assert text.index(start) < text.index(end), f"{path}: {start} ... {end}"


def test_the_pages_hang_together():
    """Every page stands in a toctree."""
    for index, folder in ((DOCS / "index.md", ""), (DOCS / "reference.md", "reference/"), (ZH / "index.md", "")):
        listed = set(re.findall(rf"^{folder}([a-z_]+)$", index.read_text(), re.MULTILINE))
        assert {page.stem for page in (index.parent / folder).glob("*.md")} - {"index"} == listed


def test_each_chinese_page_has_its_twin():
    assert {page.name for page in ZH.glob("*.md")} <= {page.name for page in DOCS.glob("*.md")}


def test_the_pictures_of_sizes_are_those_that_are_drawn():
    drawn = re.findall(r'^    "(\w+)": ', (DOCS / "extensions" / "size_pictures.py").read_text(), re.MULTILINE)
    assert len(drawn) > 10
    for folder in (DOCS, ZH):
        assert sorted(re.findall(r"_built/(\w+)\.svg", (folder / "sizes.md").read_text())) == sorted(drawn)


@pytest.mark.parametrize("name", sorted(page.name for page in ZH.glob("*.md")))
def test_examples_are_the_same_in_both_languages(name):
    """Those of the English page are run."""
    english, chinese = (re.findall(r"(?s)```python\n.*?```", (folder / name).read_text()) for folder in (DOCS, ZH))
    assert chinese == english


WORDS_NOT_TAKEN = {  # for pooling of means, dilation, exercises, the cotangent, taps, the starting text
    "均值汇聚": "平均汇聚", "膨胀": "空洞", "习题": "练习", "余切": "上游梯度", "抽头": "权重", "起始文": "原文",
}  # fmt: skip


@pytest.mark.parametrize(
    "path", [*sorted((DOCS / "lessons").glob("*.py")), *sorted(ZH.glob("*.md"))], ids=lambda p: p.stem
)
def test_chinese_has_one_word_for_each_idea(path):
    text = path.read_text().replace("也叫膨胀", "")  # said once, for those who know it by that name
    assert not {word for word in WORDS_NOT_TAKEN if word in text}
