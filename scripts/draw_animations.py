"""Draw the animated pictures docs/pictures/*.svg; every position and number in them is computed by jaxcnn.

A picture moves by its own CSS: no script, no font, no other file. Where a reader has asked for less motion it
stands still and shows its last step; where a system is dark, so is its card.
"""

import argparse
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import jaxcnn as jc

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
SIDE, MARGIN, SECONDS = 32, 20, 0.9  # of a cell and around the card, in pixels; of one step
STILL = 0.72  # of a step a window stands; then it moves on

STYLE = """\
.card{fill:#fff;stroke:#d5d9df}.cell{fill:#fff;stroke:#8a929c}.pad{fill:none;stroke:#8a929c;stroke-dasharray:3 3}
text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#24292f;text-anchor:middle;dominant-baseline:central}
.said{text-anchor:start}.phantom{fill:#69717b}.plus{fill:#0072b2}.minus{fill:#d55e00}
.seen{fill:#0072b2;fill-opacity:.16;stroke:#0072b2;stroke-width:2.5}
.made{fill:#00875f;fill-opacity:.16;stroke:#00875f;stroke-width:2.5}
@media(prefers-color-scheme:dark){.card{fill:#161b22;stroke:#3d444d}.cell{fill:#161b22;stroke:#7d8590}.pad{stroke:#7d8590}
text{fill:#e6edf3}.phantom{fill:#9aa4af}.plus{fill:#4da3d9}.minus{fill:#f08c4a}
.seen{fill:#4da3d9;stroke:#4da3d9}.made{fill:#3fb98a;stroke:#3fb98a}}
"""


class Film:
    """An SVG animation of this many steps, whose parts move, appear and disappear.

    Places are (row, column) in cells.
    """

    def __init__(self, title: str, rows: float, columns: float, steps: int):
        self.title, self.steps = title, steps
        self.width, self.height = (int(side * SIDE + 2 * MARGIN) for side in (columns, rows))
        self.rules: dict[str, str] = {}
        self.parts: list[str] = []

    def cell(self, at: Sequence[float], style: str = "cell") -> None:
        self.parts.append(_rect(at, style))

    def text(self, at: Sequence[float], words: str, *, style: str = "", during: tuple[int, int] | None = None) -> None:
        """Words in the middle of a cell; `during` steps [first, end) only."""
        y, x = (MARGIN + (place + 0.5) * SIDE for place in at)
        styles = " ".join(filter(None, (style, self._shown(during))))
        named = f' class="{styles}"' if styles else ""
        self.parts.append(f'<text{named} x="{x:g}" y="{y:g}">{escape(words)}</text>')

    def frame(self, cells: Sequence[Sequence[float]], style: str, path: Sequence[Sequence[float]]) -> None:
        """Marked cells, and their position at each step."""
        moved = [tuple(SIDE * (b - a) for a, b in zip(path[0], place, strict=True)) for place in path]
        stops = [(t, f"transform:translate({x:g}px,{y:g}px)") for t, (y, x) in enumerate(moved)]
        rule = "".join(f"{_percent(t, self.steps)},{_percent(t + STILL, self.steps)}{{{how}}}" for t, how in stops)
        name = self._rule("m", rule, still=stops[-1][1])
        self.parts.append(f'<g class="{name}">{"".join(_rect(at, style) for at in cells)}</g>')

    def _shown(self, during: tuple[int, int] | None) -> str:
        first, end = during or (0, self.steps)
        if (first, end) == (0, self.steps):
            return ""
        hidden, there = "{opacity:0}", "{opacity:1}"
        before = f"0%,{_percent(first, self.steps, -0.01)}{hidden}" if first else ""
        after = f"{_percent(end, self.steps)},100%{hidden}" if end < self.steps else ""
        stay = f"{_percent(first, self.steps)},{_percent(end, self.steps, -0.01)}{there}"
        return self._rule("s", before + stay + after, still=f"opacity:{int(end == self.steps)}")

    def _rule(self, kind: str, frames: str, *, still: str) -> str:
        """The class of what follows these keyframes; `still` is its style without motion."""
        if frames not in self.rules:
            name, length = f"{kind}{len(self.rules)}", f"{self.steps * SECONDS:g}s"
            self.rules[frames] = f".{name}{{{still};animation:{name} {length} infinite}}@keyframes {name}{{{frames}}}\n"
        return self.rules[frames][1:].partition("{")[0]

    def svg(self) -> str:
        motion = "@media(prefers-reduced-motion:reduce){*{animation:none!important}}"
        card = f'<rect class="card" x=".5" y=".5" width="{self.width - 1}" height="{self.height - 1}" rx="10"/>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img">\n<title>{escape(self.title)}</title>\n'
            f"<style>{STYLE}{''.join(self.rules.values())}{motion}</style>\n{card}\n"
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def _percent(steps: float, of: int, more: float = 0.0) -> str:
    return f"{round(100 * steps / of + more, 2):g}%"


def _rect(at: Sequence[float], style: str) -> str:
    y, x = (MARGIN + place * SIDE for place in at)
    return f'<rect class="{style}" x="{x:g}" y="{y:g}" width="{SIDE}" height="{SIDE}" rx="3"/>'


def written(number: float) -> str:
    return f"{number:g}".replace("-", "\N{MINUS SIGN}")


def draw_map(film: Film, values: np.ndarray, at: tuple[float, float], *, plain: bool = True) -> None:
    """A grid with its numbers; without `plain`, blue ones above zero and orange ones below it."""
    for place, number in np.ndenumerate(values):
        spot = [a + b for a, b in zip(at, place, strict=True)]
        film.cell(spot)
        film.text(spot, written(number), style="" if plain or not number else "minus" if number < 0 else "plus")


def places(size: int, window: int, *, padding: int = 0, ceil_mode: bool = False, **steps: int) -> np.ndarray:
    """(windows, taps): the cells that each window of an axis sees; those of the map are 0 to size - 1."""
    out = jc.output_size(size, window, padding=padding, ceil_mode=ceil_mode, **steps)
    line = jnp.arange(-padding, size + padding + steps.get("stride", 1) - 1)  # as far as ceil mode reaches
    return np.asarray(jc.windows(line, (window,), **steps))[:out]


def sliding(title: str, x: np.ndarray, y: np.ndarray, call: str, kernel: np.ndarray | None = None, *, window: int,
            padding: int = 0, shown: str = "", **options: int) -> Film:  # fmt: skip
    """A window moves over x, and y fills with the results; `shown` is written on the padding."""
    size, (high, wide) = x.shape[0], y.shape
    seen = places(size, window, padding=padding, **options)
    first, last = min(0, int(seen.min())), max(size, int(seen.max()) + 1)
    across, gap = last - first, 1.0
    right = across + gap + (0 if kernel is None else window + gap)
    middle = lambda rows: 1 + (across - rows) / 2
    film = Film(title, across + 1, right + wide, high * wide)
    film.text((-0.1, -0.5), call, style="said")
    for r in range(first, last):
        for c in range(first, last):
            inside, spot = 0 <= r < size and 0 <= c < size, (1 + r - first, c - first)
            film.cell(spot, "cell" if inside else "pad")
            on_padding = -padding <= r < size + padding and -padding <= c < size + padding
            words = written(x[r, c]) if inside else shown if on_padding else ""
            if words:
                film.text(spot, words, style="" if inside else "phantom")
    if kernel is not None:
        draw_map(film, kernel, (middle(window), across + gap), plain=False)
    steps = list(np.ndindex(y.shape))
    taps = [(1 + r - first, c - first) for r in seen[0] for c in seen[0]]
    film.frame(taps, "seen", [(seen[i][0], seen[j][0]) for i, j in steps])
    corner = middle(high), right
    for place in steps:
        film.cell((corner[0] + place[0], corner[1] + place[1]))
    film.frame([corner], "made", steps)
    for step, place in enumerate(steps):
        spot = (corner[0] + place[0], corner[1] + place[1])
        film.text(spot, written(y[place]), during=(step, len(steps)))
    return film


def correlation(title: str, side: int, kernel: Sequence[Sequence[float]], *, named: str = "", **options: int) -> Film:
    x = np.random.default_rng(3).integers(0, 4, size=(side, side)).astype(np.float32)
    k = np.asarray(kernel, np.float32)
    y = np.asarray(jc.corr2d(x, k, **options))
    given = "".join(f", {name}={value}" for name, value in options.items())
    call = named or f"corr2d(x, k{given})"
    return sliding(title, x, y, call, k, window=len(k), shown="0", **options)


EDGE = ((-1, 0, 1),) * 3
CROSS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))


def moving_window() -> Film:
    x = np.array([[0, 0, 3, 3, 3]] * 2 + [[0, 0, 0, 3, 3]] * 3, np.float32)
    k = np.array(EDGE, np.float32)
    return sliding("A window of three by three moves over a map of five by five; each of its places gives one number",
                   x, np.asarray(jc.corr2d(x, k)), "corr2d(x, k)", k, window=3)  # fmt: skip


def padding() -> Film:
    return correlation("With one cell of zeros all round, a window of three has its middle on every cell of the map", 4,
                       CROSS, padding=1)  # fmt: skip


def stride() -> Film:
    return correlation("At stride 2 the window moves two cells at a step", 5, CROSS, stride=2)


def dilation() -> Film:
    return correlation("At dilation 2 the nine taps of the window stand two cells apart and span five", 7, CROSS,
                       dilation=2)  # fmt: skip


def ceil_mode() -> Film:
    x = np.random.default_rng(3).permutation(25).reshape(5, 5).astype(np.float32)
    options = {"stride": 2, "ceil_mode": True}
    return sliding("In ceil mode the last windows reach past the end of the map, where nothing is", x,
                   np.asarray(jc.pool2d(x, 2, "max", ceil_mode=True)), 'pool2d(x, 2, "max", ceil_mode=True)',
                   window=2, **options)  # fmt: skip


def transposition() -> Film:
    """Each cell of the map adds the kernel times its number to the result, where kernels overlap."""
    x, k, stride = np.array([[1, 2], [3, 1]], np.float32), np.array(((1, 2, 1), (2, 4, 2), (1, 2, 1)), np.float32), 2
    steps = list(np.ndindex(x.shape))
    so_far = np.stack([np.where(np.arange(x.size).reshape(x.shape) <= t, x, 0) for t in range(len(steps))])
    y = np.asarray(jc.conv_transpose2d(so_far[:, None], k[None, None], stride=stride))[:, 0]
    placed = places(y.shape[1], len(k), stride=stride)
    film = Film("Each cell of a small map lays the kernel down on a large one, two cells apart; overlaps are summed",
                y.shape[1] + 1, len(x) + len(k) + y.shape[2] + 2, len(steps))  # fmt: skip
    film.text((-0.1, -0.5), f"conv_transpose2d(x, k, stride={stride})", style="said")
    middle = lambda rows: 1 + (y.shape[1] - rows) / 2
    draw_map(film, x, (middle(len(x)), 0))
    draw_map(film, k, (middle(len(k)), len(x) + 1), plain=False)
    film.frame([(middle(len(x)), 0)], "seen", steps)
    left = len(x) + len(k) + 2
    for place in np.ndindex(y.shape[1:]):
        film.cell((1 + place[0], left + place[1]))
    taps = [(1 + r, left + c) for r in placed[0] for c in placed[0]]
    film.frame(taps, "made", [(placed[i][0], placed[j][0]) for i, j in steps])
    for place in np.ndindex(y.shape[1:]):
        values = y[:, *place]
        changes = [t for t in range(len(steps)) if values[t] != (values[t - 1] if t else 0)]
        for t, end in zip(changes, [*changes[1:], len(steps)], strict=True):
            film.text((1 + place[0], left + place[1]), written(values[t]), during=(t, end))
    return film


FILMS: dict[str, Callable[[], Film]] = {
    "moving_window": moving_window,
    "padding": padding,
    "stride": stride,
    "dilation": dilation,
    "transposition": transposition,
    "ceil_mode": ceil_mode,
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, film in FILMS.items():
        path = PICTURES / f"{name}.svg"
        path.write_text(film().svg())
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
