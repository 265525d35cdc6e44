"""What the site shows of an executed lesson, and the notebook that a reader takes away."""

import re
from pathlib import Path

import nbformat
import picture_labels
from nbformat import NotebookNode

DOCS = Path(__file__).parent
ALT = re.compile(r"\s*<!-- picture:\s+(.*?)\s+-->", re.DOTALL)
RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)|<a href=\"(?!https?:)[^>]*>([^<]*)</a>")
WORDS = {
    "en": {
        "head": "About {minutes} minutes{needs}. Take it with you: {{download}}`the notebook <notebooks/{name}.ipynb>` "
        "runs after [one `pip install`](../lessons.md#run-a-lesson-yourself).",
        "needs": ", after lesson {}",
        "needs none": ", no lesson before it",
        "setup": "This notebook needs `jaxcnn[lessons]`: `pip install '.[lessons]'` in a checkout of jaxcnn. The next "
        "cell writes the helpers that draw its pictures.",
    },
    "zh": {
        "head": "约 {minutes} 分钟{needs}。{{download}}`下载本课的 notebook <notebooks/{name}.ipynb>`，"
        "[一条 `pip install`](../lessons.md#自己动手运行) 之后就能运行。",
        "needs": "，先读第 {} 课",
        "needs none": "，不需要先读别的课",
        "setup": "运行这份 notebook 需要 `jaxcnn[lessons]`：在 jaxcnn 的源码目录里执行 `pip install '.[lessons]'`。"
        "下一格写出画图用的小工具。",
    },
}


class PublishError(Exception):
    """A picture without its alternative text, or the reverse."""


def publish(built: Path, language: str, source: Path) -> None:
    """Every lesson of `built` as a page, `source/lessons/N_name.ipynb`, and to take away, in its folder notebooks/."""
    pages = source / "lessons"
    (pages / "notebooks").mkdir(parents=True, exist_ok=True)
    for old in (*pages.glob("*.ipynb"), *pages.glob("notebooks/*.ipynb")):
        if not (built / old.name).exists():
            old.unlink()
    for path in sorted(built.glob("*.ipynb")):
        write_if_new(as_page(nbformat.read(path, as_version=4), language, path.stem), pages / path.name)
        write_if_new(to_take_away(nbformat.read(path, as_version=4), language), pages / "notebooks" / path.name)


def write_if_new(notebook: NotebookNode, path: Path) -> None:
    """So that Sphinx reads only what has changed."""
    text = nbformat.writes(notebook)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def as_page(notebook: NotebookNode, language: str, name: str) -> NotebookNode:
    """With a line on what the lesson takes, words in the pictures translated, and a text for those who can't see them.

    Raises:
      PublishError: a picture without its text, `<!-- picture: ... -->` before it, or such a text without its picture.
    """
    waiting: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            waiting += [" ".join(text.split()) for text in ALT.findall(cell.source)]
            cell.source = ALT.sub("", cell.source)
            continue
        for output in cell.outputs:
            if svg := output.get("data", {}).get("image/svg+xml"):
                if not waiting:
                    raise PublishError(
                        f"{name}: the {language} text before this picture says nothing of it:\n{cell.source}"
                    )
                cell.metadata["mystnb"] = {"image": {"alt": waiting.pop(0)}}
                output.data = {"image/svg+xml": picture_labels.translated(svg, language)}
    if waiting:
        raise PublishError(f"{name}: no picture comes after {waiting[0]!r}")
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(_head(notebook, language, name), id="head"))
    return notebook


def _head(notebook: NotebookNode, language: str, name: str) -> str:
    words, said = WORDS[language], notebook.cells[0].metadata
    needs = words["needs"].format(said["needs"]) if said.get("needs") else words["needs none"]
    return words["head"].format(minutes=said["minutes"], needs=needs, name=name)


def to_take_away(notebook: NotebookNode, language: str) -> NotebookNode:
    """Without outputs, and with all that it needs beside the packages."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = RELATIVE_LINK.sub(r"\1\2", ALT.sub("", cell.source))
        else:
            cell.outputs, cell.execution_count = [], None
        cell.metadata = {}
    helpers = "%%writefile drawing.py\n" + (DOCS / "drawing.py").read_text()
    setup = nbformat.v4.new_markdown_cell(WORDS[language]["setup"], id="setup")
    folded = {"jupyter": {"source_hidden": True}}
    notebook.cells[1:1] = [setup, nbformat.v4.new_code_cell(helpers, id="helpers", metadata=folded)]
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    return notebook
