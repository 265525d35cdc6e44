"""An oracle by index: which cell of a map each tap of each window sees, found a cell at a time; the rest is NumPy.

Every function takes arrays in double precision (or integers) and returns its results, and `pull`, which takes
cotangents of them to gradients in every argument. `test_gathered_equals_loops.py` holds it against `oracles`.
"""

import math
from dataclasses import dataclass

import numpy as np
import oracles

# What a tap sees that sees no cell of the map.
FILL, OVERHANG = -1, -2


@dataclass(frozen=True)
class Seen:
    """For each window, row-major, and each tap: the flat index of the cell, and whether that is its own place."""

    cell: np.ndarray
    at_home: np.ndarray
    spatial: tuple[int, ...]
    out: tuple[int, ...]

    def look(self, x, fill=0, overhang=0):
        """(*lead, *spatial) to (*lead, windows, taps)."""
        flat = x.reshape(*x.shape[: x.ndim - len(self.spatial)], math.prod(self.spatial))
        beyond = [np.full((*flat.shape[:-1], 1), value, flat.dtype) for value in (overhang, fill)]
        return np.concatenate([flat, *beyond], -1)[..., self.cell]

    def back(self, w):
        """The adjoint of `look`: the gradients in x, in fill and in the overhang."""
        lead, cells = w.shape[:-2], math.prod(self.spatial)
        total = np.zeros((math.prod(lead), cells + 2), w.dtype)
        np.add.at(total, (slice(None), self.cell), w.reshape(math.prod(lead), *self.cell.shape))
        return total[:, :cells].reshape(*lead, *self.spatial), total[:, FILL].sum(), total[:, OVERHANG].sum()


def seen_of(spatial, window, *, stride=1, padding=0, dilation=1, padding_mode="constant", ceil_mode=False):
    n = len(window)
    stride, dilation = oracles.per_axis(stride, n), oracles.per_axis(dilation, n)
    pads = oracles.pads_of(padding, spatial, window, stride, dilation)
    columns = zip(spatial, window, stride, dilation, pads, oracles.per_axis(padding_mode, n), strict=True)
    return join([_axis(*column, ceil_mode) for column in columns], spatial)


def _axis(size, window, stride, dilation, pad, mode, ceil_mode):
    (low, high), span = pad, (window - 1) * dilation + 1
    kept = range(max(-low, 0), size - max(-high, 0))

    def cell(p):
        if not -low <= p < size + high:
            return OVERHANG
        if p in kept:
            return p
        return FILL if mode == "constant" else kept[oracles.cell_of(p - kept.start, len(kept), mode)]

    starts = oracles.starts_of(size, span, stride, pad, ceil_mode)
    places = [[start + t * dilation for t in range(window)] for start in starts]
    return [[cell(p) for p in taps] for taps in places], [[p in kept for p in taps] for taps in places]


def adaptive(spatial, outs):
    """PyTorch's windows; those that are shorter than the longest see nothing with their last taps."""
    axes = []
    for size, out in zip(spatial, outs, strict=True):
        windows = [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
        longest = max(map(len, windows))
        cells = [[*window, *[OVERHANG] * (longest - len(window))] for window in windows]
        axes.append((cells, [[cell >= 0 for cell in window] for window in cells]))
    return join(axes, spatial)


def join(axes, spatial):
    """Windows on each axis by itself, brought together: an overhang or a fill on one axis is one on all."""
    n = len(axes)
    cell, worst, at_home = 0, 0, True
    for i, (cells, home) in enumerate(axes):
        cells = np.array(cells)
        shape = [1] * (2 * n)
        shape[i], shape[n + i] = cells.shape
        cells, home = cells.reshape(shape), np.array(home).reshape(shape)
        cell, worst, at_home = cell * spatial[i] + cells, np.minimum(worst, cells), at_home & home
    cell = np.where(worst < 0, worst, cell)
    out, taps = cell.shape[:n], math.prod(cell.shape[n:])
    flat = lambda array: np.broadcast_to(array, cell.shape).reshape(math.prod(out), taps)
    return Seen(flat(cell), flat(at_home), tuple(spatial), out)


# Windows and contractions --------------------------------------------------------------------------------------------


def windows(x, size, *, fill=0, **laid):
    seen = seen_of(x.shape[x.ndim - len(size) :], size, **laid)
    lead = x.shape[: x.ndim - len(size)]

    def pull(ct):
        in_x, in_fill, _ = seen.back(ct.reshape(*lead, *seen.cell.shape))
        return {"x": in_x, "fill": in_fill}

    return seen.look(x, fill).reshape(*lead, *seen.out, *size), pull


def fold(w, spatial, **laid):
    n = len(spatial)
    seen = seen_of(spatial, w.shape[w.ndim - n :], **laid)
    pull = lambda ct: {"w": seen.look(ct).reshape(w.shape)}
    return seen.back(w.reshape(*w.shape[: w.ndim - 2 * n], *seen.cell.shape))[0], pull


def conv(x, kernel, bias=None, *, groups=1, fill=0, **laid):
    seen = seen_of(x.shape[2:], kernel.shape[2:], **laid)
    w = seen.look(x, fill)
    w = w.reshape(w.shape[0], groups, w.shape[1] // groups, *w.shape[2:])
    k = kernel.reshape(groups, kernel.shape[0] // groups, kernel.shape[1], w.shape[-1])
    y = _einsum("ngcpt,goct->ngop", w, k).reshape(x.shape[0], kernel.shape[0], *seen.out)

    def pull(ct):
        ct = ct.reshape(x.shape[0], groups, k.shape[1], w.shape[3])
        in_x, in_fill, _ = seen.back(_einsum("ngop,goct->ngcpt", ct, k).reshape(*x.shape[:2], *seen.cell.shape))
        in_kernel = _einsum("ngop,ngcpt->goct", ct, w).reshape(kernel.shape)
        return {"x": in_x, "kernel": in_kernel, "fill": in_fill, "bias": ct.sum((0, 3)).ravel()}

    return y + _along_channels(bias, y), pull


def conv_transpose(x, kernel, bias=None, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Every cell of x is a window on the output."""
    n, (size, window) = kernel.ndim - 2, (x.shape[2:], kernel.shape[2:])
    stride, dilation, extra = (oracles.per_axis(each, n) for each in (stride, dilation, output_padding))
    whole = [(m - 1) * s + (k - 1) * d + 1 for m, s, k, d in zip(size, stride, window, dilation, strict=True)]
    same = [m * s for m, s in zip(size, stride, strict=True)]
    pads = oracles.pads_of(padding, same, window, stride, dilation)
    if padding in ("SAME", "SAME_LOWER"):
        pads = [(low, full - low - side) for (low, _), full, side in zip(pads, whole, same, strict=True)]
    spatial = [full - low - high + more for full, (low, high), more in zip(whole, pads, extra, strict=True)]
    pads = tuple((low, high - more) for (low, high), more in zip(pads, extra, strict=True))
    seen = seen_of(spatial, window, stride=stride, padding=pads, dilation=dilation)
    x_, k = (
        x.reshape(x.shape[0], groups, x.shape[1] // groups, math.prod(size)),
        kernel.reshape(groups, kernel.shape[0] // groups, kernel.shape[1], math.prod(window)),
    )
    laid = _einsum("ngip,giot->ngopt", x_, k)
    y, *_ = seen.back(laid.reshape(x.shape[0], groups * kernel.shape[1], *seen.cell.shape))

    def pull(ct):
        w = seen.look(ct).reshape(laid.shape)
        in_x, in_kernel = _einsum("ngopt,giot->ngip", w, k), _einsum("ngopt,ngip->giot", w, x_)
        in_bias = ct.sum((0, *range(2, ct.ndim)))
        return {"x": in_x.reshape(x.shape), "kernel": in_kernel.reshape(kernel.shape), "bias": in_bias}

    return y + _along_channels(bias, y), pull


def conv_general_dilated(x, kernel, *, spread, batches, **laid):
    """lax's: the cells of x lie `spread` apart, and each of the `batches` groups of samples has its own kernels."""
    every = (..., *(slice(None, None, s) for s in spread))
    sides = [(m - 1) * s + 1 for m, s in zip(x.shape[2:], spread, strict=True)]
    apart = np.zeros((*x.shape[:2], *sides), x.dtype)
    apart[every] = x
    parts = [conv(*pair, **laid) for pair in zip(np.split(apart, batches), np.split(kernel, batches), strict=True)]
    y = np.concatenate([part for part, _ in parts], 1)

    def pull(ct):
        pulled = [part(c) for (_, part), c in zip(parts, np.split(ct, batches, axis=1), strict=True)]
        in_x, in_kernel = (np.concatenate([gradients[name] for gradients in pulled]) for name in ("x", "kernel"))
        return {"x": in_x[every], "kernel": in_kernel}

    return y, pull


def _along_channels(bias, y):
    return 0 if bias is None else bias.reshape(-1, *[1] * (y.ndim - 2))


def _einsum(terms, *arrays):
    return np.einsum(terms, *arrays, optimize=True)


# Pooling -------------------------------------------------------------------------------------------------------------

CALLABLES = ("logsumexp", "squares", "median")


def pool(x, window, mode, *, stride=None, fill=None, count_include_pad=True, divisor=None, p=2, lowest=-np.inf,
         highest=np.inf, **laid):  # fmt: skip
    stride = window if stride is None else stride
    seen = seen_of(x.shape[x.ndim - len(window) :], window, stride=stride, **laid)
    return reduce(seen, x, mode, fill, count_include_pad, divisor, p, lowest, highest)


def adaptive_pool(x, output_size, mode, *, lowest=-np.inf, highest=np.inf):
    seen = adaptive(x.shape[x.ndim - len(output_size) :], output_size)
    return reduce(seen, x, mode, None, True, None, 2, lowest, highest)


def reduce(seen, x, mode, fill, count_include_pad, divisor, p, lowest, highest):
    identity = {"max": lowest, "min": highest}.get(mode, 0)
    overhang = fill if mode in CALLABLES and fill is not None else identity
    hidden = mode == "mean" and not count_include_pad
    w = seen.look(x, identity if fill is None else fill, overhang)
    real = seen.cell != OVERHANG
    if hidden:
        w, real = np.where(seen.at_home, w, 0), seen.at_home
    y, slope = _reduced(w, mode, real, divisor, p)

    def pull(ct):
        in_x, in_fill, in_overhang = seen.back(slope * ct.reshape(*y.shape, 1))
        return {"x": in_x, "fill": in_fill + in_overhang if mode in CALLABLES else in_fill}

    return y.reshape(*x.shape[: x.ndim - len(seen.spatial)], *seen.out), pull


def _reduced(w, mode, real=None, divisor=None, p=2):
    """The last axis reduced, and the derivative of that in each cell."""
    if mode in ("max", "min"):
        first = (np.argmax if mode == "max" else np.argmin)(w, -1)[..., None]  # the first winner, NaN before all
        return np.take_along_axis(w, first, -1)[..., 0], (np.arange(w.shape[-1]) == first) + 0.0
    if mode in ("sum", "mean"):
        count = 1 if mode == "sum" else (divisor if divisor is not None else real.sum(-1))
        total = w.sum(-1)
        y = total if mode == "sum" else total / count
        slope = np.where(real, 1 / np.asarray(count)[..., None], 0) if mode == "mean" else np.ones_like(w)
        return y, slope
    if mode == "lp" and p == np.inf:
        first = np.abs(w).argmax(-1)[..., None]
        y = np.abs(np.take_along_axis(w, first, -1))[..., 0]
        return y, np.sign(w) * (np.arange(w.shape[-1]) == first)
    if mode == "lp":
        scale = w.shape[-1] / real.sum(-1)
        y = ((np.abs(w) ** p).sum(-1) * scale) ** (1 / p)
        slope = np.sign(w) * np.where(w == 0, 1, np.abs(w)) ** (p - 1) * scale[..., None] * y[..., None] ** (1 - p)
        return y, np.where(y[..., None] == 0, 0, slope)
    if mode == "product":
        others = [np.delete(w, i, -1).prod(-1) for i in range(w.shape[-1])]
        return w.prod(-1), np.stack(others, -1)
    if mode in ("logsumexp", "logaddexp"):
        y = np.logaddexp.reduce(w, -1)
        return y, np.exp(w - y[..., None])
    if mode == "squares":
        return (w * w).sum(-1), 2 * w
    order, count = np.argsort(w, -1, kind="stable"), w.shape[-1]
    middle = [order[..., [i]] for i in ((count - 1) // 2, count // 2)]
    slope = sum((np.arange(count) == place) * 0.5 for place in middle)
    return (w * slope).sum(-1), slope


def reduce_window(x, window, mode, *, fill=None, spread, lowest=-np.inf, highest=np.inf, **laid):
    """lax's: the cells of x lie `spread` apart, and each window takes `fill` once, before its cells."""
    n = len(window)
    sides = [(m - 1) * s + 1 for m, s in zip(x.shape[x.ndim - n :], spread, strict=True)]
    apart = np.full(sides, FILL)
    places = apart[tuple(slice(None, None, s) for s in spread)]
    places[...] = np.arange(places.size).reshape(places.shape)
    seen = seen_of(sides, window, **laid)
    cell = np.where(seen.cell < 0, FILL, apart.ravel()[seen.cell])
    seen = Seen(cell, cell >= 0, x.shape[x.ndim - n :], seen.out)
    identity = {"max": lowest, "min": highest, "sum": 0, "product": 1, "logaddexp": -np.inf}[mode]
    w = seen.look(x, identity)
    if fill is not None:
        w = np.concatenate([np.full((*w.shape[:-1], 1), fill, w.dtype), w], -1)
    y, slope = _reduced(w, mode)

    def pull(ct):
        in_w = slope * ct.reshape(*y.shape, 1)
        own = w.shape[-1] - cell.shape[-1]
        return {"x": seen.back(in_w[..., own:])[0], "fill": in_w[..., :own].sum()}

    return y.reshape(*x.shape[: x.ndim - n], *seen.out), pull


def winners(x, window, *, lowest=-np.inf, stride=None, **laid):
    """`max_pool_with_indices`, then `max_unpool`: values, indices, and the map with each value set in its place."""
    n = len(window)
    spatial, lead = x.shape[x.ndim - n :], x.shape[: x.ndim - n]
    seen = seen_of(spatial, window, stride=window if stride is None else stride, **laid)
    w, real = seen.look(x, lowest, lowest), seen.cell >= 0
    places = np.empty(w.shape[:-1], np.int64)
    for at in np.ndindex(*w.shape[:-1]):
        cells = [(i, w[(*at, i)]) for i in range(w.shape[-1]) if real[at[-1], i]]
        nan = [i for i, value in cells if value != value]
        places[at] = nan[0] if nan else max(cells, key=lambda pair: (pair[1], -pair[0]))[0]
    values = np.take_along_axis(w, places[..., None], -1)[..., 0]
    indices = np.take_along_axis(np.broadcast_to(seen.cell, w.shape), places[..., None], -1)[..., 0]
    flat = np.zeros((*lead, math.prod(spatial)), x.dtype)
    last = np.full(flat.shape, -1)
    for at in np.ndindex(*indices.shape):
        flat[(*at[:-1], indices[at])] = values[at]
        last[(*at[:-1], indices[at])] = at[-1]

    def pull(ct):
        in_x = np.zeros(flat.shape, x.dtype)
        for at in np.ndindex(*indices.shape):
            in_x[(*at[:-1], indices[at])] += ct["values"].reshape(values.shape)[at]
        in_x += np.where(last >= 0, ct["unpooled"].reshape(flat.shape), 0)
        return {"x": in_x.reshape(x.shape)}

    results = {"values": values.reshape(*lead, *seen.out), "indices": indices.reshape(*lead, *seen.out)}
    return results | {"unpooled": flat.reshape(x.shape)}, pull
