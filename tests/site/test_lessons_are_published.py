"""A lesson's page has a text for each picture; its notebook has all that it needs; its times bear out what it says."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path[:0] = [str(DOCS), str(DOCS / "extensions")]
import _lessons  # noqa: E402  found by the path above
import _publish  # noqa: E402
import picture_labels  # noqa: E402

SVG = '<svg><text x="1">input channel</text></svg>'
LESSONS = _lessons.lessons_of(DOCS / "lessons")


def notebook(*texts, svgs=(SVG,)):
    """A lesson of text cells, and pictures after the last of them."""
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("# 1. One", *texts)]
    cells[0].metadata |= {"minutes": 20, "needs": ""}
    for svg in svgs:
        output = nbformat.v4.new_output("display_data", {"image/svg+xml": svg, "text/plain": "Picture"})
        cells.append(nbformat.v4.new_code_cell("import drawing\npicture", outputs=[output]))
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "3"}})


@pytest.mark.parametrize(("language", "label"), [("en", "input channel"), ("zh", "输入通道")])
def test_a_picture_gets_its_text_and_its_words(language, label):
    page = _publish.as_page(notebook("Look:\n\n<!-- picture: Two\nchannels -->"), language, "1_one")
    assert page.cells[2].source == "Look:"
    picture = page.cells[-1]
    assert picture.metadata["mystnb"]["image"]["alt"] == "Two channels"
    assert label in picture.outputs[0].data["image/svg+xml"]
    assert "20" in page.cells[1].source


@pytest.mark.parametrize(
    ("texts", "svgs", "message"),
    [
        (("Look.",), (SVG,), r"1_one: the en text before this picture says nothing of it:\nimport drawing"),
        (("<!-- picture: One -->",), (SVG, SVG), r"1_one: the en text before this picture says nothing"),
        (("<!-- picture: One -->",), (), r"1_one: no picture comes after 'One'"),
    ],
)
def test_a_picture_without_its_text_is_refused(texts, svgs, message):
    with pytest.raises(_publish.PublishError, match=message):
        _publish.as_page(notebook(*texts, svgs=svgs), "en", "1_one")


def test_a_label_without_its_chinese_is_refused():
    with pytest.raises(
        picture_labels.LabelError, match=r"a picture says 'some words', which .*picture_labels.py has no"
    ):
        picture_labels.translated("<text>some words</text>", "zh")


def test_a_notebook_runs_anywhere(tmp_path):
    """It brings its helpers, and points to nothing that is not with it."""
    text = "See [sizes](../sizes.md) and [LeNet](https://arxiv.org).\n\n<!-- picture: One -->"
    taken = _publish.to_take_away(notebook(text), "en")
    assert taken.cells[2].source.startswith("%%writefile drawing.py\n")
    (tmp_path / "drawing.py").write_text(taken.cells[2].source.partition("\n")[2])
    compile((tmp_path / "drawing.py").read_text(), "drawing.py", "exec")
    assert taken.cells[3].source == "See sizes and [LeNet](https://arxiv.org)."
    assert not any(cell.get("outputs") for cell in taken.cells)
    nbformat.validate(taken)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_notebook_imports_only_what_its_extra_brings(lesson):
    brought = {"jax", "jaxcnn", "numpy", "optax", "scipy", "drawing"} | sys.stdlib_module_names
    code = re.sub(r"(?m)^#.*$", "", lesson.read_text())
    assert set(re.findall(r"(?m)^(?:from|import) (\w+)", code)) <= brought


@pytest.mark.parametrize("page", [DOCS / "lessons.md", DOCS / "zh" / "lessons.md"], ids=["en", "zh"])
def test_the_map_says_what_the_lessons_say(page):
    rows = re.findall(
        r"^\| \[(.+?)\]\(lessons/(\w+)\.ipynb\) \|.*\| (\d+) \| (\S+) \|$", page.read_text(), re.MULTILINE
    )
    language = "zh" if page.parent.name == "zh" else "en"
    said = []
    for lesson in LESSONS:
        cell = re.search(
            rf'lang="{language}" minutes=(\d+) needs="(\d*)"(?: optimize=true)?\n# # (.+)', lesson.read_text()
        )
        said.append((cell[3], lesson.stem, cell[1], cell[2] or "–"))
    assert rows == said


def test_the_times_of_the_last_lesson_bear_out_its_text():
    times = json.loads((DOCS / "lessons" / "8_times.json").read_text())
    assert times["1 loops"] > 200 * times["6 auto"]  # a factor of hundreds
    ways = ("windows", "rows", "shifts", "fft", "xla")
    layer = lambda name: {way: times[f"{name}: {way}"] for way in ways if f"{name}: {way}" in times}
    fastest = lambda name: min(layer(name), key=layer(name).get)
    assert fastest("this one") in ("windows", "rows")
    assert fastest("depthwise 3x3") == "shifts"
    assert fastest("depthwise 21x21") == "fft"
    many = layer("256 channels 3x3").values()
    assert max(many) < 1.5 * min(many)
    in_order = [
        times[name] for name in ("1 loops", "2 definition, op by op", "3 definition, compiled", "4 windows", "5 rows")
    ]
    assert in_order == sorted(in_order, reverse=True)
