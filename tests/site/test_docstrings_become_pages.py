"""The site's reference says what the docstrings say: every word of them, and no stray markup."""

import doctest
import inspect
import re
from pathlib import Path

import pytest
from checks import module_at
from public_names import public

import jaxcnn.train

SOURCE = Path(__file__).parents[2] / "docs" / "extensions" / "docstrings.py"
LINKS = {name: f"jaxcnn.{name}" for name in ("conv", "correlate", "pool", "pool2d", "windows")}


@pytest.fixture(scope="module")
def docstrings():
    return module_at(SOURCE)


def docstring_of(name):
    found = jaxcnn
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return inspect.getdoc(found).split("\n")


def plain(rst):
    """Text without the markup that `to_rst` puts in."""
    text = "\n".join(rst).replace(".. code-block:: text\n   :class: formula\n", "")
    text = re.sub(r":py:func:`(\w+) <[\w.]+>`", r"\1", text)
    return re.sub(r"``|\\", "", text).replace(":Arguments:", "Args:")


@pytest.mark.parametrize("name", sorted(public()))
def test_no_word_is_lost(docstrings, name):
    said = docstring_of(name)
    shown = plain(docstrings.to_rst(said, LINKS))
    words = lambda text: re.findall(r"\w+", text.replace("\\", ""))
    assert words(shown) == words("\n".join(said))


@pytest.mark.parametrize("name", sorted(public()))
def test_no_star_or_bar_is_left_to_be_taken_for_markup(docstrings, name):
    rst = "\n".join(docstrings.to_rst(docstring_of(name), LINKS))
    prose = re.sub(r"^ *>>> (.+\n)+|^\.\. code-block.*\n(   .*\n|\n)+", "", rst, flags=re.MULTILINE)
    prose = re.sub(r"``[^`]+``|:py:func:`[^`]+`|\\.", "", prose)
    assert not re.search(r"[*|`]", prose), prose


def test_each_formula_is_code(docstrings):
    rst = docstrings.to_rst(docstring_of("jaxcnn.conv_transpose"), LINKS)
    formulas = [line for line in rst if line.startswith("   ") and " = " in line][:2]
    assert rst.count(".. code-block:: text") == 2
    assert [formula.split()[0] for formula in formulas] == ["<conv_transpose(y,", "size_out"]


def test_its_own_example(docstrings):
    result = doctest.testmod(docstrings)
    assert result.attempted
    assert not result.failed
