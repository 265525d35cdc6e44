"""Where windows lie on a map and how many there are, in integers only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self, overload

from jaxcnn._errors import (
    check_entries,
    check_name,
    integer_or_symbol,
    is_sequence,
    message,
    per_axis,
    require_at_least,
)
from jaxcnn._symbolic import at_least, is_symbolic, larger, smaller
from jaxcnn._types import Ints, Padding

Pair = tuple[int, int]

PADDINGS = ("VALID", "SAME", "SAME_LOWER", "FULL", "CAUSAL")


class Axis(NamedTuple):
    """The windows along one spatial axis."""

    size: int
    window: int
    stride: int
    low: int
    high: int
    dilation: int
    ceil_mode: bool = False

    @property
    def span(self) -> int:
        """Cells from the first tap of a window to the last, both included."""
        return (self.window - 1) * self.dilation + 1

    @property
    def padded(self) -> int:
        """Cells of the padded map."""
        return self.size + self.low + self.high

    @property
    def out(self) -> int:
        """The number of windows: floor((padded - span) / stride) + 1; in ceil mode the ceiling, and at least 1."""
        room = self.padded - self.span
        if at_least(-1, room):
            return int(self.ceil_mode)
        if not self.ceil_mode:
            return larger(room // self.stride + 1, 0)
        out = -(-room // self.stride) + 1
        # The last window must start inside the map or its low padding: this many windows do.
        return larger(out - 1, smaller(out, -(-(self.size + self.low) // self.stride)))

    @property
    def overhang(self) -> int:
        """Cells by which the last window of ceil mode reaches past the padded map; a symbolic one may be negative."""
        if not self.ceil_mode:
            return 0
        beyond = (self.out - 1) * self.stride + self.span - self.padded
        return beyond if is_symbolic(beyond) else max(beyond, 0)

    @property
    def on_map(self) -> Pair:
        """The range [first, end) of the padded map that are cells of the map itself."""
        return larger(self.low, 0), smaller(self.low + self.size, self.padded)

    def taps_before(self, start: Any, cell: int) -> Any:
        """For windows that start at these cells, the number of taps before `cell` of the padded map."""
        return (-((start - cell) // self.dilation)).clip(0, self.window)

    def trimmed(self) -> "Axis":
        """If ceil mode gives one window larger than the padded map, drop its taps past the end."""
        if not self.ceil_mode or is_symbolic(*self) or self.span <= self.padded:
            return self
        window = (self.padded - 1) // self.dilation + 1
        return self._replace(window=window, stride=self.padded, ceil_mode=False)

    def without_idle_stride(self) -> "Axis":
        """Shorten a stride that is longer than the map, since memory is laid out for every cell that a stride skips."""
        if is_symbolic(*self):
            return self
        return self._replace(stride=min(self.stride, max(self.padded, self.size + self.low, 1)))


@dataclass(frozen=True)
class Geometry:
    """The windows on a map: an `Axis` for each spatial axis. Hashable."""

    axes: tuple[Axis, ...]

    @classmethod
    def of(
        cls, size: Sequence[int], window: Sequence[int], stride: Sequence[int], padding: Sequence[Pair],
        dilation: Sequence[int], ceil_mode: bool = False,
    ) -> Self:  # fmt: skip
        """From arguments that have been read and checked."""
        columns = zip(size, window, stride, padding, dilation, strict=True)
        axes = (Axis(m, k, s, low, high, d, ceil_mode) for m, k, s, (low, high), d in columns)
        return cls(tuple(a.without_idle_stride() for a in axes))

    @cached_property
    def n(self) -> int:
        return len(self.axes)

    @cached_property
    def window(self) -> tuple[int, ...]:
        return tuple(a.window for a in self.axes)

    @cached_property
    def stride(self) -> tuple[int, ...]:
        return tuple(a.stride for a in self.axes)

    @cached_property
    def dilation(self) -> tuple[int, ...]:
        return tuple(a.dilation for a in self.axes)

    @cached_property
    def padding(self) -> tuple[Pair, ...]:
        """(low, high) to pad on each axis; a negative pad crops."""
        return tuple((a.low, a.high) for a in self.axes)

    @cached_property
    def overhang(self) -> tuple[Pair, ...]:
        """(0, high) more that ceil mode pads on each axis, past the padding. Cropped cells do not come back."""
        return tuple((0, a.overhang) for a in self.axes)

    @cached_property
    def out(self) -> tuple[int, ...]:
        return tuple(a.out for a in self.axes)

    @cached_property
    def size(self) -> tuple[int, ...]:
        return tuple(a.size for a in self.axes)

    def but(self, axis: int, a: Axis) -> "Geometry":
        """The same windows with one axis replaced."""
        return Geometry((*self.axes[:axis], a, *self.axes[axis + 1 :]))

    def trimmed(self) -> "Geometry":
        """The same windows without taps that lie past the end in every window."""
        return Geometry(tuple(a.trimmed() for a in self.axes))

    def unpadded(self) -> "Geometry":
        """The same windows on a map that already has its padding."""
        axes = tuple(a._replace(size=a.padded + a.overhang, low=0, high=0, ceil_mode=False) for a in self.axes)
        return Geometry(axes)

    def mirrored(self) -> "Geometry":
        """At stride 1: the windows on the output over which the flipped kernel gives the gradient of the map."""
        axes = []
        for a in self.axes:
            low = a.span - 1 - a.low
            axes.append(a._replace(size=a.out, low=low, high=a.size + a.span - 1 - a.out - low))
        return Geometry(tuple(axes))

    def of_taps(self) -> "Geometry":
        """The windows that give the kernel's gradient: one for each tap, with the outputs as its taps."""
        axes = []
        for a in self.axes:
            high = (a.out - 1) * a.stride + a.span - a.size - a.low
            axes.append(a._replace(window=a.out, stride=a.dilation, dilation=a.stride, high=high, ceil_mode=False))
        return Geometry(tuple(axes))


def geometry(
    function: str,
    size: Sequence[int],
    window: Sequence[int],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    named: str = "window",
) -> Geometry:
    """Read and check a function's window, stride, padding and dilation; `named` is its name for the window."""
    n = len(window)
    window = per_axis(function, named, window, n, least=1)
    stride = per_axis(function, "stride", stride, n, least=1)
    dilation = per_axis(function, "dilation", dilation, n, least=1)
    pairs = padding_pairs(function, padding, size, window, stride, dilation)
    g = Geometry.of(size, window, stride, pairs, dilation, ceil_mode)
    for i, a in enumerate(g.axes):
        if is_symbolic(a.padded):
            problem = f"on axis {i} spans {a.span} cells, but the padded map has {a.padded}"
            require_at_least(function, named, problem, a.size, a.span - a.low - a.high)
        elif a.span > a.padded and not (ceil_mode and a.padded > 0):
            spans = f"spans {a.span} cells" + (f" ({a.window} taps, dilation {a.dilation})" if a.dilation > 1 else "")
            problem = f"on axis {i} {spans}, but the padded map has {a.padded} ({a.size} + {a.low} + {a.high})"
            raise ValueError(message(function, named, problem, "pad more, or take a smaller window or dilation"))
    return g


def padding_pairs(
    function: str,
    padding: Any,
    size: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Pair, ...]:
    """Padding in any form that a user may write, as one (low, high) per axis."""
    n = len(window)
    if isinstance(padding, str):
        check_name(function, "padding", padding, PADDINGS, ", ints or pairs")
        columns = zip(size, window, stride, dilation, strict=True)
        return tuple(_named_padding(padding, m, (k - 1) * d + 1, s) for m, k, s, d in columns)
    if not is_sequence(padding) or not any(is_sequence(entry) for entry in padding):
        if n == 1 and is_sequence(padding) and len(tuple(padding)) == 2:
            problem = f"{tuple(padding)} is one int per axis, but there is 1 spatial axis"
            raise ValueError(message(function, "padding", problem, f"for low and high write ({tuple(padding)},)"))
        return tuple((p, p) for p in per_axis(function, "padding", padding, n, read=integer_or_symbol))
    entries = tuple(padding)
    check_entries(function, "padding", entries, n, "pass one (low, high) per axis")
    return tuple(_pair(function, i, entry) for i, entry in enumerate(entries))


def _pair(function: str, axis: int, entry: Any) -> Pair:
    if not is_sequence(entry) or len(tuple(entry)) != 2:
        problem = f"on axis {axis} is {entry!r}, but the other axes have pairs"
        raise ValueError(message(function, "padding", problem, "pass one (low, high) per axis, or ints only"))
    low, high = (integer_or_symbol(function, f"padding on axis {axis}", value) for value in entry)
    return low, high


def _named_padding(name: str, size: int, span: int, stride: int) -> Pair:
    if name == "VALID":
        return 0, 0
    if name == "FULL":
        return span - 1, span - 1
    if name == "CAUSAL":
        return span - 1, 0
    total = larger((-(-size // stride) - 1) * stride + span - size, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if name == "SAME" else (more, less)


@overload
def output_size(
    size: int, window: Ints, *, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, ceil_mode: bool = False
) -> int: ...
@overload
def output_size(
    size: Sequence[int], window: Ints, *, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1,
    ceil_mode: bool = False,
) -> tuple[int, ...]: ...  # fmt: skip
def output_size(
    size: Ints,
    window: Ints,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> int | tuple[int, ...]:
    """How many windows fit on a map: the shape rule by itself, in plain integers.

    floor((size + low + high - ((window - 1) * dilation + 1)) / stride) + 1

    Args:
      size: of the map, an int or one int per axis.
      window: an int or one int per axis.
      stride, padding, dilation: as in `windows`.
      ceil_mode: the ceiling in place of the floor, as long as the last window starts inside the map or its low padding;
        a window larger than the padded map is one window.

    Returns:
      An int where size is an int, a tuple where it is a tuple.

    Raises:
      ValueError: a window larger than the padded map, or anything below its least value.

    >>> output_size(28, 5, padding=2), output_size((28, 28), (2, 2), stride=2)
    (28, (14, 14))

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    function = "output_size"
    single = not is_sequence(size)
    sizes = per_axis(function, "size", size, 1 if single else len(tuple(size)), least=0)  # type: ignore[arg-type]
    g = geometry(function, sizes, per_axis(function, "window", window, len(sizes), least=1),
                    stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)  # fmt: skip
    return g.out[0] if single else g.out
