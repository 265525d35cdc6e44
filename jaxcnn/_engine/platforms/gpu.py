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
from jaxcnn._engine.platforms.rule import Rule, always, depthwise, terms
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.mirror import mirror
from jaxcnn._geometry import Geometry

NAMES = ("cuda", "rocm")
EASIER = (mirror,)
PIECES = ()

# A tap costs shifts 0.007 to 0.009 ms, and the transform takes 0.75 ms whatever the window: from this many taps on it
# is three times as fast.
MANY_TAPS = 250
# The kernel's gradient by the transform takes 0.53 ms, by shifts 0.055 ms a tap (7x7: 2.7 ms).
MANY_TAPS_OF_A_GRADIENT = 25
# Up to this many taps cuDNN has a gradient in the kernel of its own for two axes (5x5: 0.20 ms, 7x7: 7.5 ms).
FEW_TAPS = 25
# The gradient of max goes through all taps of a window at once, and each cell looks at all windows that see it.
MOST_TAPS_AT_ONCE, MOST_WINDOWS_OF_A_CELL = 32, 8


def reduces_by_xla(g: Geometry) -> bool:
    """With a stride: max 3x3, stride 2 (64,64,112,112) takes XLA 0.070 ms, and slices 0.110 ms.

    At stride 1 slices are as fast: 5x5 (64,64,56,56) takes them 0.072 ms, and XLA 0.076 ms.
    """
    return any(s > 1 for s in g.stride)


def pools_at_once(g: Geometry) -> bool:
    """Where a cell is seen by few windows: max 2x2x2 (8,32,64,64,64) with its gradient takes 0.17 ms so, and 0.56 ms by axes."""
    windows_of_a_cell = math.prod(-(-a.window // a.stride) for a in g.axes)
    plain = g.n > 1 and all(d == 1 for d in g.dilation)
    return plain and math.prod(g.window) <= MOST_TAPS_AT_ONCE and windows_of_a_cell <= MOST_WINDOWS_OF_A_CELL


POOLING = {
    "value": (
        "slices, one axis at a time, or XLA's reduce_window with a stride",
        "max 3x3, stride 2: 0.070 ms; slices take 0.110 ms",
    ),
    "definition": ("definition", "one window at a time, for reading"),
    "gradient": (
        "to the tap that won, or to all taps, by shifts",
        "max 5x5: 0.17 ms with the value; lax takes 0.42 ms",
    ),
}


def _float32(p: Problem) -> bool:
    return bool(p.dtype == jnp.float32)


def _half(p: Problem) -> bool:
    return bool(p.summed != p.dtype)


def _large_kernel(p: Problem) -> bool:
    return _float32(p) and p.default_precision and depthwise(p) and p.face != "kernel" and p.taps >= MANY_TAPS


def _gradient_of_a_large_kernel(p: Problem) -> bool:
    large = p.taps > MANY_TAPS_OF_A_GRADIENT if p.geometry.n < 3 else p.taps >= MANY_TAPS
    return _float32(p) and p.default_precision and depthwise(p) and p.face == "kernel" and large


def _has_kernels_of_cudnn(p: Problem) -> bool:
    """Depthwise, two axes: half precisions of 5x5 and more, and the gradient in a kernel of few taps."""
    if not depthwise(p) or p.geometry.n != 2 or not (_float32(p) or _half(p)):
        return False
    if p.face == "kernel":
        return 9 < p.taps <= FEW_TAPS if _float32(p) else True
    return _half(p) and p.taps >= 25


def _few_taps(p: Problem) -> bool:
    return depthwise(p) and p.taps < MANY_TAPS


def _few_channels(p: Problem) -> bool:
    return terms(p) <= 25 and p.outs <= 8 and p.groups == 1 and p.face == "y" and p.geometry.n > 0 and _float32(p)


def _convolved(p: Problem) -> bool:
    return 1 <= p.geometry.n <= 3


RULES = (
    Rule(fft, _large_kernel, "depthwise 31x31 (32,64,56,56): 0.51 ms; lax takes 3.8 ms"),
    Rule(
        fft,
        _gradient_of_a_large_kernel,
        "depthwise 7x7, the gradient in the kernel: 0.53 ms; shifts take 2.7 ms, lax 7.5 ms",
    ),
    Rule(xla, _has_kernels_of_cudnn, "depthwise 7x7 in bfloat16: 0.20 ms; shifts take 0.36 ms"),
    Rule(shifts, _few_taps, "depthwise 3x3: 0.081 ms; lax takes 0.136 ms"),
    Rule(shifts, _few_channels, "LeNet's first layer, batch 1024: 0.044 ms; lax takes 0.100 ms"),
    Rule(xla, _convolved, "64 channels of 3x3 (64,64,56,56): 0.13 ms; rows take 0.86 ms"),
    Rule(windows, always, "XLA has no convolution of such numbers, or of so many axes, there"),
)
