"""A volume as its planes, which are samples of two axes. The taps along its first axis become channels.

Only a third of the columns of 3x3x3 are laid out so, and XLA's convolution of two axes is fast where that of three is
not: 16 to 16 (1,32,32,32,16) takes 5.2 ms, and rows of three axes 6.8 ms. A step of a 3-D U-Net compiles in 2.8 s, and
in 4.7 s without.
"""

import functools
import math

import jax
from jax import lax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then
from jaxcnn._geometry import Geometry
from jaxcnn._padding import zero_pad
from jaxcnn._slices import tap_slice, tap_slices
from jaxcnn._symbolic import is_symbolic

# With fewer channels one loop over all taps is faster: 1 to 16 (1,32,32,32,1) takes 0.8 ms, and 1.2 ms in planes.
FEWEST_CHANNELS = 8
# Cells of what the taps see, 16 MiB of float32. More of them take fresh pages from the system at each call: 16 to 16
# (4,32,32,32,16) takes 45 ms so, in blocks of samples 37 ms, and 28 ms by rows.
MOST_CELLS = 2**22


def _applies(problem: Problem, _: Algorithm | None) -> bool:
    g = problem.geometry
    dense = problem.channels_last and problem.groups == 1 and problem.ins >= FEWEST_CHANNELS and problem.taps > 1
    if g.n != 3 or problem.wanted == "x" or not dense or is_symbolic(problem.samples, *g.size):
        return False
    if problem.wanted == "y" and g.stride[0] > 1:
        return False
    laid_out = math.prod(_leaves(problem, None).shape("y" if problem.wanted == "y" else "x"))
    return bool(laid_out <= MOST_CELLS)


def _leaves(problem: Problem, _: Algorithm | None) -> Problem:
    first, *others = problem.geometry.axes
    if problem.wanted == "y":
        more = {"samples": problem.samples * first.padded, "outs": first.window * problem.outs}
    else:
        more = {"samples": problem.samples * first.out, "ins": first.window * problem.ins}
    return problem.but(geometry=Geometry(tuple(others)), **more)


def _carry_out(problem: Problem, x: jax.Array, other: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    first = problem.geometry.axes[0]
    x = zero_pad(x, [(first.low, first.high), (0, 0), (0, 0)])
    contract = _correlate if problem.wanted == "y" else _gather
    return contract(problem, _leaves(problem, algorithm), x, other, then)


def _correlate(problem: Problem, left: Problem, x: jax.Array, kernel: jax.Array, then: Then) -> jax.Array:
    """The taps are output channels of all planes."""
    g, window = problem.geometry, problem.geometry.window[0]
    kernels = lax.transpose(kernel, (0, 3, 1, 2, 4, 5))  # (groups, first tap, outs, ins, *window)
    y = then(left, _planes(x).reshape(left.shape("x")), kernels.reshape(left.shape("kernel")))
    y = y.reshape(problem.samples, -1, problem.groups, window, problem.outs, *left.geometry.out)
    y = lax.transpose(y, (3, 0, 2, 4, 1, 5, 6))
    shares = (lax.index_in_dim(y, tap, 0, keepdims=False) for tap in range(window))
    return functools.reduce(lax.add, (tap_slice(share, 0, tap, g) for tap, share in enumerate(shares)))


def _gather(problem: Problem, left: Problem, x: jax.Array, y: jax.Array, then: Then) -> jax.Array:
    """What the taps see are input channels, so that no tap meets a plane that it does not see."""
    seen = lax.concatenate([_planes(tap) for tap in tap_slices(x, 0, problem.geometry)], 3)
    kernel = then(left, seen.reshape(left.shape("x")), _planes(y).reshape(left.shape("y")))
    kernel = kernel.reshape(problem.groups, problem.outs, -1, problem.ins, *left.geometry.window)
    return lax.transpose(kernel, (0, 1, 3, 2, 4, 5))


def _planes(array: jax.Array) -> jax.Array:
    """(samples, groups, channels, *spatial) to (samples, planes, groups, channels, *others)."""
    return lax.transpose(array, (0, 3, 1, 2, 4, 5))


planes = Rewrite("take a volume as its planes", _applies, _leaves, _carry_out)
