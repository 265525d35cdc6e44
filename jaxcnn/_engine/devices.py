"""A contraction on several devices: what each of them computes, and what it needs of its neighbours.

Each axis of the three arrays has a name, and what two arrays have in common is divided among devices alike: samples,
groups, and the cells of a spatial axis that x and y share. What is divided and not in the result is summed over the
devices. A device that has some of the cells of x needs a few more on either side, its halo: it gets them from its
neighbours, and where there is no neighbour the zeros of the padding. Nothing is gathered.
"""

import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from jaxcnn._engine.problem import AXES, MADE_OF
from jaxcnn._geometry import Axis, Geometry
from jaxcnn._padding import crop, zero_pad
from jaxcnn._primitives import names_of

# What one device computes: a face of its own arrays, laid out by a geometry of its own.
Local = Callable[[Geometry, jax.Array, jax.Array], jax.Array]
# The axes of the mesh along which something is divided.
Along = tuple[str, ...]


def divided(local: Local, face: str, g: Geometry) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The face of two whole arrays, of which XLA lets each device compute its share."""
    even = Geometry(tuple(map(_evened, g.axes)))
    whole = custom_partitioning(lambda a, b: local(even, a, b))
    rule, reductions, whole_axes, sizes = _rule(face, even)
    whole.def_partition(
        partial(_partition, local, face, even), sharding_rule=rule, reduction_factors=reductions,
        need_replication_factors=whole_axes, **sizes,
    )  # fmt: skip
    beyond = [(0, more - out) for out, more in zip(g.out, even.out, strict=True)]

    def face_of(a: jax.Array, b: jax.Array) -> jax.Array:
        a, b = (zero_pad(each, beyond) if role == "y" else each for role, each in zip(MADE_OF[face], (a, b), strict=True))
        made: jax.Array = whole(a, b)
        return crop(made, beyond) if face == "y" else made

    return face_of


def _evened(a: Axis) -> Axis:
    """With some more windows behind the last one, if then each stands for as many cells of x."""
    if not all(isinstance(size, int) for size in (a.size, a.out, a.stride)) or a.size % a.stride:
        return a
    high = a.size - a.stride + a.span - a.size - a.low
    return a._replace(high=high, ceil_mode=False) if a.size // a.stride >= a.out > 0 else a


def names(role: str, n: int) -> tuple[str, ...]:
    """Of the axes of one of the three arrays."""
    return (*AXES[role], *(f"{'tap' if role == 'kernel' else 'cell'}{axis}" for axis in range(n)))


def _in_step(a: Axis) -> bool:
    """Whether each cell of y stands for as many cells of x, so that both can be cut at the same places."""
    sizes = (a.size, a.out, a.stride)
    return all(isinstance(size, int) for size in sizes) and a.out > 0 and a.size == a.out * a.stride


def _rule(face: str, g: Geometry) -> tuple[str, tuple[str, ...], tuple[str, ...], dict[str, int]]:
    """How XLA carries a division from one array to the others: in the notation of Shardy, where "(cell0 rest0)" is an
    axis of cell0 times rest0 cells."""
    sizes = {f"rest{axis}": a.stride for axis, a in enumerate(g.axes) if _in_step(a) and a.stride > 1}

    def of(role: str) -> str:
        terms = []
        for name in names(role, g.n):
            axis = int(name[-1]) if name[-1].isdigit() else 0
            if name.startswith("cell") and not _in_step(g.axes[axis]):
                name = f"{role}_{name}"
            elif role == "x" and f"rest{axis}" in sizes and name.startswith("cell"):
                name = f"({name} rest{axis})"
            terms.append(name)
        return " ".join(terms)

    rule = f"{', '.join(of(role) for role in MADE_OF[face])} -> {of(face)}"
    there = dict.fromkeys(re.findall(r"\w+", rule))  # Shardy wants them in the order of the rule
    reductions = tuple(name for name in there if name in _summed_over(face, g.n))
    whole = tuple(name for name in there if name.startswith(("tap", "rest", *AXES)))
    return rule, reductions, whole, sizes


def _summed_over(face: str, n: int) -> tuple[str, ...]:
    """The axes of the operands that the result does not have, but for the taps."""
    operands = dict.fromkeys(name for role in MADE_OF[face] for name in names(role, n))
    return tuple(name for name in operands if name not in names(face, n) and not name.startswith("tap"))


def _partition(local: Local, face: str, g: Geometry, mesh: Any, operands: Any, result: Any) -> Any:
    """What `custom_partitioning` asks for: a device's function, and where its result and its operands lie."""
    roles = (*MADE_OF[face], face)
    along = _divisions(g, mesh, zip(roles, (*operands, result), strict=True))
    summed = tuple(axis for name in _summed_over(face, g.n) for axis in along.get(name, ()))
    cuts = {axis: _Cut.of(a, mesh, along[f"cell{axis}"]) for axis, a in enumerate(g.axes) if f"cell{axis}" in along}
    own = Geometry(tuple(cuts[axis].own if axis in cuts else a for axis, a in enumerate(g.axes)))

    def placed(role: str) -> NamedSharding:
        return NamedSharding(mesh, PartitionSpec(*(along.get(name) for name in names(role, g.n))))

    def on_a_device(a: jax.Array, b: jax.Array) -> jax.Array:
        for axis, cut in cuts.items() if face != "x" else ():
            a = cut.with_halo(a, 3 + axis)  # the first operand is x
        made = local(own, a, b)
        for axis, cut in cuts.items() if face == "x" else ():
            made = cut.without_halo(made, 3 + axis)
        return lax.psum(made, summed) if summed else made

    return mesh, on_a_device, placed(face), tuple(map(placed, MADE_OF[face]))


def lies(face: str, g: Geometry, a: Any, b: Any) -> PartitionSpec:
    """Where the result lies, whose operands say by their types where they lie."""
    mesh = a.sharding.mesh if b.sharding.mesh.empty else b.sharding.mesh
    along = {} if mesh.empty else _divisions(g, mesh, zip(MADE_OF[face], (a, b), strict=True))
    return PartitionSpec(*(along.get(name) for name in names(face, g.n)))


def _divisions(g: Geometry, mesh: Any, placed: Iterable[tuple[str, Any]]) -> dict[str, Along]:
    """For each name that is divided in one of the arrays and can be, the axes of the mesh."""
    along: dict[str, Along] = {}
    for role, struct in placed:
        for name, size, entry in zip(names(role, g.n), struct.shape, struct.sharding.spec, strict=False):
            axes = names_of(entry)
            taken = {axis for others in along.values() for axis in others}
            if not axes or name in along or taken & set(axes) or size % _count(mesh, axes):
                continue
            if name.startswith("cell") and not _Cut.of(g.axes[int(name[4:])], mesh, axes).is_possible:
                continue
            if not name.startswith("tap"):
                along[name] = axes
    return along


def _count(mesh: Any, axes: Along) -> int:
    return math.prod(mesh.shape[axis] for axis in axes)


class _Cut(NamedTuple):
    """A spatial axis divided among devices, each of which has as many cells."""

    along: Along
    whole: Axis
    count: int

    @classmethod
    def of(cls, a: Axis, mesh: Any, axes: Along) -> Self:
        return cls(axes, a, _count(mesh, axes))

    @property
    def share(self) -> int:
        """A device's cells."""
        return self.whole.size // self.count

    @property
    def halo(self) -> tuple[int, int]:
        """How many cells a device needs from before its own and from behind them; below 0 are those it does not need."""
        a = self.whole
        return a.low, (a.out // self.count - 1) * a.stride + a.span - a.low - self.share

    @property
    def is_possible(self) -> bool:
        """Whether all have as many windows as well, and the halo lies on the next neighbours."""
        return _in_step(self.whole) and self.whole.out % self.count == 0 and max(self.halo) <= self.share

    @property
    def own(self) -> Axis:
        """A device's windows, on its cells and its halo."""
        return self.whole._replace(size=self.share + sum(self.halo), low=0, high=0)

    def with_halo(self, x: jax.Array, at: int) -> jax.Array:
        """A device's cells, and those of its neighbours that its windows see; zeros where there is no neighbour."""
        before, behind = self.halo
        last = lax.slice_in_dim(x, self.share - max(before, 0), None, axis=at)
        first = lax.slice_in_dim(x, 0, max(behind, 0), axis=at)
        kept = lax.slice_in_dim(x, max(-before, 0), self.share - max(-behind, 0), axis=at)
        parts = [self._shift(last, 1)] * (before > 0) + [kept] + [self._shift(first, -1)] * (behind > 0)
        return lax.concatenate(parts, at) if len(parts) > 1 else kept

    def without_halo(self, x: jax.Array, at: int) -> jax.Array:
        """The adjoint: what lies on the halo is added to the cells of the neighbours that it belongs to."""
        before, behind = self.halo
        size = x.shape[at]
        kept = lax.slice_in_dim(x, max(before, 0), size - max(behind, 0), axis=at)
        kept = _put(kept, at, max(-before, 0), max(-behind, 0))
        if before > 0:
            back = self._shift(lax.slice_in_dim(x, 0, before, axis=at), -1)
            kept = kept + _put(back, at, self.share - before, 0)
        if behind > 0:
            back = self._shift(lax.slice_in_dim(x, size - behind, size, axis=at), 1)
            kept = kept + _put(back, at, 0, self.share - behind)
        return kept

    def _shift(self, x: jax.Array, by: int) -> jax.Array:
        """Each device gives x to the next one, or to the one before; the first, or the last, is given zeros."""
        pairs = [(i, i + by) for i in range(self.count) if 0 <= i + by < self.count]
        shifted: jax.Array = lax.ppermute(x, self.along, pairs)
        return shifted


def _put(x: jax.Array, at: int, before: int, behind: int) -> jax.Array:
    """Zeros around x on one axis."""
    around = [(before, behind, 0) if axis == at else (0, 0, 0) for axis in range(x.ndim)]
    return lax.pad(x, jnp.zeros((), x.dtype), around)
