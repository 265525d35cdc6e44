"""What is asked: one contraction, in integers and names. There is no array in a problem.

The sum of y * conv(x, kernel) is linear in each of three arrays. What is wanted is its derivative in one of them, given
the two others: the correlation ("y"), its adjoint in x ("x") or its adjoint in the kernel ("kernel").
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn._arrays import accumulator
from jaxcnn._geometry import Geometry

# The two arrays that each one is made of, in order, and the axes of each before the spatial ones.
MADE_OF = {"y": ("x", "kernel"), "x": ("y", "kernel"), "kernel": ("x", "y")}
AXES = {"x": ("samples", "groups", "ins"), "kernel": ("groups", "outs", "ins"), "y": ("samples", "groups", "outs")}


GPUS = ("cuda", "rocm", "gpu")


def configured_precision() -> Any:
    """The precision of products that is in force for those that ask for none."""
    return getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009  (its stub lacks the name)


@dataclass(frozen=True)
class Problem:
    """One contraction: what is wanted, and of which sizes and dtypes; hashable, and without an array."""

    wanted: str  # "y", "x" or "kernel"
    geometry: Geometry
    samples: Any  # an int, or a symbolic size
    groups: int
    ins: int  # channels of x in a group
    outs: int  # channels of y in a group
    dtypes: tuple[Any, Any]  # of the two operands
    dtype: Any  # of the result
    precision: Any = None
    platform: str = "other"
    channels_last: bool = False  # how the caller's arrays lie: an algorithm may use it, and no result depends on it

    @classmethod
    def of(cls, wanted: str, geometry: Geometry, a: Any, b: Any, dtype: Any, **facts: Any) -> Self:
        """The problem that two operands pose."""
        sizes: dict[str, Any] = {}
        for role, array in zip(MADE_OF[wanted], (a, b), strict=True):
            sizes |= zip(AXES[role], array.shape[:3], strict=True)
        return cls(wanted, geometry, **sizes, dtypes=(a.dtype, b.dtype), dtype=dtype, **facts)

    def shape(self, role: str) -> tuple[Any, ...]:
        """The shape of one of the three arrays."""
        g = self.geometry
        spatial = {"x": g.size, "y": g.out, "kernel": g.window}[role]
        return (*(getattr(self, name) for name in AXES[role]), *spatial)

    def as_given(self, role: str, array: jax.Array) -> jax.Array:
        """An array in the caller's layout: its groups and their channels as one axis, and that axis where it lay.

        The two transpositions cancel. Channels last, a kernel is (*window, ins, channels out).
        """
        n, at = self.geometry.n, AXES[role].index("groups")
        array = array.reshape(*array.shape[:at], array.shape[at] * array.shape[at + 1], *array.shape[at + 2 :])
        if not self.channels_last:
            return array
        return lax.transpose(array, (*range(2, 2 + n), 1, 0) if role == "kernel" else (0, *range(2, 2 + n), 1))

    def as_ours(self, role: str, array: jax.Array) -> jax.Array:
        """The way back: the axes of `AXES`, then the spatial ones."""
        n = self.geometry.n
        if self.channels_last:
            array = lax.transpose(array, (n + 1, n, *range(n)) if role == "kernel" else (0, n + 1, *range(1, n + 1)))
        return array.reshape(self.shape(role))

    def but(self, **changes: Any) -> Self:
        """The same problem with some of its facts changed."""
        return replace(self, **changes)

    @cached_property
    def summed(self) -> Any:
        """The dtype in which sums are kept."""
        return accumulator(self.dtype)

    @property
    def on_gpu(self) -> bool:
        return self.platform in GPUS

    @property
    def default_precision(self) -> bool:
        """Whether nobody asks for more than JAX's default, which is a licence to be faster and less exact."""
        asked = configured_precision() if self.precision is None else self.precision
        return asked in (None, "default", lax.Precision.DEFAULT, (lax.Precision.DEFAULT,) * 2)

    @cached_property
    def taps(self) -> int:
        return math.prod(self.geometry.window)

    @cached_property
    def terms(self) -> int:
        """Products that one cell of y sums."""
        return self.ins * self.taps

    @property
    def is_depthwise(self) -> bool:
        """One channel in and one out in each group."""
        return self.ins == self.outs == 1

    @property
    def is_at_stride_1(self) -> bool:
        return self.geometry.stride == (1,) * self.geometry.n

    @cached_property
    def exact(self) -> bool:
        """Whether the numbers are integers, which nothing may round."""
        return not jnp.issubdtype(self.dtype, jnp.inexact)
