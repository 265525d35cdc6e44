"""A lesson is executed once, and both languages show what came of it."""

from pathlib import Path

import nbformat
import pytest
from checks import module_at

lessons = module_at(Path(__file__).parents[2] / "docs" / "_lessons.py")

EN, ZH = '# %% [markdown] lang="en"\n# ', '# %% [markdown] lang="zh"\n# '
CODE = "# %%\n"
COUNTED = """\
# %%
from pathlib import Path

log = Path({log!r})
with log.open("a") as file:
    file.write("run ")
log.read_text(), id(object())
"""


def write(folder, text, name="1_tiny.py"):
    lesson = folder / "lessons" / name
    lesson.parent.mkdir(exist_ok=True)
    lesson.write_text(text, encoding="utf-8")
    return lesson


def built(folder, language, name="1_tiny"):
    return nbformat.read(folder / "built" / language / f"{name}.ipynb", as_version=4)


def build(folder):
    lessons.build(folder / "lessons", folder / "built")


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A lesson that notes each run of its code, and shows what no second run would show again."""
    folder = tmp_path_factory.mktemp("counted")
    log = folder / "log"
    write(folder, f"{EN}One window\n\n{ZH}一个窗口\n\n{COUNTED.format(log=str(log))}\n{EN}The end\n\n{ZH}完\n")
    build(folder)
    return folder, log


def test_one_run_two_languages(counted):
    folder, log = counted
    en, zh = built(folder, "en"), built(folder, "zh")
    assert log.read_text() == "run "
    outputs = [[cell.outputs for cell in notebook.cells if cell.cell_type == "code"] for notebook in (en, zh)]
    assert outputs[0] == outputs[1]
    assert outputs[0][0][0].data["text/plain"].startswith("('run ', ")
    assert [cell.source for cell in en.cells if cell.cell_type == "markdown"] == ["One window", "The end"]
    assert [cell.source for cell in zh.cells if cell.cell_type == "markdown"] == ["一个窗口", "完"]
    nbformat.validate(en)


def test_only_what_changed_runs_again(tmp_path):
    log = tmp_path / "log"
    lesson = write(tmp_path, COUNTED.format(log=str(log)))
    build(tmp_path)
    build(tmp_path)
    assert log.read_text() == "run "
    lesson.write_text(lesson.read_text() + "\n# %%\n2")
    build(tmp_path)
    assert log.read_text() == "run run "
    (tmp_path / "built" / "zh" / "1_tiny.ipynb").unlink()
    build(tmp_path)  # from the outputs of the other
    assert (tmp_path / "built" / "zh" / "1_tiny.ipynb").exists()
    lesson.write_text(f"{lesson.read_text()}\n\n{EN}One\n\n{ZH}一\n")
    build(tmp_path)
    assert built(tmp_path, "zh").cells[-1].source == "一"
    assert built(tmp_path, "zh").cells[0].outputs == built(tmp_path, "en").cells[0].outputs
    assert log.read_text() == "run run "


def test_what_a_lesson_imports_and_no_more_makes_it_run_again(tmp_path, monkeypatch):
    log, package, docs = tmp_path / "log", tmp_path / "jaxcnn", tmp_path / "docs"
    for name in (package / "used.py", package / "unused.py", docs / "drawn.py"):
        name.parent.mkdir(exist_ok=True)
        name.write_text("")
    monkeypatch.setattr(lessons, "_roots", lambda: {"jaxcnn": package, "docs": docs})
    paths = f"import sys\nsys.path[:0] = {[str(package), str(docs)]}\nimport used, drawn"
    write(tmp_path, f"{COUNTED.format(log=str(log))}\n{CODE}{paths}\n")
    runs = 1
    for changed, again in (("unused.py", 0), ("../docs/drawn.py", 1)):
        build(tmp_path)
        (package / changed).write_text("1")
        build(tmp_path)
        runs += again
        assert log.read_text() == "run " * runs


def test_chinese_has_no_spaces_where_lines_end():
    lines = "一个窗口，\n四个和。\n$Y$ 是\n`corr2d` 的结果：\n\n$$Y$$\n\n1. 先用\n   手算\n2. 循环"
    joined = "一个窗口，四个和。$Y$ 是\n`corr2d` 的结果：\n\n$$Y$$\n\n1. 先用手算\n2. 循环"
    assert lessons.LINE_END_IN_CHINESE.sub("", lines) == joined


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{EN}One\n\n{CODE}1", r"1_tiny.py: the en text before '1' lacks its zh"),
        (f"{EN}One\n\n{EN}Two\n\n{ZH}二", r"1_tiny.py: the en text before 'Two' lacks its zh"),
        (f"{EN}One", r"1_tiny.py: its last en text lacks its zh"),
        (f"{CODE}1\n\n{ZH}一\n", r"1_tiny.py: the zh text '一' has no en before it"),
        (f"{EN}One\n\n{CODE}1\n\n{ZH}一", r"1_tiny.py: the en text before '1' lacks its zh"),
        ("# %% [markdown]\n# One\n", r"1_tiny.py: the text 'One' names no language"),
    ],
)
def test_partners_are_asked_for(tmp_path, text, message):
    write(tmp_path, text)
    with pytest.raises(lessons.LessonError, match=message):
        build(tmp_path)
    assert not (tmp_path / "built").exists()


def test_a_failing_cell_is_named(tmp_path):
    write(tmp_path, f"{CODE}height = 3\n\n{CODE}window = height // 0\n")
    with pytest.raises(lessons.LessonError, match=r"(?s)1_tiny.py: .*window = height // 0.*ZeroDivisionError"):
        build(tmp_path)
    assert not (tmp_path / "built").exists()


def test_what_belongs_to_no_lesson_is_removed(tmp_path):
    (tmp_path / "lessons").mkdir()
    left_over = tmp_path / "built" / "en" / "9_gone.ipynb"
    left_over.parent.mkdir(parents=True)
    left_over.write_text("{}")
    build(tmp_path)
    assert not left_over.exists()


def test_lessons_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10_last.py", "2_second.py", "1_first.py", "notes.py"):
        write(tmp_path, "", name)
    assert [lesson.name for lesson in lessons.lessons_of(tmp_path / "lessons")] == [
        "1_first.py",
        "2_second.py",
        "10_last.py",
    ]
