"""The pictures of sizes.md: where windows lie, asked of jaxcnn itself, one function a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import picture_labels

import drawing
import jaxcnn as jc
from drawing import BLUE, GREEN, ORANGE, PALE

MODES = ("constant", "reflect", "replicate", "circular", "symmetric")
NAMES = ("VALID", "SAME", "SAME_LOWER", "FULL", "CAUSAL")
LEFT = 5.2  # cells for the words beside a picture


def draw(target: Path, language: str) -> None:
    """Write `target/NAME.svg` for each picture."""
    target.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        (target / f"{name}.svg").write_text(picture_labels.translated(picture()._repr_svg_(), language))


# One axis ------------------------------------------------------------------------------------------------------------


def windows_on_an_axis(
    size: int, window: int, *, padding: tuple[int, int] = (0, 0), ceil_mode: bool = False, **steps: int
) -> drawing.Picture:
    """The padded map in the first row, and under it a row for each window: the cells that its taps see."""
    low, high = padding
    out = jc.output_size(size, window, padding=(padding,), ceil_mode=ceil_mode, **steps)
    # The map's own cells are 0 to size - 1; behind the padding there is room for what ceil mode reaches.
    places = jnp.arange(-low, size + high + steps.get("stride", 1) - 1)
    seen = np.asarray(jc.windows(places, (window,), **steps))[:out]
    first, last = min(-low, 0), max(size, size + high, int(seen.max()) + 1)
    picture, axes = drawing.canvas(out + 2.6, LEFT + last - first)
    drawing.note(axes, (0.1, 0), _call(size, window, padding, out, steps, ceil_mode), align="left", size=11)
    drawing.note(axes, (1.2, 0), "map and its padding" if max(padding) > 0 else "map", align="left")

    def cell(row: float, place: int, *, kept: bool = True) -> tuple[float, float]:
        """Draw one cell, and say where."""
        at, real = (row, LEFT + place - first), 0 <= place < size
        drawing.feature_map(axes, [str(place + 1) if real else ""], at, real=[real and kept], shade=False)
        return at

    for place in range(first, last):
        kept = -low <= place < size + high
        row, column = cell(0.7, place, kept=kept)
        if not kept and place < size:
            axes.plot([column, column + 1], [row + 1, row], color=ORANGE, linewidth=1.5)
    for number, taps in enumerate(seen):
        drawing.note(axes, (2.8 + number, 0), f"window {number}", align="left")
        for place in taps.tolist():
            drawing.window(axes, cell(2.3 + number, place), (1, 1), colour=BLUE if 0 <= place < size else PALE)
    return picture


def _call(size: int, window: int, padding: tuple[int, int], out: int, steps: dict[str, int], ceil_mode: bool) -> str:
    low, high = padding
    given = [f"padding={low if low == high else (padding,)}"] if any(padding) else []
    given += [f"{name}={value}" for name, value in steps.items()] + ["ceil_mode=True"] * ceil_mode
    return f"output_size({', '.join([str(size), str(window), *given])}) = {out}"


def padded(x: Any, window: int, **options: Any) -> np.ndarray:
    """A padded map, put together from its windows at stride 1."""
    seen = np.asarray(jc.windows(x, (window,), **options))
    return np.concatenate([seen[:, 0], seen[-1, 1:]])


def names() -> drawing.Picture:
    """One map under each padding that has a name."""
    size, window = 5, 4
    cells = {name: padded(jnp.arange(1, size + 1), window, padding=name) for name in NAMES}
    most = max(int(np.argmax(row > 0)) for row in cells.values())
    picture, axes = drawing.canvas(1.3 * len(NAMES), LEFT + most + size + most + 5)
    for number, (name, row) in enumerate(cells.items()):
        low, top = int(np.argmax(row > 0)), 1.3 * number
        drawing.note(axes, (top + 0.5, 0), f'"{name}"', align="left")
        written = [str(n) if n else "" for n in row]
        drawing.feature_map(axes, written, (top, LEFT + most - low), real=row > 0, shade=False)
        out = jc.output_size(size, window, padding=name)
        words = f"({low}, {len(row) - size - low}): {out} windows of {window}"
        drawing.note(axes, (top + 0.5, LEFT + 2 * most + size + 0.5), words, align="left")
    return picture


def modes() -> drawing.Picture:
    """What lies on the padding of one map in each mode."""
    size, low, high = 4, 3, 5
    picture, axes = drawing.canvas(1.3 * len(MODES), LEFT + low + size + high)
    real = [False] * low + [True] * size + [False] * high
    for row, mode in enumerate(MODES):
        cells = padded(jnp.arange(1, size + 1), 1, padding=((low, high),), padding_mode=mode)
        drawing.note(axes, (1.3 * row + 0.5, 0), f'"{mode}"', align="left")
        drawing.feature_map(axes, cells.astype(str), (1.3 * row, LEFT), real=real, shade=False)
        drawing.window(axes, (1.3 * row, LEFT + low), (1, size), colour=BLUE)
    return picture


# Transposition -------------------------------------------------------------------------------------------------------


def laid_down(size: int, *, stride: int, padding: int = 0, output_padding: int = 0) -> drawing.Picture:
    """What each cell of a map lays on the output, a row for each, and their sum.

    The output without `padding` is drawn; what the padding cuts off is dashed.
    """
    kernel = jnp.array([[[1.0, 2.0, 3.0]]])
    window = kernel.shape[-1]

    def laid(x: Any, **options: Any) -> np.ndarray:
        return np.asarray(jc.conv_transpose(x, kernel, stride=stride, **options)).astype(int)

    each = laid(jnp.eye(size)[:, None])[:, 0]  # each cell as a map of its own
    whole = each.shape[1]
    total = laid(jnp.ones((1, 1, size)), padding=padding, output_padding=output_padding)[0, 0]
    more = max(padding + len(total) - whole, 0)
    picture, axes = drawing.canvas(size + 3.9, max(LEFT + whole + more, 15))
    said = {"stride": stride, "padding": padding, "output_padding": output_padding}
    given = ", ".join(f"{name}={value}" for name, value in said.items() if value)
    drawing.note(axes, (0.1, 0), f"conv_transpose(ones, [1, 2, 3], {given}): {len(total)} cells", align="left", size=11)
    for number, row in enumerate(each):
        drawing.note(axes, (1.2 + number, 0), f"cell {number} lays down", align="left")
        real = [padding <= place < padding + len(total) for place in range(whole)]
        drawing.feature_map(axes, [str(n) if n else "" for n in row], (0.7 + number, LEFT), real=real, shade=False)
        touched = np.flatnonzero(row)
        drawing.window(axes, (0.7 + number, LEFT + touched[0]), (1, len(touched)), colour=GREEN)
    drawing.note(axes, (size + 2.2, 0), "output: their sum", align="left")
    drawing.feature_map(axes, total, (size + 1.7, LEFT + padding), colour=GREEN)
    back = jc.output_size(len(total), window, stride=stride, padding=padding)
    drawing.note(axes, (size + 3.4, 0), f"and back: output_size({len(total)}, {window}, stride={stride}"
                 + (f", padding={padding}" if padding else "") + f") = {back}", align="left")  # fmt: skip
    return picture


# Two axes ------------------------------------------------------------------------------------------------------------


def two_axes() -> drawing.Picture:
    """A padded map with one window, the output with the cell that it becomes, and how many windows see each cell."""
    size, window, options = (5, 5), (3, 3), {"stride": 2, "padding": 1}
    x = jnp.arange(1, 26).reshape(size)
    whole = np.asarray(jc.windows(x, (7, 7), padding=1))[0, 0]
    y = jc.pool(x, window, "sum", **options)
    often = jc.fold(jnp.ones_like(jc.windows(x, window, **options)), size, **options)
    picture, axes = drawing.canvas(8.2, 22)
    inside = np.pad(np.ones(size, bool), 1)
    cells = np.where(inside, whole.astype(str), "")
    chosen = (1, 2)
    drawing.feature_map(axes, cells, (1, 0), title=f"map {size}, padding 1", real=inside, shade=False)
    drawing.window(axes, (1 + 2 * chosen[0], 2 * chosen[1]), window)
    drawing.feature_map(axes, y, (3, 9), title=f"sums, stride 2: {y.shape}")
    drawing.window(axes, (3 + chosen[0], 9 + chosen[1]), (1, 1))
    drawing.feature_map(axes, often, (2, 15), title="seen by so many windows", colour=GREEN)
    return picture


PICTURES: dict[str, Callable[[], drawing.Picture]] = {
    "rule": lambda: windows_on_an_axis(5, 3),
    "zeros": lambda: windows_on_an_axis(5, 3, padding=(1, 1)),
    "negative": lambda: windows_on_an_axis(6, 3, padding=(-1, 1)),
    "names": names,
    "modes": modes,
    "stride": lambda: windows_on_an_axis(6, 3, stride=2),
    "dilation": lambda: windows_on_an_axis(7, 3, dilation=2),
    "two_axes": two_axes,
    "ceil_mode": lambda: windows_on_an_axis(6, 3, stride=2, ceil_mode=True),
    "transposed": lambda: laid_down(3, stride=2),
    "transposed_padding": lambda: laid_down(3, stride=2, padding=1),
    "output_padding": lambda: laid_down(3, stride=2, padding=1, output_padding=1),
}
