"""GPUs. Milliseconds are those of one H200 (jax 0.11.2, TF32 allowed), of 64 samples of 96 maps of 56x56 unless another
layer is named; lax is XLA's convolution of all groups at once, which is cuDNN's.

No cache has to be served: no blocks of samples, no strips, nothing kept apart, so that XLA can partition the program.
"""

import math

import jax.numpy as jnp

from jaxcnn._engine.algorithms.columns import windows
from jaxcnn._engine.algorithms.fft import fft
from jaxcnn._engine.algorithms.shifts import shifts
from jaxcnn._engine.algorithms.xla import xla
from jaxcnn._engine.platforms.rule import Rule, always
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.mirror import mirror
from jaxcnn._geometry import Geometry

NAMES = ("cuda", "rocm")
EASIER = (mirror,)
PIECES = ()

# The transform takes about the same time whatever the window, and shifts 0.007 to 0.017 ms a tap: from so many taps on,
# by the number of axes, the transform is three times as fast (15x15: 0.95 ms, shifts 3.8 ms).
MANY_TAPS = {1: 100, 2: 180, 3: 360}
# The kernel's gradient by the transform takes 0.52 ms, by shifts 0.02 to 0.06 ms a tap (7x7: 2.9 ms): it is faster from
# so many taps on.
MANY_TAPS_OF_A_GRADIENT = {1: 26, 2: 26, 3: 46}
# Up to this many taps cuDNN has a gradient in the kernel of its own for two axes (5x5: 0.20 ms, shifts 0.48 ms). A
# whole step of 3x3 at stride 1 is faster by shifts, which read y and x once for both gradients (144 maps:
# 0.35 ms; with cuDNN's 0.38 ms), at stride 2 it is not (0.34 ms; 0.32 ms).
FEW_TAPS, FEWEST_AT_STRIDE_1 = 25, 10
# More taps than these are too many operations to compile.
MOST_SHIFTS = 256

# The gradient of max goes through all taps of a window at once, and each cell looks at all windows that see it.
MOST_TAPS_AT_ONCE, MOST_WINDOWS_OF_A_CELL = 32, 8


def reduces_by_xla(g: Geometry) -> bool:
    """With a stride: max 3x3, stride 2 (64,64,112,112) takes XLA 0.070 ms, and slices 0.110 ms.

    At stride 1 slices are as fast: 5x5 (64,64,56,56) takes them 0.072 ms, and XLA 0.076 ms.
    """
    return any(s > 1 for s in g.stride)


def pools_at_once(g: Geometry) -> bool:
    """Where few windows see a cell: max 2x2x2 (8,32,64,64,64) takes 0.17 ms with its gradient, axis by axis 0.56 ms."""
    windows_of_a_cell = math.prod(-(-a.window // a.stride) for a in g.axes)
    return side_by_side(g) and windows_of_a_cell <= MOST_WINDOWS_OF_A_CELL


def side_by_side(g: Geometry) -> bool:
    """Whether the taps of a window, which are few, lie side by side on several axes."""
    return g.n > 1 and all(d == 1 for d in g.dilation) and math.prod(g.window) <= MOST_TAPS_AT_ONCE


POOLING = {
    "value": (
        "slices, one axis at a time, or XLA's reduce_window with a stride",
        "max 3x3, stride 2: 0.070 ms; slices take 0.110 ms",
    ),
    "definition": ("definition", "one window at a time, for reading"),
    "gradient": (
        "to the tap that won, or to all taps, by shifts",
        "max 5x5: 0.17 ms with the value, 2x2: 0.14 ms; lax takes 0.42 ms, and 0.41 ms",
    ),
}


def _float32(p: Problem) -> bool:
    return bool(p.dtype == jnp.float32)


def _half(p: Problem) -> bool:
    return bool(p.dtype.itemsize == 2 and p.summed != p.dtype)


def _may_transform(p: Problem) -> bool:
    return _float32(p) and p.default_precision and p.is_depthwise and p.geometry.n in MANY_TAPS


def _large_kernel(p: Problem) -> bool:
    return _may_transform(p) and p.wanted != "kernel" and p.taps >= MANY_TAPS[p.geometry.n]


def _gradient_of_a_large_kernel(p: Problem) -> bool:
    return _may_transform(p) and p.wanted == "kernel" and p.taps >= MANY_TAPS_OF_A_GRADIENT[p.geometry.n]


def _has_kernels_of_cudnn(p: Problem) -> bool:
    """Depthwise, two axes: half precisions of 5x5 and more, and the gradient in a kernel of few taps."""
    if not p.is_depthwise or p.geometry.n != 2 or not (_float32(p) or _half(p)):
        return False
    if p.wanted != "kernel":
        return _half(p) and p.taps >= 25
    return _half(p) or (FEWEST_AT_STRIDE_1 if p.is_at_stride_1 else 2) <= p.taps <= FEW_TAPS


def _few_taps(p: Problem) -> bool:
    return p.is_depthwise and p.taps <= MOST_SHIFTS


def _few_channels(p: Problem) -> bool:
    return p.terms <= 25 and p.outs <= 8 and p.groups == 1 and p.wanted == "y" and p.geometry.n > 0 and _float32(p)


def _convolved(p: Problem) -> bool:
    return 1 <= p.geometry.n <= 3


RULES = (
    Rule(fft, _large_kernel, "depthwise 31x31 (32,64,56,56): 0.51 ms; lax takes 4.3 ms"),
    Rule(
        fft,
        _gradient_of_a_large_kernel,
        "depthwise 7x7, the gradient in the kernel: 0.52 ms; shifts take 2.9 ms, lax 7.1 ms",
    ),
    Rule(xla, _has_kernels_of_cudnn, "depthwise 7x7 in bfloat16: 0.20 ms; shifts take 0.36 ms"),
    Rule(shifts, _few_taps, "depthwise 3x3: 0.079 ms; lax takes 0.15 ms"),
    Rule(shifts, _few_channels, "LeNet's first layer, batch 1024: 0.050 ms; lax takes 0.099 ms"),
    Rule(xla, _convolved, "64 channels of 3x3 (64,64,56,56): 0.13 ms; rows take 0.24 ms"),
    Rule(windows, always, "XLA has no convolution of such numbers, or of so many axes, there"),
)
