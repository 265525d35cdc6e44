"""What docs/results.md and the README conclude from a table follows from its numbers."""

import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = (ROOT / "docs" / "results.md").read_text()
CASES = 22  # that the geometric mean runs over


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", RESULTS, re.MULTILINE | re.DOTALL)[1]


def table(text):
    """A dictionary by row of dictionaries by column."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    head, _, *rows = lines
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def numbers(cell):
    return [float(number) for number in cell.split(" / ")]


OPERATORS = table(section("Operators on a CPU"))
RIVALS = pytest.mark.parametrize("rival", ["lax", "torch"])


@RIVALS
def test_the_rows_that_are_slower_are_those_that_are_named(rival):
    said = re.search(rf"\*\*Slower than {rival}\*\*.*?\n\n((?:- .*\n)+)", section("Operators on a CPU"))[1]
    named = {case: what.split(", ") for case, what in re.findall(r"- `(.+)`: (.+)", said)}
    slower = {}
    for case, row in OPERATORS.items():
        ratios = dict(zip(("forward", "gradients"), numbers(row[f"{rival} / jaxcnn"]), strict=True))
        slower[case] = [what for what, ratio in ratios.items() if ratio < 1]
    assert named == {case: whats for case, whats in slower.items() if whats}


@RIVALS
def test_how_much_slower(rival):
    least = min(ratio for row in OPERATORS.values() for ratio in numbers(row[f"{rival} / jaxcnn"]))
    bound = {
        "lax": (r"by less than (\d+)%", lambda percent: 1 - percent / 100),
        "torch": (r"by up to ([\d.]+) times", lambda n: 1 / n),
    }
    words, ratio = bound[rival]
    said = float(re.search(rf"\*\*Slower than {rival}\*\* were .*?{words}", RESULTS)[1])
    assert ratio(said) <= least < ratio(said) + 0.05


@RIVALS
def test_the_geometric_means(rival):
    said = re.search(
        rf"geometric mean over the first {CASES} rows is .*?([\d.]+) / ([\d.]+) times {rival}", RESULTS, re.DOTALL
    )
    ratios = [numbers(row[f"{rival} / jaxcnn"]) for row in OPERATORS.values()][:CASES]
    for index in range(2):
        mean = math.exp(sum(math.log(min(pair[index], 20)) for pair in ratios) / CASES)
        assert mean == pytest.approx(float(said[1 + index]), abs=0.06)


def test_who_is_faster_at_a_step():
    torch_wins = {
        (case, rival)
        for case, row in table(section("One LeNet training step")).items()
        for rival in ("torch eager", "`torch.compile`")
        if float(row[rival]) < float(row["jaxcnn"])
    }
    assert torch_wins == {
        ("relu + max, batch 10", "torch eager"),
        ("relu + max, batch 128", "torch eager"),
        ("sigmoid + mean, batch 1024", "`torch.compile`"),
    }


def test_who_is_faster_on_a_gpu():
    rows = table(section("Operators on a GPU"))
    behind = lambda rival, index, by: {
        case for case, row in rows.items() if numbers(row[rival])[index] * by < numbers(row["jaxcnn"])[index]
    }
    assert behind("lax", 0, 1.05) == behind("torch", 0, 1.05) == {"LeNet's second layer, batch 1024"}
    assert behind("torch", 1, 1.05) == {"dilated 3x3, (32,256,28,28)"}


def test_the_figures_of_the_readme_stand_in_the_results():
    readme = (ROOT / "README.md").read_text()
    shown = table(re.search(r"^## Results\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)[1])
    assert len(shown) == 5
    known = set(re.findall(r"[\d.]+", RESULTS))
    for row in shown.values():
        assert set(re.findall(r"\d+(?:\.\d+)?", " ".join(row.values()))) <= known
