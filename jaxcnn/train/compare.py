"""Compare runs: their results, the settings in which they differ, and their curves in one chart."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxcnn.train.config import LENGTH, WHERE, Config, read_config
from jaxcnn.train.errors import InputError
from jaxcnn.train.report import filled
from jaxcnn.train.report.facts import curves
from jaxcnn.train.saved import read_metrics

COLOURS = ("#0b6a8a", "#b8501a", "#6b5b95", "#4a8f3c", "#b03060", "#8a6d0b", "#3b6fb6", "#7a4a2b", "#2a9d8f", "#888888")
SCRIPTS = ("draw.js", "chart.js", "compare.js")


class Compared(NamedTuple):
    """One run, as read from its directory."""

    name: str
    config: Config
    steps: list[dict[str, Any]]
    epochs: list[dict[str, Any]]

    def last(self, name: str) -> Any:
        """The value in the last epoch, or None."""
        return self.epochs[-1].get(name) if self.epochs else None

    def best(self, name: str) -> Any:
        """The greatest value in an epoch, or None."""
        return max((epoch[name] for epoch in self.epochs if epoch.get(name) is not None), default=None)


def read_runs(paths: Sequence[Path]) -> list[Compared]:
    """Read runs from their directories, without their data.

    Raises:
      InputError: fewer than two, the same one twice, no run directory, a damaged record.
    """
    if len(paths) < 2:
        raise InputError("give the directories of two or more runs to compare")
    if len(twice := {path.resolve() for path in paths}) < len(paths):
        raise InputError(
            f"{len(paths)} run directories are given, but only {len(twice)} different ones: give each once"
        )
    runs = []
    for path, name in zip(paths, _names(paths), strict=True):
        config, records = read_config(path), read_metrics(path)
        steps, epochs = ([record for record in records if kind in record] for kind in ("step", "steps"))
        runs.append(Compared(name, config, steps, epochs))
    return runs


def _names(paths: Sequence[Path]) -> list[str]:
    """The last parts of each path, as many as are needed to tell them apart."""
    for parts in range(1, 10):
        names = ["/".join(path.resolve().parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))


def table(runs: Sequence[Compared]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows: the results, then the settings in which the runs differ."""
    settings = [name for name in vars(runs[0].config) if name not in ("run_dir", *WHERE) or name in LENGTH]
    differing = [name for name in settings if len({str(getattr(run.config, name)) for run in runs}) > 1]
    validated = any(run.last("validation_accuracy") is not None for run in runs)
    columns = ["run", "data", "test accuracy", "best", *(["validation accuracy"] if validated else []), "test loss"]
    columns += [
        "epochs done",
        "steps done",
        "seconds",
        *(name.replace("_", " ") for name in differing if name != "data"),
    ]
    rows = []
    for run in runs:
        row = [run.name, run.config.data, run.last("test_accuracy"), run.best("test_accuracy")]
        row += [run.last("validation_accuracy")] if validated else []
        row += [run.last("test_loss"), run.last("epoch"), run.last("steps") or len(run.steps), run.last("seconds")]
        rows.append(row + [getattr(run.config, name) for name in differing if name != "data"])
    return columns, rows


def shown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """The cells as text."""

    def text(column: str, value: Any) -> str:
        if value is None:
            return "\N{EN DASH}"
        if column in ("test accuracy", "best", "validation accuracy"):
            return f"{value:.1%}"
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return [[text(column, value) for column, value in zip(columns, row, strict=True)] for row in rows]


def lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The table in plain text.

    >>> print(*lines(["run", "test accuracy"], [["a", 0.5], ["long", None]]), sep="\\n")
    run   test accuracy
    a             50.0%
    long              \N{EN DASH}
    """
    cells = [list(columns), *shown(columns, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        first, *rest = (cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        yield "  ".join([first, *rest]).rstrip()


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The table as CSV, with all digits."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    return file.getvalue()


def page(runs: Sequence[Compared]) -> str:
    """One page with the curves of all runs."""
    columns, rows = table(runs)
    each = {run.name: curves(run.steps, run.epochs) for run in runs}
    charts = []
    for kind in ("loss", "accuracy"):
        for name in dict.fromkeys(curve["name"] for made in each.values() for curve in made[kind]):
            if name == "loss of each step" and any(run.epochs for run in runs):
                continue
            drawn = [
                {"name": run, "points": curve["points"]}
                for run, made in each.items()
                for curve in made[kind]
                if curve["name"] == name and curve["points"]
            ]
            charts.append({"title": name.capitalize(), "kind": kind, "curves": drawn})
    pens = {run.name: COLOURS[i % len(COLOURS)] for i, run in enumerate(runs)}
    facts = {"charts": charts, "pens": pens, "table": {"columns": columns, "rows": shown(columns, rows)}}
    return filled("compare.html", f"{len(runs)} runs compared", SCRIPTS, facts)
