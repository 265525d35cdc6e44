"""What a rule is: an algorithm, when it is taken, and the measurement that says so."""

from collections.abc import Callable
from typing import NamedTuple

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem


class Rule(NamedTuple):
    algorithm: Algorithm
    when: Callable[[Problem], bool]
    why: str  # for a user, with the times of the algorithm and of the next best

    def applies(self, problem: Problem) -> bool:
        return self.algorithm.can(problem) and self.when(problem)


def always(problem: Problem) -> bool:
    return True


def stride_1(problem: Problem) -> bool:
    return all(s == 1 for s in problem.geometry.stride)


def depthwise(problem: Problem) -> bool:
    """One channel in and one out in each group."""
    return problem.ins == problem.outs == 1


def terms(problem: Problem) -> int:
    """Products that one cell of y sums."""
    return problem.ins * problem.taps
