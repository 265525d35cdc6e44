"""Windows on several devices: what each of them computes, and what it needs of its neighbours.

Each axis of each array has a name, and what two arrays have in common is divided among devices alike: samples, groups,
and the cells of a spatial axis that maps x and results y share. What is divided and not in the result is summed over
the devices. A device that has some of the cells of x needs a few more on either side, its halo: it gets them from its
neighbours, and where there is no neighbour the zeros of the padding. Nothing is gathered.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxcnn._geometry import Axis, Geometry
from jaxcnn._padding import crop, zero_pad
from jaxcnn._primitives import axes_left_to_xla, names_of, spec_of

# What one device computes, of its own arrays, laid out by a geometry of its own.
Local = Callable[..., jax.Array]
# The axes of the mesh along which something is divided.
Along = tuple[str, ...]


class Arrays(NamedTuple):
    """The arrays of an operation by their roles, "x" for maps and "y" for what the windows on them give."""

    axes: Mapping[str, tuple[str, ...]]  # for each role the names of the axes before the spatial ones
    operands: tuple[str, ...]
    result: str
    n: int

    def names(self, role: str) -> tuple[str, ...]:
        """Of all axes; those of a kernel's window, along which nothing is divided, are taps."""
        cells = "cell" if role in "xy" else "tap"
        return (*self.axes[role], *(f"{cells}{axis}" for axis in range(self.n)))

    @property
    def summed(self) -> tuple[str, ...]:
        """The axes of the operands that the result does not have, but for the taps."""
        there = dict.fromkeys(name for role in self.operands for name in self.names(role))
        return tuple(name for name in there if name not in self.names(self.result) and not name.startswith("tap"))


def divided(local: Local, arrays: Arrays, g: Geometry) -> Callable[..., jax.Array]:
    """An operation on whole arrays, of which XLA lets each device compute its share."""
    even = Geometry(tuple(map(_evened, g.axes)))
    whole = custom_partitioning(_of(len(arrays.operands), partial(local, even)))
    rule, reductions, whole_axes, sizes = _rule(arrays, even)
    whole.def_partition(
        partial(_partition, local, arrays, even), sharding_rule=rule, reduction_factors=reductions,
        need_replication_factors=whole_axes, decode_shardings=False, **sizes,
    )  # fmt: skip
    beyond = [(0, more - out) for out, more in zip(g.out, even.out, strict=True)]

    def on_all_devices(*given: jax.Array) -> jax.Array:
        by_role = zip(arrays.operands, given, strict=True)
        made: jax.Array = whole(*(zero_pad(each, beyond) if role == "y" else each for role, each in by_role))
        return crop(made, beyond) if arrays.result == "y" else made

    return on_all_devices


def _of(count: int, f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`custom_partitioning` asks a function for the names of its arguments."""
    return (lambda a: f(a)) if count == 1 else (lambda a, b: f(a, b))


def _evened(a: Axis) -> Axis:
    """With some more windows behind the last one, if then each stands for as many cells of x."""
    if not _is_plain(a) or a.size % a.stride:
        return a
    return a._replace(high=a.span - a.stride - a.low, ceil_mode=False) if a.size // a.stride >= a.out > 0 else a


def _in_step(a: Axis) -> bool:
    """Whether each window stands for as many cells of x, so that x and y can be cut at the same places."""
    return _is_plain(a) and 0 < a.out * a.stride == a.size


def _is_plain(a: Axis) -> bool:
    """Whether its sizes are known, and no window reaches over cells that were cut off."""
    return all(isinstance(size, int) for size in (a.size, a.out, a.stride)) and not (a.overhang and a.high < 0)


def _rule(arrays: Arrays, g: Geometry) -> tuple[str, tuple[str, ...], tuple[str, ...], dict[str, int]]:
    """How XLA carries a division from one array to the others: in the notation of Shardy, where "(cell0 rest0)" is an
    axis of cell0 times rest0 cells."""
    sizes = {f"rest{axis}": a.stride for axis, a in enumerate(g.axes) if _in_step(a) and a.stride > 1}

    def of(role: str) -> str:
        terms = list(arrays.names(role))
        for axis, a in enumerate(g.axes):
            at = axis - g.n
            if not _in_step(a) and terms[at].startswith("cell"):
                terms[at] = f"{role}_{terms[at]}"
            elif role == "x" and f"rest{axis}" in sizes:
                terms[at] = f"({terms[at]} rest{axis})"
        return " ".join(terms)

    rule = f"{', '.join(map(of, arrays.operands))} -> {of(arrays.result)}"
    there = dict.fromkeys(re.findall(r"\w+", rule))  # Shardy wants them in the order of the rule
    reductions = tuple(name for name in there if name in arrays.summed)
    return rule, reductions, tuple(name for name in there if name.startswith(("tap", "rest", "x_", "y_"))), sizes


def _partition(local: Local, arrays: Arrays, g: Geometry, mesh: Any, operands: Any, result: Any) -> Any:
    """What `custom_partitioning` asks for: a device's function, and where its result and its operands lie."""
    if mesh.empty:  # nobody says along which axes something is divided: each device has all, and computes all
        mesh, along = Mesh(list(result.sharding.device_set), ("devices",)), {}
    else:
        structs = zip((*arrays.operands, arrays.result), (*operands, result), strict=True)
        told = ((role, each.shape, spec_of(each.sharding, mesh, len(each.shape))) for role, each in structs)
        along = _divisions(arrays, g, mesh, told)
    summed = tuple(axis for name in arrays.summed for axis in along.get(name, ()))
    cuts = {axis: _Cut.of(a, mesh, along[f"cell{axis}"]) for axis, a in enumerate(g.axes) if f"cell{axis}" in along}
    own = Geometry(tuple(cuts[axis].own if axis in cuts else a for axis, a in enumerate(g.axes)))

    def placed(role: str) -> NamedSharding:
        return NamedSharding(mesh, PartitionSpec(*(along.get(name) for name in arrays.names(role))))

    def on_a_device(a: jax.Array, *b: jax.Array) -> jax.Array:
        with axes_left_to_xla():
            return share(a, *b)

    def share(a: jax.Array, *b: jax.Array) -> jax.Array:
        for axis, cut in cuts.items() if arrays.result != "x" else ():
            a = cut.with_halo(a, a.ndim - g.n + axis)  # the first operand is x
        made = local(own, a, *b)
        for axis, cut in cuts.items() if arrays.result == "x" else ():
            made = cut.without_halo(made, made.ndim - g.n + axis)
        return lax.psum(made, summed) if summed else made

    return mesh, _of(len(operands), on_a_device), placed(arrays.result), tuple(map(placed, arrays.operands))


def lies(arrays: Arrays, g: Geometry, operands: tuple[Any, ...]) -> PartitionSpec:
    """Where the result lies, if the operands say by their types where they lie."""
    mesh = next((each.sharding.mesh for each in operands if not each.sharding.mesh.empty), None)
    told = ((role, each.shape, each.sharding.spec) for role, each in zip(arrays.operands, operands, strict=True))
    along = _divisions(arrays, g, mesh, told) if mesh else {}
    return PartitionSpec(*(along.get(name) for name in arrays.names(arrays.result)))


def of_maps(operand: str, rank: int, n: int) -> Arrays:
    """Of an operation that takes maps with any leading axes to what the windows on them give, or the other way."""
    lead = tuple(f"lead{axis}" for axis in range(rank - n))
    return Arrays({"x": lead, "y": lead}, (operand,), {"x": "y", "y": "x"}[operand], n)


def _divisions(
    arrays: Arrays, g: Geometry, mesh: Any, told: Iterable[tuple[str, Sequence[Any], Any]]
) -> dict[str, Along]:
    """For each name that is divided in one of the arrays and can be, the axes of the mesh."""
    along: dict[str, Along] = {}
    for role, shape, spec in told:
        for name, size, entry in zip(arrays.names(role), shape, spec, strict=False):
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
    devices: int

    @classmethod
    def of(cls, a: Axis, mesh: Any, axes: Along) -> Self:
        return cls(axes, a, _count(mesh, axes))

    @property
    def share(self) -> int:
        """A device's cells."""
        return self.whole.size // self.devices

    @property
    def halo(self) -> tuple[int, int]:
        """Cells that a device needs from before its own and from behind them; below 0 are those it does not need."""
        a = self.whole
        return a.low, (a.out // self.devices - 1) * a.stride + a.span - a.low - self.share

    @property
    def is_possible(self) -> bool:
        """Whether all have as many windows as well, and the halo lies on the next neighbours."""
        return _in_step(self.whole) and self.whole.out % self.devices == 0 and max(self.halo) <= self.share

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
        pairs = [(i, i + by) for i in range(self.devices) if 0 <= i + by < self.devices]
        shifted: jax.Array = lax.ppermute(x, self.along, pairs)
        return shifted


def _put(x: jax.Array, at: int, before: int, behind: int) -> jax.Array:
    """Zeros around x on one axis."""
    around = [(before, behind, 0) if axis == at else (0, 0, 0) for axis in range(x.ndim)]
    return lax.pad(x, jnp.zeros((), x.dtype), around)
