"""Public signatures say what they take: nothing is of type Any that could be said, and mypy accepts what a user writes.

`typed_calls` is code as a user's type checker sees it: mypy reads this file, strictly, with the package.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn as jc
from jaxcnn import lenet

if TYPE_CHECKING:
    from typing import assert_type

FUNCTIONS = {name: getattr(jc, name) for name in jc.__all__ if callable(getattr(jc, name))}
FUNCTIONS |= {f"lenet.{name}": getattr(lenet, name) for name in ("init", "apply", "layers")}

# A tree of arrays has no narrower type.
TREES = {("reduce_window", "operand"), ("reduce_window", "init_value"), ("reduce_window", "return")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_argument_is_of_any_type(name: str) -> None:
    signature = inspect.signature(FUNCTIONS[name])
    given = {argument: each.annotation for argument, each in signature.parameters.items()}
    given["return"] = signature.return_annotation
    unsaid = {argument for argument, annotation in given.items() if annotation in (Any, inspect.Parameter.empty)}
    assert not {(name, argument) for argument in unsaid} - TREES


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_pool_of_a_rank_has_the_options_of_pool(n: int) -> None:
    """Its type is written out once more, since it takes an int for a window."""
    from jaxcnn._pool import _PoolOfRank

    ours, written = (list(inspect.signature(f).parameters.values()) for f in (jc.pool, _PoolOfRank.__call__))
    assert [each for each in written[1:] if each.name != "window"] == [each for each in ours if each.name != "window"]


def typed_calls(x: np.ndarray[Any, Any], kernel: jax.Array, window: Sequence[int]) -> None:
    assert_type(jc.pool2d(x, 2, "max", stride=1, padding=((0, 1), (1, 0))), jax.Array)
    assert_type(jc.pool(x, window, jnp.median, fill=0.0), jax.Array)
    assert_type(jc.conv2d(x, kernel, stride=(2, 1), padding="SAME", padding_mode=("reflect", "circular")), jax.Array)
    assert_type(jc.conv(x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"), jax.Array)
    assert_type(jc.conv_transpose(x, kernel, preferred_element_type=jnp.float32, padding=[(1, 1), (0, 0)]), jax.Array)
    assert_type(jc.output_size(28, 5, padding=2), int)
    assert_type(jc.output_size((28, 28), window), tuple[int, ...])
    assert_type(jc.max_pool_with_indices(x, window)[1], jax.Array)
    assert_type(jc.explain(jc.conv)(x, kernel), str)
    assert_type(lenet.apply(lenet.init(jax.random.key(0), dtype=jnp.bfloat16), kernel), jax.Array)
    jc.pool(x, 2, "max")  # type: ignore[arg-type]  # an int does not say how many axes
    jc.conv(x, kernel, stride=1.5)  # type: ignore[arg-type]
