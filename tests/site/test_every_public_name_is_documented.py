"""A public name says what it is, what it takes and gives, how it fails, where it is from, and shows itself at work."""

import doctest
import inspect
import re

import pytest

import jaxcnn
from jaxcnn import lenet, train

HEADINGS = ("Args", "Returns", "Raises", "Source")
CORE = {name: getattr(jaxcnn, name) for name in jaxcnn.__all__ if name != "lenet"}
LENET = {f"lenet.{name}": getattr(lenet, name) for name in ("init", "apply", "layers")}
TRAIN = {f"train.{name}": getattr(train, name) for name in train.__all__}
RANKED = {name for name in CORE if re.search(r"\dd$", name)}
FUNCTIONS = {name: f for name, f in (CORE | LENET | TRAIN).items() if inspect.isfunction(f)}
TAKES_ANYTHING = {"train.make_evaluate", "train.make_step", "train.new_state"}  # what they are given fails later


def sections(documented):
    """Text by heading; what stands before the first one is under ""."""
    parts = re.split(rf"^({'|'.join(HEADINGS)}): ?", inspect.getdoc(documented) or "", flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", CORE | LENET | TRAIN)
def test_summary(name):
    """One line that ends as a sentence or a formula does, then a free one."""
    first, *rest = inspect.getdoc((CORE | LENET | TRAIN)[name]).splitlines()
    assert re.search(r"\w.*[.:`)]$", first)
    assert not rest or not rest[0]


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - RANKED))
def test_sections(name):
    wanted = {"Args", "Returns"} | (set() if name in TAKES_ANYTHING else {"Raises"})
    wanted |= set() if name.startswith("train.") else {"Source"}
    there = {heading for heading, text in sections(FUNCTIONS[name]).items() if text.strip()}
    assert wanted <= there


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - RANKED))
def test_every_argument_is_told_of(name):
    told = re.findall(r"\w+", sections(FUNCTIONS[name])["Args"])
    assert not inspect.signature(FUNCTIONS[name]).parameters.keys() - set(told)


@pytest.mark.parametrize("name", sorted(RANKED))
def test_a_rank_checked_name_points_to_its_operation(name):
    """Which takes the same arguments, and is held to the law itself."""
    operation = FUNCTIONS[name].__wrapped__
    assert operation.__name__ in FUNCTIONS.keys() - RANKED
    assert f"`{operation.__name__}`" in sections(FUNCTIONS[name])[""]
    assert "rank" in sections(FUNCTIONS[name])["Raises"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_example(name):
    """That calls the function; pytest runs it with the doctests of its module."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(FUNCTIONS[name]))
    assert any(f"{name.rpartition('.')[2]}(" in example.source for example in examples)
    assert examples[-1].want
