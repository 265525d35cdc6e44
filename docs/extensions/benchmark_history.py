"""How fast each release was: one picture and one table, from the files that the benchmarks wrote.

`docs/history/VERSION/` holds `ops.json` and `models.json`, as `scripts/bench_ops.py --json` and
`scripts/bench_models.py --json` wrote them; a release may lack one of them.
"""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.ticker import FixedLocator, ScalarFormatter

import drawing

TITLES = {"ops.json": "Operators", "models.json": "Whole models"}
NOTHING = "No release has been measured yet."


class HistoryError(Exception):
    """A file of the history that is not as the benchmarks write it."""


@dataclass(frozen=True)
class Release:
    """lax's time over ours with all gradients, by the name of a row, and where that was measured."""

    version: str
    machine: str
    ratios: dict[str, float]


def releases(folder: Path, name: str) -> list[Release]:
    """Those that have the file `name`, the oldest first.

    Raises:
      HistoryError: a folder that is no version, or a file without a positive number for each row.
    """
    return [_read(path) for path in sorted(folder.glob(f"*/{name}"), key=_version)]


def _version(path: Path) -> tuple[int, ...]:
    try:
        return tuple(map(int, path.parent.name.split(".")))
    except ValueError as error:
        raise HistoryError(f"{path.parent}: name the folder by a version, such as 0.1.0") from error


def _read(path: Path) -> Release:
    try:
        written = json.loads(path.read_text())
        facts = written["machine"]
        machine = f"{facts['cores']} cores of {facts['cpu']}, jax {facts['jax']}, {facts['date'][:10]}"
        ratios = {row["model"]: row["step"]["ratio"] for row in written["rows"] if "model" in row}
        ratios |= {
            row["case"]: row["both"]["compared"]["lax"]["ratio"]
            for row in written["rows"]
            if "case" in row and not row["once"]  # lax's gradients take minutes there
        }
    except (ValueError, KeyError, TypeError) as error:
        raise HistoryError(f"{path} is not what --json writes: {error!r}") from error
    for name, ratio in ratios.items():
        if not (isinstance(ratio, int | float) and 0 < ratio < math.inf):
            raise HistoryError(f"{path}: the ratio of {name} is {ratio!r}; give a positive number")
    if not ratios:
        raise HistoryError(f"{path} has no rows")
    return Release(path.parent.name, machine, ratios)


def write(folder: Path, target: Path) -> None:
    """Write `target/history.md`, and a picture for each file that a release has."""
    target.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, title in TITLES.items():
        if found := releases(folder, name):
            picture = f"history_{name.removesuffix('.json')}.svg"
            (target / picture).write_text(_picture(found)._repr_svg_())
            alt = f"{title}: lax / jaxcnn in each release, a thin line for each row and a thick one for their mean"
            parts += [f"## {title}", f"```{{image}} _built/{picture}\n:alt: {alt}\n```", _table(found)]
            parts += ["\n".join(f"- {each.version}: {each.machine}" for each in found)]
    (target / "history.md").write_text("\n\n".join(parts or [NOTHING]) + "\n")


def _mean(release: Release) -> float:
    return statistics.geometric_mean(release.ratios.values())


def _names(found: list[Release]) -> list[str]:
    """Of all rows, those of the newest release first."""
    return list(dict.fromkeys(name for each in reversed(found) for name in each.ratios))


def _table(found: list[Release]) -> str:
    """A row for each case, a column for each release."""
    rows = [("lax / jaxcnn, with gradients", *(each.version for each in found)), ("---",) * (1 + len(found))]
    rows += [
        (name, *(f"{each.ratios[name]:.3g}" if name in each.ratios else "" for each in found)) for name in _names(found)
    ]
    rows += [("geometric mean", *(f"{_mean(each):.3g}" for each in found))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _picture(found: list[Release]) -> Any:
    picture, axes = drawing.plots(width=7.5, height=3)
    places = range(len(found))
    for name in _names(found):
        heights = [each.ratios.get(name, math.nan) for each in found]
        axes.plot(places, heights, ".-", color=drawing.PALE, linewidth=0.6, markersize=4)
    axes.plot(places, [_mean(each) for each in found], "o-", color=drawing.BLUE, label="geometric mean")
    axes.axhline(1, color=drawing.ORANGE, linestyle="--", linewidth=0.8, label="as fast as lax")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50, 100, 500]))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.minorticks_off()
    axes.set(ylabel="lax / jaxcnn", xlim=(-0.5, len(found) - 0.5))
    axes.set_xticks(places, [each.version for each in found])
    axes.legend(frameon=False)
    return picture
