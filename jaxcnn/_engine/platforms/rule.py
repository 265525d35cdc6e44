"""What a rule is: an algorithm, when it is taken, and the measurement that says so."""

from collections.abc import Callable
from typing import NamedTuple

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem
from jaxcnn._symbolic import known


class Rule(NamedTuple):
    algorithm: Algorithm
    when: Callable[[Problem], bool]
    why: str  # for a user, with the times of the algorithm and of the next best

    def applies(self, problem: Problem) -> bool:
        """Whether it is known to; so of symbolic sizes only what holds for all of them."""
        return known(lambda: self.when(problem) and self.algorithm.can(problem))


def always(problem: Problem) -> bool:
    return True
