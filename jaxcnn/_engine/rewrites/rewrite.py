"""What a rewrite is: when it applies, what problem it leaves, and how it is carried out."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxcnn._engine.algorithms.algorithm import Algorithm
from jaxcnn._engine.problem import Problem

# Goes on with what a rewrite leaves: the rewrites behind it, then the algorithm.
Then = Callable[[Problem, jax.Array, jax.Array], jax.Array]


class Rewrite(NamedTuple):
    """Each function is given the algorithm that will compute what is left; the ones that come first leave it alone."""

    what: str  # in words, for `explain`
    applies: Callable[[Problem, Algorithm | None], bool]
    leaves: Callable[[Problem, Algorithm | None], Problem]
    carry_out: Callable[[Problem, jax.Array, jax.Array, Then, Algorithm], jax.Array]
