"""Oracles: loops in NumPy, thin calls of lax, and the functions of the starting text.

Nothing here imports jaxcnn. Keywords have the same names, so that one row of `cases` calls both.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax

# Geometry -----------------------------------------------------------------------------------------------------------


def per_axis(value, n):
    return (value,) * n if isinstance(value, int | str) else tuple(value)


def pads_of(padding, size, window, stride, dilation):
    """Any padding as one (low, high) per axis."""
    if not isinstance(padding, str):
        return [(p, p) if isinstance(p, int) else tuple(p) for p in per_axis(padding, len(window))]
    return [one_named_pad(padding, *axis) for axis in zip(size, window, stride, dilation, strict=True)]


def one_named_pad(name, size, window, stride, dilation):
    span = (window - 1) * dilation + 1
    if name in ("VALID", "FULL", "CAUSAL"):
        return {"VALID": (0, 0), "FULL": (span - 1, span - 1), "CAUSAL": (span - 1, 0)}[name]
    # SAME: the fewest cells with which ceil(size / stride) windows fit.
    total = 0
    while (size + total - span) // stride + 1 < math.ceil(size / stride):
        total += 1
    odd_cell_high = name == "SAME"
    return (total // 2, total - total // 2) if odd_cell_high else (total - total // 2, total // 2)


def starts_of(size, span, stride, pad, ceil_mode=False):
    """Where the windows of one axis start, counted from the first cell of the map; padding lies below 0."""
    low, high = pad
    starts = list(range(-low, size + high - span + 1, stride))
    if ceil_mode and not starts:  # a window larger than the map is one
        return [-low]
    # In ceil mode one more, if it starts on the map and the windows before it left cells over.
    if ceil_mode and starts[-1] + span < size + high and starts[-1] + stride < size:
        starts.append(starts[-1] + stride)
    return starts


# Padding ------------------------------------------------------------------------------------------------------------


def cell_of(p, size, mode):
    """The cell of a map of `size` cells that padding shows at position p."""
    if mode == "replicate":
        return min(max(p, 0), size - 1)
    if mode == "circular":
        return p % size
    period = 2 * size if mode == "symmetric" else max(2 * size - 2, 1)
    p %= period
    return p if p < size else (2 * size - 1 - p if mode == "symmetric" else period - p)


def pad(x, pads, padding_mode="constant", fill=0):
    """x with its last len(pads) axes padded, a cell at a time; a negative pad crops first."""
    n = len(pads)
    for i, ((low, high), mode) in enumerate(zip(pads, per_axis(padding_mode, n), strict=True)):
        x = np.moveaxis(x, i - n, 0)
        kept = range(max(-low, 0), len(x) - max(-high, 0))
        cells = []
        for p in range(-low, len(x) + high):
            if p in kept:
                cells.append(x[p])
            elif mode == "constant":
                cells.append(np.full(x.shape[1:], fill, x.dtype))
            else:
                cells.append(x[kept[cell_of(p - kept.start, len(kept), mode)]])
        x = np.moveaxis(np.stack(cells), 0, i - n)
    return x


# Windows, correlation, pooling: a loop over the windows and one over their taps -------------------------------------


def window_positions(spatial, window, stride, padding, dilation, ceil_mode=False):
    """The pads, the output sizes, and a function that lists the taps of window i with their positions on the map."""
    n = len(window)
    stride, dilation = per_axis(stride, n), per_axis(dilation, n)
    pads = pads_of(padding, spatial, window, stride, dilation)
    starts = [
        starts_of(size, (k - 1) * d + 1, s, pair, ceil_mode)
        for size, k, d, s, pair in zip(spatial, window, dilation, stride, pads, strict=True)
    ]

    def taps(i):
        for t in np.ndindex(*window):
            yield t, tuple(starts[a][i[a]] + t[a] * dilation[a] for a in range(n))

    return pads, tuple(map(len, starts)), taps


def on_padded(position, pads):
    return tuple(p + low for p, (low, _) in zip(position, pads, strict=True))


def windows(x, size, *, stride=1, padding=0, dilation=1, padding_mode="constant", fill=0):
    n = len(size)
    pads, out, taps = window_positions(x.shape[x.ndim - n :], size, stride, padding, dilation)
    padded = pad(x, pads, padding_mode, fill)
    seen = np.empty((*x.shape[: x.ndim - n], *out, *size), x.dtype)
    for i in np.ndindex(*out):
        for t, position in taps(i):
            seen[(..., *i, *t)] = padded[(..., *on_padded(position, pads))]
    return seen


def fold(w, spatial, *, stride=1, padding=0, dilation=1):
    n = len(spatial)
    _, out, taps = window_positions(spatial, w.shape[w.ndim - n :], stride, padding, dilation)
    x = np.zeros((*w.shape[: w.ndim - 2 * n], *spatial), w.dtype)
    for i in np.ndindex(*out):
        for t, position in taps(i):
            if all(0 <= p < size for p, size in zip(position, spatial, strict=True)):
                x[(..., *position)] += w[(..., *i, *t)]
    return x


def correlate(x, kernel, *, stride=1, padding=0, dilation=1, padding_mode="constant", fill=0):
    n = kernel.ndim
    pads, out, taps = window_positions(x.shape[x.ndim - n :], kernel.shape, stride, padding, dilation)
    padded = pad(x, pads, padding_mode, fill)
    y = np.zeros((*x.shape[: x.ndim - n], *out), np.result_type(x, kernel))
    for i in np.ndindex(*out):
        for t, position in taps(i):
            y[(..., *i)] += padded[(..., *on_padded(position, pads))] * kernel[t]
    return y


def convolve(x, kernel, **options):
    return correlate(x, np.flip(kernel), **options)


def conv(x, kernel, bias=None, *, groups=1, **options):
    outs, ins = kernel.shape[:2]
    channels = []
    for o in range(outs):
        first = o // (outs // groups) * ins
        channels.append(sum(correlate(x[:, first + c], kernel[o, c], **options) for c in range(ins)))
        if bias is not None:
            channels[o] = channels[o] + bias[o]
    return np.stack(channels, axis=1)


def pool_positions(x, window, stride, padding, dilation, ceil_mode):
    stride = window if stride is None else stride
    return window_positions(x.shape[x.ndim - len(window) :], window, stride, padding, dilation, ceil_mode)


def on_map(position, spatial, pads=None):
    """Whether a position lies on the map, or on the map with its pads."""
    pads = pads or [(0, 0)] * len(spatial)
    return all(-low <= p < size + high for p, size, (low, high) in zip(position, spatial, pads, strict=True))


IDENTITY = {"max": -np.inf, "min": np.inf, "sum": 0, "mean": 0}
REDUCE = {"max": np.max, "min": np.min, "sum": np.sum, "mean": np.sum}


def pool(x, window, mode, *, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True, divisor=None,
         padding_mode="constant", fill=None):  # fmt: skip
    spatial = x.shape[x.ndim - len(window) :]
    pads, out, taps = pool_positions(x, window, stride, padding, dilation, ceil_mode)
    padded = pad(x, pads, padding_mode, IDENTITY[mode] if fill is None else fill)
    y = np.empty((*x.shape[: x.ndim - len(window)], *out), x.dtype)
    for i in np.ndindex(*out):
        counted = pads if count_include_pad else None
        positions = [p for _, p in taps(i) if on_map(p, spatial, pads) and on_map(p, spatial, counted)]
        cells = [padded[(..., *on_padded(p, pads))] for p in positions]
        y[(..., *i)] = REDUCE[mode](cells, axis=0, initial=IDENTITY[mode])
        if mode == "mean":
            y[(..., *i)] /= divisor or len(cells) or np.nan
    return y


def first_winner(cells, mode):
    """The place of the first NaN, else of the first largest (smallest) cell."""
    winner = 0
    for place, cell in enumerate(cells):
        beaten = cell > cells[winner] if mode == "max" else cell < cells[winner]
        if beaten or (np.isnan(cell) and not np.isnan(cells[winner])):
            winner = place
    return winner


def winner_gradient(x, cotangent, window, mode, *, stride=None, padding=0, dilation=1, ceil_mode=False,
                    padding_mode="constant", fill=None):  # fmt: skip
    """The gradients of max or min pooling in x and in fill: each cotangent goes whole to the first winner."""
    n = len(window)
    lead, spatial = x.shape[: x.ndim - n], x.shape[x.ndim - n :]
    pads, out, taps = pool_positions(x, window, stride, padding, dilation, ceil_mode)
    padded = pad(x, pads, padding_mode, IDENTITY[mode] if fill is None else fill)
    # The cell of the map that each padded cell shows; one past the last stands for the fill.
    source = pad(np.arange(math.prod(spatial)).reshape(spatial), pads, padding_mode, math.prod(spatial))
    gradient = np.zeros((*lead, math.prod(spatial) + 1))
    for i in np.ndindex(*out):
        positions = [on_padded(p, pads) for _, p in taps(i) if on_map(p, spatial, pads)]
        for m in np.ndindex(*lead):
            winner = first_winner([padded[(*m, *p)] for p in positions], mode)
            gradient[(*m, source[positions[winner]])] += cotangent[(*m, *i)]
    return gradient[..., :-1].reshape(x.shape), gradient[..., -1].sum()


# lax ----------------------------------------------------------------------------------------------------------------


def lax_pad(x, pads, padding_mode="constant", fill=0):
    n = len(pads)
    for i, ((low, high), mode) in enumerate(zip(pads, per_axis(padding_mode, n), strict=True)):
        axis = x.ndim - n + i
        if mode == "constant":
            config = [(low, high, 0) if a == axis else (0, 0, 0) for a in range(x.ndim)]
            x = lax.pad(x, jnp.asarray(fill, x.dtype), config)
        else:
            cropped = range(max(-low, 0), x.shape[axis] - max(-high, 0))
            shown = [cropped[cell_of(p, len(cropped), mode)] for p in range(-max(low, 0), len(cropped) + max(high, 0))]
            x = jnp.take(x, np.array(shown), axis=axis)
    return x


def lax_conv(x, kernel, bias=None, *, stride=1, padding=0, dilation=1, groups=1, padding_mode="constant", fill=None):
    n = kernel.ndim - 2
    stride, dilation = per_axis(stride, n), per_axis(dilation, n)
    if padding not in ("SAME", "SAME_LOWER", "VALID") or padding_mode != "constant" or fill is not None:
        padding = pads_of(padding, x.shape[2:], kernel.shape[2:], stride, dilation)
    if padding_mode != "constant" or fill is not None:
        x, padding = lax_pad(x, padding, padding_mode, 0 if fill is None else fill), [(0, 0)] * n
    y = lax.conv_general_dilated(x, kernel, stride, padding, rhs_dilation=dilation, feature_group_count=groups)
    return y if bias is None else y + bias.reshape(1, -1, *(1,) * n)


def lax_correlate(x, kernel, **options):
    n = kernel.ndim
    lead, spatial = x.shape[: x.ndim - n], x.shape[x.ndim - n :]
    y = lax_conv(x.reshape(-1, 1, *spatial), kernel[None, None], **options)
    return y.reshape(*lead, *y.shape[2:])


def lax_pool(x, window, mode, *, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True,
             divisor=None, padding_mode="constant", fill=None):  # fmt: skip
    n = len(window)
    lead = (1,) * (x.ndim - n)
    stride = per_axis(window if stride is None else stride, n)
    # XLA crashes on some windows of one tap that have a dilation.
    dilation = [d if k > 1 else 1 for d, k in zip(per_axis(dilation, n), window, strict=True)]
    pads, out, _ = pool_positions(x, window, stride, padding, dilation, ceil_mode)
    columns = zip(x.shape[x.ndim - n :], pads, out, stride, window, dilation, strict=True)
    overhang = [(0, max((o - 1) * s + (k - 1) * d + 1 - size - sum(pair), 0)) for size, pair, o, s, k, d in columns]
    monoid = {"max": lax.max, "min": lax.min}.get(mode, lax.add)

    def reduced(padded):
        start = np.array(IDENTITY[mode], x.dtype)
        padded, dims = lax_pad(padded, overhang, fill=start), [(*lead, *each) for each in (window, stride, dilation)]
        return lax.reduce_window(padded, start, monoid, dims[0], dims[1], "VALID", window_dilation=dims[2])

    def surrounded(cells, padding_mode, fill):
        return reduced(lax_pad(cells, pads, padding_mode, IDENTITY[mode] if fill is None else fill))

    if mode != "mean":
        return surrounded(x, padding_mode, fill)
    y = surrounded(x, padding_mode, fill) if count_include_pad else surrounded(x, "constant", 0)
    return y / (divisor or surrounded(jnp.ones_like(x), "constant", 1 if count_include_pad else 0))


# The starting text: its functions, with its own names and conventions -------------------------------------------------
# Padding is zeros all round, an int or one per axis; bias has shape (out, 1); everything is float32.


def corr2d(data, kernel):
    return corr2d_pad(data, kernel, 0, 1)


def corr2d_pad(data, kernel, padding, stride):
    data, (s, t), (h, w) = zeros_round(data, padding), per_axis(stride, 2), kernel.shape
    result = np.zeros(sides(data.shape, kernel.shape, (s, t)), np.float32)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = (data[i * s : i * s + h, j * t : j * t + w] * kernel).sum()
    return result


def corr3d(data, kernel):
    return corr3d_pad(data, kernel, 0, 1)


def corr3d_pad(data, kernel, padding, stride):
    data, (r, s, t), (d, h, w) = zeros_round(data, padding), per_axis(stride, 3), kernel.shape
    result = np.zeros(sides(data.shape, kernel.shape, (r, s, t)), np.float32)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            for k in range(result.shape[2]):
                result[i, j, k] = (data[i * r : i * r + d, j * s : j * s + h, k * t : k * t + w] * kernel).sum()
    return result


def pool2d(data, kernel, mode, stride):
    return pool2d_pad(data, kernel, mode, 0, stride)


def pool2d_pad(data, kernel, mode, padding, stride):
    data, (s, t), (h, w) = zeros_round(data, padding), per_axis(stride, 2), kernel
    result = np.zeros(sides(data.shape, kernel, (s, t)), np.float32)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            window = data[i * s : i * s + h, j * t : j * t + w]
            result[i, j] = window.max() if mode == "max" else window.mean()
    return result


def pool3d(data, kernel, mode, stride):
    return pool3d_pad(data, kernel, mode, 0, stride)


def pool3d_pad(data, kernel, mode, padding, stride):
    data, (r, s, t), (d, h, w) = zeros_round(data, padding), per_axis(stride, 3), kernel
    result = np.zeros(sides(data.shape, kernel, (r, s, t)), np.float32)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            for k in range(result.shape[2]):
                window = data[i * r : i * r + d, j * s : j * s + h, k * t : k * t + w]
                result[i, j, k] = window.max() if mode == "max" else window.mean()
    return result


def convnet_2d(data, kernels, bias, padding, stride):
    """(samples, H, W) with (out, h, w)."""
    outs = range(len(kernels))
    return sigmoid([[corr2d_pad(x, kernels[o], padding, stride) + bias[o, 0] for o in outs] for x in data])


def convnet2d(data, kernels, bias, padding, stride):
    """(samples, in, H, W) with (out, in, h, w)."""
    outs, ins = range(kernels.shape[0]), range(kernels.shape[1])
    layer = lambda x, o: sum(corr2d_pad(x[c], kernels[o, c], padding, stride) for c in ins) + bias[o, 0]
    return sigmoid([[layer(x, o) for o in outs] for x in data])


def convnet_3d(data, kernels, bias, padding, stride):
    """(samples, D, H, W) with (out, d, h, w)."""
    outs = range(len(kernels))
    return sigmoid([[corr3d_pad(x, kernels[o], padding, stride) + bias[o, 0] for o in outs] for x in data])


def poolnet_2d(data, kernel, mode, padding, stride):
    """(samples, channels, H, W)."""
    return np.array([[pool2d_pad(channel, kernel, mode, padding, stride) for channel in x] for x in data])


def poolnet_3d(data, kernel, mode, padding, stride):
    """(samples, channels, D, H, W)."""
    return np.array([[pool3d_pad(channel, kernel, mode, padding, stride) for channel in x] for x in data])


def zeros_round(data, padding):
    pads = per_axis(padding, data.ndim)
    result = np.zeros([size + 2 * p for size, p in zip(data.shape, pads, strict=True)], np.float32)
    result[tuple(slice(p, p + size) for size, p in zip(data.shape, pads, strict=True))] = data
    return result


def sides(data, kernel, stride):
    return [(size - k) // s + 1 for size, k, s in zip(data, kernel, stride, strict=True)]


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))
