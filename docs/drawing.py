"""Small drawings of feature maps and windows, shared by the lessons and the pages.

Places are (row, column) in cells, as in an array: one cell of a map is one unit, rows grow downwards. What is drawn
lies on a white card, so that it reads alike in light and in dark themes. Words stay text in the SVG: small, and the
Chinese site replaces them.
"""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

INK, PALE = "#2b2b2b", "#858585"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#00875f", "#8a4f9e"  # told apart by the colour-blind too
CELL = 0.42  # inches
Place = Sequence[float]


class Picture(Figure):
    """A figure that shows itself as SVG wherever a notebook displays it."""

    def _repr_svg_(self) -> str:
        svg = io.StringIO()
        # A fixed salt and no date: the same picture gives the same bytes.
        with mpl.rc_context({"svg.hashsalt": "jaxcnn", "svg.fonttype": "none"}):
            self.savefig(svg, format="svg", metadata={"Date": None})
        return svg.getvalue()


def plots(rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 2.6) -> tuple[Picture, Any]:
    """A picture with ordinary axes, for curves, bars and images: (picture, axes)."""
    picture = Picture(figsize=(width, height), layout="constrained")
    with mpl.rc_context({"axes.edgecolor": PALE, "axes.labelcolor": INK, "text.color": INK, "font.size": 9,
                         "xtick.color": PALE, "ytick.color": PALE, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
                         "axes.spines.top": False, "axes.spines.right": False}):  # fmt: skip
        return picture, picture.subplots(rows, columns)


def canvas(rows: float, columns: float, *, cell: float = CELL) -> tuple[Picture, Axes]:
    """An empty card of so many cells, each `cell` inches wide: (picture, axes)."""
    margin = 0.3
    sides = (columns + 2 * margin, rows + 2 * margin)
    picture = Picture(figsize=[side * cell for side in sides])
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, columns + margin), ylim=(rows + margin, -margin), aspect="equal")
    axes.axis("off")
    return picture, axes


def feature_map(
    axes: Axes,
    values: Any,
    at: Place = (0, 0),
    *,
    title: str = "",
    colour: str = BLUE,
    shade: bool = True,
    real: Any = None,
    digits: int = 3,
) -> None:
    """A map as a grid with its numbers.

    Args:
      values: (rows, columns), or (columns,) for one row; numbers, or strings, which stand as they are.
      at: place of its upper left corner.
      title: above it; it takes one row of the card.
      colour: of the shade, which is the stronger the larger a number is; negative ones are orange.
      shade: False leaves all cells white.
      real: bools of the same shape; False is a cell of padding, drawn dashed and pale.
      digits: significant ones of a number.
    """
    values = np.atleast_2d(np.asarray(values))
    real = np.ones(values.shape, bool) if real is None else np.atleast_2d(np.asarray(real))
    numbers = values if values.dtype.kind in "biuf" else np.zeros(values.shape)
    largest = max(np.abs(numbers[np.isfinite(numbers)]).max(initial=0), 1e-30)
    row, column = at
    for (i, j), value in np.ndenumerate(values):
        number = float(numbers[i, j])
        strength = 0.45 * abs(number) / largest if shade and np.isfinite(number) and real[i, j] else 0
        axes.add_patch(
            Rectangle(
                (column + j, row + i), 1, 1, linewidth=0.7,
                facecolor=(ORANGE if number < 0 else colour, strength), edgecolor=PALE,
                linestyle="-" if real[i, j] else (0, (2, 2)), zorder=1,
            )
        )  # fmt: skip
        text = str(value) if values.dtype.kind not in "biuf" else _number(number, digits)
        size = 10 if len(text) <= 4 else 8
        axes.text(column + j + 0.5, row + i + 0.52, text, ha="center", va="center", fontsize=size,
                  color=INK if real[i, j] else PALE, zorder=3)  # fmt: skip
    if title:
        note(axes, (row - 0.4, column + values.shape[1] / 2), title, colour=INK)


def _number(value: float, digits: int) -> str:
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.{digits}g}"


def window(
    axes: Axes, at: Place, size: Sequence[int], *, dilation: int | Sequence[int] = 1, colour: str = ORANGE
) -> None:
    """A frame around the cells that a window sees, or, where it is dilated, one around each tap."""
    row, column = at
    down, right = (dilation, dilation) if isinstance(dilation, int) else dilation
    height, width = size
    if (down, right) == (1, 1):
        _frame(axes, row, column, height, width, colour)
        return
    for i in range(height):
        for j in range(width):
            _frame(axes, row + i * down, column + j * right, 1, 1, colour)


def _frame(axes: Axes, row: float, column: float, height: float, width: float, colour: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (column + 0.04, row + 0.04), width - 0.08, height - 0.08, boxstyle="round,pad=0,rounding_size=0.14",
            facecolor="none", edgecolor=colour, linewidth=2.2, zorder=4,
        )
    )  # fmt: skip


def arrow(axes: Axes, start: Place, end: Place, *, colour: str = PALE, bend: float = 0.0) -> None:
    """An arrow from place to place; `bend` curves it."""
    axes.add_patch(
        FancyArrowPatch(
            start[::-1], end[::-1], arrowstyle="-|>", mutation_scale=11, linewidth=1.3, color=colour,
            connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0, zorder=5,
        )
    )  # fmt: skip


def note(axes: Axes, at: Place, text: str, *, colour: str = INK, align: str = "center", size: float = 10) -> None:
    """Words or a formula, centred at a place, or beginning there with align="left"."""
    axes.text(at[1], at[0], text, ha=align, va="center", fontsize=size, color=colour, zorder=6)


def image(axes: Axes, values: Any, *, title: str = "", signed: bool = False) -> None:
    """A map too large for its numbers, in greys; `signed`: orange below zero, white at it, blue above."""
    values = np.asarray(values, float)
    largest = max(np.abs(values).max(), 1e-30)
    scale = {"cmap": _signed_colours(), "vmin": -largest, "vmax": largest} if signed else {"cmap": "gray"}
    axes.imshow(values, interpolation="nearest", **scale)
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, color=INK)


def _signed_colours() -> mpl.colors.Colormap:
    return mpl.colors.LinearSegmentedColormap.from_list("signed", [ORANGE, "white", BLUE])
