"""The lessons: each is executed once and written in two languages, which share its outputs.

`docs/lessons/N_name.py` is in jupytext's percent format. Its text cells come in pairs, one language after the other:

    # %% [markdown] lang="en"
    # %% [markdown] lang="zh"

The first pair says `optimize=true` in a lesson that computes for long. A change of the text alone keeps the outputs.
As a program: `python docs/_lessons.py` builds what is not up to date, `python docs/_lessons.py 3` runs lesson 3 anew.
What the site shows of a lesson is made by `_publish.py`.
"""

import argparse
import asyncio
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

DOCS = Path(__file__).parent
LANGUAGES = ("en", "zh")
SECONDS_A_CELL = 120
AT_A_TIME = 2

# A browser shows the end of a source line as a space, which Chinese does not have between its characters, nor beside
# its punctuation.
_CHINESE = r"[\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
_STOP, _WORD = r"[\u201d\u3001\u3002\uff01\uff09\uff0c\uff1a\uff1b\uff1f]", "[A-Za-z`$*]"
LINE_END_IN_CHINESE = re.compile(rf"(?<={_CHINESE})\n *(?={_CHINESE})|(?<={_STOP})\n *(?={_WORD})")


# Executed behind the lesson's last cell.
WHAT_WAS_IMPORTED = """\
import json, sys
print(json.dumps([file for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None))]))
"""


class LessonError(Exception):
    """A lesson that cannot be built, and where it says so."""


def build(source: Path, target: Path) -> None:
    """Every lesson of the folder `source` as `target/en/N_name.ipynb` and `target/zh/N_name.ipynb`.

    Args:
      source: holds the lessons, `N_name.py`.
      target: what stands there and is up to date is kept, what belongs to no lesson is removed.

    Raises:
      LessonError: a text cell without its partner, or a code cell that fails.
    """
    lessons = lessons_of(source)
    for built in target.glob("*/*.ipynb"):
        if built.stem not in {lesson.stem for lesson in lessons}:
            built.unlink()
    due = [lesson for lesson in lessons if not is_built(lesson, target)]
    with ThreadPoolExecutor(AT_A_TIME) as kernels:  # each lesson runs in a process of its own
        list(kernels.map(lambda lesson: build_one(lesson, target), due))


def lessons_of(source: Path) -> list[Path]:
    return sorted(source.glob("[0-9]*_*.py"), key=lambda path: (int(path.name.split("_")[0]), path.name))


def is_built(lesson: Path, target: Path) -> bool:
    """Whether both languages stand there, made from the lesson, and from what it imports, as they are now."""
    written = _written(lesson, target)
    if not all(path.exists() for path in written):
        return False
    metadata = [nbformat.read(path, as_version=4).metadata for path in written]
    text, code = _text_digest(lesson), jupytext.read(lesson)
    return all(
        each.get("text") == text and each.get("digest") == _digest(code, each.get("imports", ())) for each in metadata
    )


def build_one(lesson: Path, target: Path, *, anew: bool = False) -> None:
    """Execute one lesson, unless what its outputs follow from is unchanged, and write it in each language."""
    notebook = jupytext.read(lesson)
    _check_partners(lesson, notebook)
    language = {"name": "python", "pygments_lexer": "ipython3"}
    notebook.metadata |= {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": language}
    before = [] if anew else [path for path in _written(lesson, target) if path.exists()]
    if not any(_take_outputs(notebook, nbformat.read(path, as_version=4)) for path in before):
        _execute_and_note(lesson, notebook)
    notebook.metadata["text"] = _text_digest(lesson)
    for language, path in zip(LANGUAGES, _written(lesson, target), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(_in_language(notebook, language), path)


def _take_outputs(notebook: NotebookNode, built: NotebookNode) -> bool:
    """Those of an earlier execution, if it was of the same code."""
    if built.metadata.get("digest") != _digest(notebook, built.metadata.get("imports", ())):
        return False
    code, executed = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, built))
    for cell, earlier in zip(code, executed, strict=True):
        cell.outputs, cell.execution_count = earlier.outputs, earlier.execution_count
    notebook.metadata |= {name: built.metadata[name] for name in ("imports", "digest")}
    return True


def _execute_and_note(lesson: Path, notebook: NotebookNode) -> None:
    """Execute the cells, and note what their outputs follow from."""
    notebook.cells.append(nbformat.v4.new_code_cell(WHAT_WAS_IMPORTED))
    _execute(lesson, notebook)
    imports = _ours(json.loads(notebook.cells.pop().outputs[0]["text"]))
    notebook.metadata |= {"imports": imports, "digest": _digest(notebook, imports)}


def _written(lesson: Path, target: Path) -> list[Path]:
    return [target / language / f"{lesson.stem}.ipynb" for language in LANGUAGES]


def _ours(imported: list[str]) -> list[str]:
    """Those of the files that a change of this project can change, as paths within the package or the docs."""
    return sorted(
        f"{name}/{Path(file).relative_to(root)}"
        for file in imported
        for name, root in _roots().items()
        if Path(file).is_relative_to(root)
    )


def _digest(notebook: NotebookNode, imports: Sequence[str]) -> str:
    """Of all that the outputs follow from: the code, what it imports of ours, and JAX."""
    digest = hashlib.sha256(importlib.metadata.version("jax").encode())
    digest.update(json.dumps([cell.source for cell in notebook.cells if cell.cell_type == "code"]).encode())
    folders = _roots()
    files = [folders[root] / path for root, _, path in (name.partition("/") for name in imports)]
    for path in files:
        digest.update(path.name.encode() + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()


def _text_digest(lesson: Path) -> str:
    """Of all else that is written: the lesson, and how it is built."""
    return hashlib.sha256(lesson.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def _roots() -> dict[str, Path]:
    return {"jaxcnn": Path(importlib.util.find_spec("jaxcnn").origin).parent, "docs": DOCS}


def _check_partners(lesson: Path, notebook: NotebookNode) -> None:
    """Text cells have to alternate between the languages, and no code may stand between two partners."""
    due = 0
    for cell in notebook.cells:
        language = _language(cell)
        if language == LANGUAGES[due]:
            due = 1 - due
        elif due:
            raise LessonError(f"{lesson.name}: the {LANGUAGES[0]} text before {_quoted(cell)} lacks its {LANGUAGES[1]}")
        elif language:
            raise LessonError(f"{lesson.name}: the {language} text {_quoted(cell)} has no {LANGUAGES[0]} before it")
        elif cell.cell_type == "markdown":
            raise LessonError(
                f'{lesson.name}: the text {_quoted(cell)} names no language; write lang="en" or lang="zh"'
            )
    if due:
        raise LessonError(f"{lesson.name}: its last {LANGUAGES[0]} text lacks its {LANGUAGES[1]}")


def _language(cell: NotebookNode) -> str | None:
    return cell.metadata.get("lang") if cell.cell_type == "markdown" else None


def _quoted(cell: NotebookNode) -> str:
    return repr(cell.source.strip().split("\n")[0])


def _execute(lesson: Path, notebook: NotebookNode) -> None:
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # or each kernel warns that its socket is not encrypted
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(DOCS)}},  # so that a lesson can import drawing
    )
    # The same numbers on each machine: no accelerator, and no message about one.
    settings = {"JAX_PLATFORMS": "cpu", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if notebook.cells[0].metadata.get("optimize"):  # .ci/run has the others compile quickly
        settings["XLA_FLAGS"] = ""
    try:
        asyncio.run(client.async_execute(env=os.environ | settings))  # a loop of its own, as this may be any thread
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise LessonError(f"{lesson.name}: {error}") from error


def _in_language(notebook: NotebookNode, language: str) -> NotebookNode:
    kept = [cell for cell in notebook.cells if cell.cell_type == "code" or _language(cell) == language]
    # Ids by number, so that the same lesson gives the same file.
    cells = [NotebookNode(cell | {"id": f"cell-{number}"}) for number, cell in enumerate(kept)]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = LINE_END_IN_CHINESE.sub("", cell.source)
    return NotebookNode(notebook | {"cells": cells})


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the lessons, and say how many seconds each took.")
    parser.add_argument("numbers", nargs="*", type=int, help="lessons to run anew; none: all that are not up to date")
    numbers = parser.parse_args().numbers
    source = DOCS / "lessons"
    target = source / "_built"
    for lesson in lessons_of(source):
        number = int(lesson.name.split("_")[0])
        if number not in numbers if numbers else is_built(lesson, target):
            continue
        started = time.perf_counter()
        try:
            build_one(lesson, target, anew=bool(numbers))
        except LessonError as error:
            sys.exit(str(error))
        sys.stdout.write(f"{lesson.stem}: {time.perf_counter() - started:.1f} s\n")


if __name__ == "__main__":
    main()
