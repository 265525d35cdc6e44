"""The types in public signatures: what a stride, a padding or a mode may be."""

from collections.abc import Callable, Sequence

import jax

Ints = int | Sequence[int]  # one for all axes, or one per axis
Padding = str | int | Sequence[int] | Sequence[Sequence[int]]  # a name, ints, or one (low, high) per axis
PaddingMode = str | Sequence[str]
PoolMode = str | Callable[..., jax.Array]
