"""CPUs. Milliseconds are those of two cores (AVX2) in float32: of the algorithm taken, and of the next best.

Those of kernels of more than 100 taps are of two cores of an Intel Xeon.
"""

import math

import jax.numpy as jnp

from jaxcnn._engine.algorithms.columns import rows, windows
from jaxcnn._engine.algorithms.columns_last import in_place
from jaxcnn._engine.algorithms.fft import fft
from jaxcnn._engine.algorithms.shifts import interleaves, shifts
from jaxcnn._engine.algorithms.xla import xla
from jaxcnn._engine.platforms.rule import Rule, always
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.channels_first import channels_first
from jaxcnn._engine.rewrites.isolate import isolate
from jaxcnn._engine.rewrites.mirror import mirror
from jaxcnn._engine.rewrites.pad_first import pad_first
from jaxcnn._engine.rewrites.planes import planes
from jaxcnn._engine.rewrites.sample_blocks import sample_blocks
from jaxcnn._engine.rewrites.stride_as_blocks import stride_as_blocks, takes_strides
from jaxcnn._engine.rewrites.strips import strips
from jaxcnn._geometry import Geometry
from jaxcnn._symbolic import is_symbolic

NAMES = ("cpu",)
EASIER = (stride_as_blocks, mirror, planes)
PIECES = (channels_first, pad_first, isolate, strips, sample_blocks)

# From this many taps on, by the number of axes, the transform is three times as fast as what keeps small numbers beside
# large ones: for a kernel in each of several groups, and for one kernel (31x31: 0.11 ms; rows take 0.18 ms).
MANY_TAPS = {1: (250, 500), 2: (900, 1500), 3: (700, 700)}
# The gradient in the kernel, where shifts and columns take a sum over the whole map for each tap.
MANY_TAPS_OF_A_GRADIENT = {1: (250, 500), 2: (200, 200), 3: (300, 300)}
# Above this many taps XLA's convolution of several channels is as fast as columns, and lays nothing out in memory.
LARGE = 100
# One loop is faster than columns and a product while a cell sums at most this many products, and one position needs at
# most this many over all output channels. For one output channel it may sum more: the gradient for the map of LeNet's
# first layer takes 1.0 ms, and by rows 1.8 ms.
FEW_TERMS, FEW_TERMS_OF_ONE, FEW_PRODUCTS = 72, 150, 600
# The same for the gradient in the kernel, but in several groups, whose products are small: 8 groups of 8 channels take
# 1.1 ms so, and 2.9 ms by columns; one such group gains a fifth, and takes long to compile.
FEW_PRODUCTS_OF_A_GRADIENT = 150
# Channels last, XLA's convolution is faster than columns that are transposed from this many channels in on, or where a
# cell sums more than FEW_TERMS products: lax takes 6.2 ms for 7x7, stride 2, 3 to 64 (4,224,224,3), and columns 22 ms.
# With fewer the columns are faster: 3x3, stride 2, 3 to 32 (4,96,96,3) takes 0.5 ms, and XLA 0.8 ms. They are so with
# fewer out as well, up to twice as many in: 16 to 6 of 5x5 (128,14,14,16) takes 1.9 ms, and XLA 2.7 ms.
MANY_CHANNELS = 16
# Channels last, XLA's gradient in the kernel is faster up to this many channels out: 3x3, 128 to 32 (4,24,24,128) takes
# 2.8 ms, and columns 3.8 ms; 64 to 64 (4,56,56,64) takes 27 ms, and columns 12 ms.
FEW_OUTS = 32
# In both layouts it is faster where maps of many channels have together at most so many cells, and stay in the cache:
# 3x3, 64 to 64 (8,24,24,64) takes 3.4 ms, and columns 4.9 ms; (16,24,24,64) takes 14.9 and 11.6 ms.
CACHED = 600_000


def reduces_by_xla(g: Geometry) -> bool:
    """Never: max 5x5 (4,64,56,56) takes XLA 7.7 ms, and slices 1.1 ms."""
    return False


def pools_at_once(g: Geometry) -> bool:
    """Never: max 2x2 (4,64,112,112) with its gradient takes 8.5 ms so, and 3.1 ms one axis at a time."""
    return False


POOLING = {
    "value": ("slices, one axis at a time", "max 5x5 (4,64,56,56): 1.1 ms; lax takes 7.7 ms"),
    "definition": ("definition", "one window at a time, for reading"),
    "gradient": ("to the tap that won, or to all taps, by shifts", "max 5x5: 5.6 ms with the value; lax takes 61 ms"),
}


def _may_transform(p: Problem, many: dict[int, tuple[int, int]]) -> bool:
    """Only where JAX's default leaves it to us to be less exact; for several channels it is not three times as fast."""
    allowed = p.default_precision and p.dtype == jnp.float32
    if not (allowed and p.is_depthwise and p.is_at_stride_1 and p.geometry.n in many):
        return False
    of_several, of_one = many[p.geometry.n]
    return p.taps >= (of_one if p.groups == 1 else of_several)


def _large_kernel(p: Problem) -> bool:
    return p.wanted != "kernel" and _may_transform(p, MANY_TAPS)


def _gradient_of_a_large_kernel(p: Problem) -> bool:
    return p.wanted == "kernel" and _may_transform(p, MANY_TAPS_OF_A_GRADIENT)


def _one_channel(p: Problem) -> bool:
    """The adjoint in x comes here only with a stride that no rewrite takes up: any other is a correlation by then."""
    return p.is_depthwise and (p.wanted != "x" or interleaves(p))


def _dense_channels_last(p: Problem) -> bool:
    """With three axes rows are faster: 3x3x3, 16 to 16 (4,32,32,32,16) takes 32 ms, and XLA 109 ms."""
    if not p.channels_last or p.groups > 1 or p.geometry.n > 2 or p.taps > LARGE or p.exact:
        return False
    if p.wanted == "kernel":
        few_or_many = p.outs <= FEW_OUTS <= 2 * p.ins or min(p.ins, p.outs) >= 512
        return p.geometry.n == 2 and (few_or_many if p.is_at_stride_1 else takes_strides(p))
    if p.wanted == "x":
        return p.ins >= MANY_CHANNELS
    many_in = p.ins >= MANY_CHANNELS or p.terms > FEW_TERMS
    return p.ins >= 2 * MANY_CHANNELS or (many_in and p.outs >= MANY_CHANNELS)


def _gradient_in_cache(p: Problem) -> bool:
    positions = (p.samples, *p.geometry.out)
    dense = p.groups == 1 and p.geometry.n == 2 and p.taps <= LARGE and not p.exact
    many = p.ins >= MANY_CHANNELS and p.outs >= 2 * MANY_CHANNELS
    if p.wanted != "kernel" or not dense or not many or is_symbolic(*positions):
        return False
    cells: int = math.prod(positions) * (p.ins + p.outs)
    return cells <= CACHED


def _few_channels(p: Problem) -> bool:
    by_columns = p.wanted == "kernel" and p.groups == 1
    few = FEW_PRODUCTS_OF_A_GRADIENT if by_columns else FEW_PRODUCTS
    few_terms = FEW_TERMS_OF_ONE if p.wanted == "y" and p.outs == 1 else FEW_TERMS
    return p.wanted != "x" and p.is_at_stride_1 and p.terms <= few_terms and p.terms * p.outs <= few


def _keeps_nan(p: Problem) -> bool:
    """XLA makes one kernel of groups that are not float32, with zeros between them, which spread a NaN."""
    return p.groups == 1 or p.dtype == jnp.float32


def _large_kernel_of_channels(p: Problem) -> bool:
    return _keeps_nan(p) and p.taps > LARGE and p.is_at_stride_1 and p.geometry.n <= 2 and p.ins * p.outs >= 1024


def _one_axis(p: Problem) -> bool:
    return _keeps_nan(p) and p.geometry.n == 1 and p.ins * p.outs >= (256 if p.taps > LARGE else 1024) and p.taps > 1


def _wide(p: Problem) -> bool:
    return _keeps_nan(p) and min(p.ins, p.outs) >= 256 and p.geometry.n == 2 and p.taps > 1


def _dilated(p: Problem) -> bool:
    wide = p.geometry.n == 2 and p.ins * p.outs >= 1024
    return _keeps_nan(p) and p.wanted != "x" and wide and any(a.dilation > 1 for a in p.geometry.axes)


def _strided(p: Problem) -> bool:
    """A first layer of large windows; its gradients are faster by columns."""
    first = p.groups == 1 and p.geometry.n == 2 and p.ins < MANY_CHANNELS and p.terms > FEW_TERMS
    return first and p.wanted == "y" and not p.is_at_stride_1 and not p.exact


def _fewer_cells(p: Problem) -> bool:
    """LeNet's second layer lays out as many cells by rows as by windows: rows take 1.1 ms, and windows 1.5 ms.

    The cells are equal where rows leave no axis, since its window is too long.
    """
    of_windows, of_rows = windows.cells(p), rows.cells(p)
    return p.wanted != "y" or of_windows == of_rows or 4 * of_windows <= 3 * of_rows


RULES = (
    Rule(fft, _large_kernel, "depthwise 31x31 (4,64,56,56): 19 ms; the next best takes 65 ms"),
    Rule(
        fft,
        _gradient_of_a_large_kernel,
        "depthwise 15x15 (4,64,56,56), the gradient in the kernel: 11 ms; the next best takes 35 ms",
    ),
    Rule(
        shifts, _one_channel, "depthwise 3x3: 0.5 ms, the gradient in the kernel 0.9 ms; the next best 5.8 and 8.8 ms"
    ),
    Rule(windows, in_place, "channels last, 1x1, 64 to 256: 1.5 ms, one product; XLA's convolution takes 3.1 ms"),
    Rule(
        xla,
        _dense_channels_last,
        "channels last, 7x7 of 3 channels: lax takes 6.2 ms; columns, transposed before, 22 ms",
    ),
    Rule(
        shifts,
        _few_channels,
        "LeNet's first layer: 0.6 ms, the gradient in the kernel 1.0 ms; the next best 0.9 and 2.5 ms",
    ),
    Rule(
        xla,
        _gradient_in_cache,
        "64 channels of 3x3 (8,64,24,24), the gradient in the kernel: 3.4 ms; the next best takes 4.9 ms",
    ),
    Rule(
        xla,
        _large_kernel_of_channels,
        "32 channels of 11x11, the gradient in the kernel: 26 ms; the next best takes 51 ms",
    ),
    Rule(xla, _one_axis, "64 channels of 9: 17 ms; the next best takes 42 ms"),
    Rule(xla, _wide, "256 channels of 3x3: 11 ms, as the next best, and nothing is laid out in memory"),
    Rule(xla, _dilated, "64 channels of 3x3, dilation 4: 3.7 ms; the next best takes 3.9 ms"),
    Rule(xla, _strided, "7x7, stride 2, 3 to 64 (4,3,224,224): 9.1 ms; the next best takes 10.6 ms"),
    Rule(windows, _fewer_cells, "fewer cells are laid out in memory than for rows"),
    Rule(rows, always, "64 channels of 3x3: only a third of the columns are laid out in memory"),
)
