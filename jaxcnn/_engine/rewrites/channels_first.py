"""Arrays transposed once before one loop over several channels of each group, which would transpose them at each tap.

Channels last, 8 groups of 8 channels, 3x3 (4,32,32,64), take 2.3 ms with gradients so, and 4.6 ms without.
"""

import jax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._engine.rewrites.rewrite import Rewrite, Then

# Of one group, the gradient in the kernel of LeNet's first layer, with 6 channels out, gains; a WaveNet's first layer
# with 64 is slower so, and its step takes 1.04 times as long.
FEW_OUTS = 8


def _applies(problem: Problem, algorithm: Algorithm | None) -> bool:
    one_loop = algorithm is not None and algorithm.one_loop
    gains = problem.groups > 1 or (problem.wanted == "kernel" and problem.outs <= FEW_OUTS)
    return one_loop and gains and problem.channels_last and not problem.is_depthwise


def _leaves(problem: Problem, _: Algorithm | None) -> Problem:
    return problem.but(channels_last=False)


def _carry_out(problem: Problem, a: jax.Array, b: jax.Array, then: Then, algorithm: Algorithm) -> jax.Array:
    return then(_leaves(problem, algorithm), a, b)


channels_first = Rewrite("transpose to channels first", _applies, _leaves, _carry_out)
