"""Windows on several devices: what each device computes, and what it needs from its neighbours.

Each axis of each array has a name. An axis that two arrays share is divided among devices alike: samples, groups, and
the cells of a spatial axis, which x and y share. An axis that is divided and not in the result is summed over devices.
A device with some of the cells of x needs a few more on either side, its halo. These come from its neighbours, or from
the padding at the ends of the axis. No array is gathered.
"""

import inspect
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
from jaxcnn._padding import Border, map_pad
from jaxcnn._primitives import as_wide_as, axes_left_to_xla, names_of, spec_of

# What one device computes: `local(geometry, origin, *arrays)`. Arrays and geometry are those of its share, and `origin`
# is for each axis the place of the padded share's first cell on the whole map.
Local = Callable[..., jax.Array]
# The mesh axes that divide an axis of an array.
Along = tuple[str, ...]


class Arrays(NamedTuple):
    """The arrays of an operation by their roles: "x" is a map, "y" has one number for each window, "windows" are the
    windows themselves, "kernel" has an axis for each axis of a window."""

    axes: Mapping[str, tuple[str, ...]]  # for each role the names of the axes before the spatial ones
    operands: tuple[str, ...]
    result: str
    n: int

    def names(self, role: str) -> tuple[str, ...]:
        """The names of all axes of a role. Those of a window, which are never divided, begin with "tap"."""
        cells = tuple(f"cell{axis}" for axis in range(self.n)) if role != "kernel" else ()
        taps = tuple(f"tap{axis}" for axis in range(self.n)) if role in ("kernel", "windows") else ()
        return (*self.axes[role], *cells, *taps)

    def first_cell(self, role: str) -> int:
        """The first spatial axis."""
        return len(self.axes[role])

    @property
    def summed(self) -> tuple[str, ...]:
        """The operands' axes that the result lacks, without the taps."""
        there = dict.fromkeys(name for role in self.operands for name in self.names(role))
        return tuple(name for name in there if name not in self.names(self.result) and not name.startswith("tap"))


def origin_of(g: Geometry) -> tuple[int, ...]:
    """For each axis, the place of the padded map's first cell on the map."""
    return tuple(-a.low for a in g.axes)


def divided(
    local: Local, arrays: Arrays, g: Geometry, borders: Sequence[Border | None], around: Border | None = None,
    results: int = 1,
) -> Callable[..., Any]:  # fmt: skip
    """An operation on whole arrays, of which each device computes its share with `local`.

    `borders` has the padding of each operand that is a map, and `around` that of a result that is one. With several
    `results`, all of one role, the operation returns a tuple.
    """
    even = Geometry(tuple(map(_evened, g.axes)))

    def with_windows(array: jax.Array, role: str, axes: Iterable[int], sign: int) -> jax.Array:
        """Add windows behind the last one on some axes, so that devices can divide them; or remove these again."""
        if role not in ("y", "windows"):
            return array
        first, sides, around = arrays.first_cell(role), list(array.shape), [(0, 0, 0)] * array.ndim
        for axis in axes:
            more = even.axes[axis].out - g.axes[axis].out
            around[first + axis], sides[first + axis] = (0, more, 0), sides[first + axis] - more
        if not any(map(any, around)):
            return array
        if sign < 0:  # a negative padding leaves these cells on a divided axis (XLA of jaxlib 0.10.2)
            return lax.slice(array, [0] * array.ndim, sides)
        return lax.pad(array, jnp.zeros((), array.dtype), around)

    def evened(f: Callable[..., Any], axes: Sequence[int], sign: int, *given: jax.Array) -> Any:
        """f of arrays without the added windows, and its results with them; the other way round if sign is -1."""
        made = f(*(with_windows(array, role, axes, -sign) for array, role in zip(given, arrays.operands, strict=True)))
        return jax.tree.map(lambda array: with_windows(array, arrays.result, axes, sign), made)

    def local_evened(axes: Sequence[int], own: Geometry, origin: Any, *given: jax.Array) -> Any:
        """`local` for a device, on which axes that are not divided need no added windows."""
        on_device = Geometry(tuple(g.axes[axis] if axis in axes else a for axis, a in enumerate(own.axes)))
        return evened(partial(local, on_device, origin), axes, 1, *given)

    every = range(g.n)
    whole = custom_partitioning(
        _with_argument_names(len(arrays.operands), partial(local_evened, every, even, origin_of(g)))
    )
    rule, reductions, whole_axes, sizes = _rule(arrays, even, results)
    whole.def_partition(
        partial(_partition, local_evened, arrays, even, g, (*borders, around), results), sharding_rule=rule,
        reduction_factors=reductions, need_replication_factors=whole_axes, decode_shardings=False, **sizes,
    )  # fmt: skip
    return partial(evened, whole, every, -1)


def _with_argument_names(count: int, f: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """f with `count` named arguments, whose names `custom_partitioning` asks for."""

    def named(*arrays: jax.Array) -> jax.Array:
        return f(*arrays)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = inspect.Signature([inspect.Parameter(f"array{i}", kind) for i in range(count)])  # type: ignore[attr-defined]
    return named


def _evened(a: Axis) -> Axis:
    """Add windows behind the last one if then each stands for `stride` cells of x."""
    if not _is_plain(a) or a.size % a.stride:
        return a
    return a._replace(high=a.span - a.stride - a.low, ceil_mode=False) if a.size // a.stride >= a.out > 0 else a


def _in_step(a: Axis) -> bool:
    """Whether each window stands for `stride` cells of x, so that devices can divide x and y at the same places."""
    return _is_plain(a) and a.out > 1 and a.out * a.stride == a.size


def _is_plain(a: Axis) -> bool:
    """Whether the sizes are known, and no window reaches over cropped cells."""
    return all(isinstance(size, int) for size in (a.size, a.out, a.stride)) and not (a.overhang and a.high < 0)


def _rule(arrays: Arrays, g: Geometry, results: int) -> tuple[str, tuple[str, ...], tuple[str, ...], dict[str, int]]:
    """The rule by which XLA divides the arrays alike, in Shardy's notation: "(cell0 rest0)" is one axis of
    cell0 * rest0 cells."""
    sizes = {f"rest{axis}": a.stride for axis, a in enumerate(g.axes) if _in_step(a) and a.stride > 1}

    def of(role: str) -> str:
        terms = list(arrays.names(role))
        for axis, a in enumerate(g.axes) if role != "kernel" else ():
            at = arrays.first_cell(role) + axis
            if not _in_step(a):
                terms[at] = f"{'x' if role == 'x' else 'y'}_{terms[at]}"
            elif role == "x" and f"rest{axis}" in sizes:
                terms[at] = f"({terms[at]} rest{axis})"
        return " ".join(terms)

    rule = f"{', '.join(map(of, arrays.operands))} -> {', '.join([of(arrays.result)] * results)}"
    there = dict.fromkeys(re.findall(r"\w+", rule))  # Shardy wants the names in the order of the rule
    reductions = tuple(name for name in there if name in arrays.summed)
    return rule, reductions, tuple(name for name in there if name.startswith(("tap", "rest", "x_", "y_"))), sizes


def _partition(
    local: Local, arrays: Arrays, g: Geometry, given: Geometry, borders: Sequence[Border | None], results: int,
    mesh: Any, operands: Any, result: Any,
) -> Any:  # fmt: skip
    """What `custom_partitioning` asks for: a device's function, and the shardings of results and operands."""
    first = result if results == 1 else result[0]
    along: dict[str, Along] = {}
    if mesh.empty:  # no mesh axes are known: each device has whole arrays
        mesh = Mesh(list(first.sharding.device_set), ("devices",))
    else:
        mesh = _finest(mesh)
        structs = zip((*arrays.operands, arrays.result), (*operands, first), strict=True)
        shardings = ((role, each.shape, spec_of(each.sharding, mesh, len(each.shape))) for role, each in structs)
        along = _divisions(arrays, g, mesh, shardings, borders)
    summed = tuple(axis for name in arrays.summed for axis in along.get(name, ()))
    cuts = {
        axis: _Cut.of(a, mesh, along[f"cell{axis}"], given.axes[axis])
        for axis, a in enumerate(g.axes)
        if f"cell{axis}" in along
    }
    whole = [axis for axis in range(g.n) if axis not in cuts]
    own = Geometry(tuple(cuts[axis].own if axis in cuts else a for axis, a in enumerate(g.axes)))

    def placed(role: str) -> NamedSharding:
        return NamedSharding(mesh, PartitionSpec(*(along.get(name) for name in arrays.names(role))))

    def on_a_device(*given: jax.Array) -> Any:
        with axes_left_to_xla(), as_wide_as(given):
            return share(*given)

    def share(*arrays: jax.Array) -> Any:
        origin = tuple(cuts[axis].origin() if axis in cuts else -a.low for axis, a in enumerate(given.axes))
        seen = [_with_halos(cuts, border, g.n, array) if border is not None else array
                for array, border in zip(arrays, borders[:-1], strict=True)]  # fmt: skip
        made = local(whole, own, origin, *seen)
        if (around := borders[-1]) is not None:
            sides = [cuts[axis].share if axis in cuts else a.size for axis, a in enumerate(g.axes)]
            like = jax.ShapeDtypeStruct((*made.shape[: made.ndim - g.n], *sides), made.dtype)
            (made,) = jax.linear_transpose(partial(_with_halos, cuts, around.of_tangents(), g.n), like)(made)
        return lax.psum(made, summed) if summed else made

    where = placed(arrays.result)
    return (
        mesh,
        _with_argument_names(len(operands), on_a_device),
        where if results == 1 else (where,) * results,
        tuple(map(placed, arrays.operands)),
    )


def _finest(mesh: Any) -> Mesh:
    """The mesh with an axis for each prime factor of its sizes: XLA may divide an array along a part of a mesh axis."""
    factors = [(name, factor) for name, side in mesh.shape.items() for factor in _primes(side)]
    return Mesh(
        mesh.devices.reshape([factor for _, factor in factors]), [f"{name}{i}" for i, (name, _) in enumerate(factors)]
    )


def _primes(number: int) -> list[int]:
    first = next((factor for factor in range(2, number + 1) if number % factor == 0), None)
    return [first, *_primes(number // first)] if first else []


def _with_halos(cuts: Mapping[int, "_Cut"], border: Border, n: int, x: jax.Array) -> jax.Array:
    for axis, cut in cuts.items():
        x = cut.with_halo(x, axis - n, border.modes[axis], border)
    return x


def result_spec(
    arrays: Arrays, g: Geometry, operands: tuple[Any, ...], borders: Sequence[Border | None] = ()
) -> PartitionSpec:
    """The `PartitionSpec` of the result, from the shardings in the operands' types."""
    mesh = next((each.sharding.mesh for each in operands if not each.sharding.mesh.empty), None)
    shardings = ((role, each.shape, each.sharding.spec) for role, each in zip(arrays.operands, operands, strict=True))
    along = _divisions(arrays, g, mesh, shardings, borders) if mesh else {}
    return PartitionSpec(*(along.get(name) for name in arrays.names(arrays.result)))


def _divisions(
    arrays: Arrays, g: Geometry, mesh: Any, shardings: Iterable[tuple[str, Sequence[Any], Any]],
    borders: Sequence[Border | None],
) -> dict[str, Along]:  # fmt: skip
    """The mesh axes of each name that is divided in one of the arrays and can be divided in all."""
    along: dict[str, Along] = {}
    for role, shape, spec in shardings:
        for name, size, entry in zip(arrays.names(role), shape, spec, strict=False):
            axes = names_of(entry)
            taken = {axis for others in along.values() for axis in others}
            if not axes or name in along or taken & set(axes) or size % _count(mesh, axes):
                continue
            if name.startswith("cell"):
                axis = int(name[4:])
                cut = _Cut.of(g.axes[axis], mesh, axes, g.axes[axis])
                if not all(cut.is_possible(border.modes[axis]) for border in borders if border is not None):
                    continue
            if not name.startswith("tap"):
                along[name] = axes
    return along


def _count(mesh: Any, axes: Along) -> int:
    return math.prod(mesh.shape[axis] for axis in axes)


class _Cut(NamedTuple):
    """A spatial axis divided evenly among devices."""

    along: Along
    whole: Axis  # with windows added behind the last one, if the division needs them
    devices: int
    given: Axis  # without added windows

    @classmethod
    def of(cls, a: Axis, mesh: Any, axes: Along, given: Axis) -> Self:
        return cls(axes, a, _count(mesh, axes), given)

    @property
    def share(self) -> int:
        """The number of a device's own cells."""
        return self.whole.size // self.devices

    @property
    def halo(self) -> tuple[int, int]:
        """How many cells a device needs before and behind its own; negative if it does not need all of its own."""
        a = self.whole
        return a.low, (a.out // self.devices - 1) * a.stride + a.span - a.low - self.share

    def is_possible(self, mode: str) -> bool:
        """Whether all devices have equally many windows, and each halo fits on the next neighbour."""
        before, behind = self.halo
        seen = self.share - (mode == "reflect")  # "reflect" does not repeat the map's outermost cell
        even = _in_step(self.whole) and self.whole.out % self.devices == 0 and max(before, behind) <= seen
        return even and (mode == "constant" or min(before, behind) >= 0)

    @property
    def own(self) -> Axis:
        """A device's windows, on its own cells and its halo."""
        return self.whole._replace(size=self.share + sum(self.halo), low=0, high=0)

    def origin(self) -> jax.Array:
        """The place on the whole map of the first cell that this device sees."""
        return lax.axis_index(self.along) * self.share - self.halo[0]

    def with_halo(self, x: jax.Array, at: int, mode: str, border: Border) -> jax.Array:
        """A device's cells with its halo: cells of its neighbours, and padding at the ends of the axis."""
        before, behind = self.halo
        size, ring = x.shape[at], mode == "circular"
        kept = lax.slice_in_dim(x, max(-before, 0), size - max(-behind, 0), axis=at)
        parts = [kept]
        if before > 0:
            low = self._shift(lax.slice_in_dim(x, size - before, None, axis=at), 1, ring)
            parts = [self._at_end(low, x, at, mode, border, 0), kept]
        if behind > 0:
            high = self._shift(lax.slice_in_dim(x, 0, behind, axis=at), -1, ring)
            parts.append(self._at_end(high, x, at, mode, border, self.devices - 1))
        return lax.concatenate(parts, x.ndim + at) if len(parts) > 1 else kept

    def _at_end(self, halo: jax.Array, x: jax.Array, at: int, mode: str, border: Border, end: int) -> jax.Array:
        """The halo; on the device at this end of the axis, the padding in its place."""
        if mode == "circular" or (mode == "constant" and border.fill == border.beyond == 0):
            return halo  # `ppermute` gives zeros there
        wide = halo.shape[at]
        if mode == "constant":
            past = max(wide - max(self.given.high, 0), 0) if end else 0
            parts = [
                jnp.full((*halo.shape[:at], cells, *halo.shape[halo.ndim + at + 1 :]), number, x.dtype)
                for cells, number in ((wide - past, border.fill), (past, border.beyond))
            ]
            padding = lax.concatenate(parts, halo.ndim + at)
        else:
            padded = map_pad(x, at, *((0, wide) if end else (wide, 0)), mode)
            first = x.shape[at] if end else 0
            padding = lax.slice_in_dim(padded, first, first + wide, axis=at)
        return jnp.where(lax.axis_index(self.along) == end, padding, halo)

    def _shift(self, x: jax.Array, by: int, ring: bool) -> jax.Array:
        """Each device sends x to the next one, or to the one before; without a ring the last one gets zeros."""
        pairs = [(i, (i + by) % self.devices) for i in range(self.devices) if ring or 0 <= i + by < self.devices]
        shifted: jax.Array = lax.ppermute(x, self.along, pairs)
        return shifted
