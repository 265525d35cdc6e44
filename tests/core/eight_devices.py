"""A program that runs operations whose arrays are divided among eight devices, and prints what came of each."""

import json
import re
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxcnn as jc

MAPS = (16, 8, 16, 32)
# Functions of maps and a kernel, and the kernel's shape.
OPERATIONS = {
    "conv": (partial(jc.conv, padding=1), (8, 8, 3, 3)),
    "conv, stride 2": (partial(jc.conv, padding=1, stride=2), (8, 8, 4, 4)),
    "conv, dilation 2": (partial(jc.conv, padding="SAME", dilation=2), (8, 8, 2, 2)),
    "conv without padding": (jc.conv, (8, 8, 3, 3)),
    "depthwise": (partial(jc.conv, padding=1, groups=8), (8, 1, 3, 3)),
    "grouped": (partial(jc.conv, padding=1, groups=2), (8, 4, 3, 3)),
    "conv_transpose": (partial(jc.conv_transpose, stride=2, padding=1), (8, 8, 4, 4)),
    "correlate": (lambda x, k: jc.correlate(x, k, padding=1), (3, 3)),
    "mean": (lambda x, k: k * jc.pool(x, (3, 3), "mean", stride=1, padding=1), ()),
    "mean 2x2": (lambda x, k: k * jc.pool(x, (2, 2), "mean"), ()),
    "lp": (lambda x, k: k * jc.pool(x, (2, 2), "lp"), ()),
    "max 2x2": (lambda x, k: k * jc.pool(x, (2, 2), "max"), ()),
    "max": (lambda x, k: k * jc.pool(x, (3, 3), "max", stride=1, padding=1), ()),
}
# Where the maps lie, on meshes of 8, or of 4 by 2.
DIVISIONS = {
    "samples": P("a"),
    "channels": P(None, "a"),
    "rows": P(None, None, "a"),
    "rows and columns": P(None, None, "a", "b"),
    "samples and columns": P("a", None, None, "b"),
}
COLLECTIVES = ("all-gather", "all-to-all", "collective-permute", "all-reduce")


def mesh_for(division, kind):
    two = "b" in str(DIVISIONS[division])
    return jax.make_mesh((4, 2) if two else (8,), ("a", "b")[: 1 + two], axis_types=(kind,) * (1 + two))


def with_gradients(f):
    def both(x, kernel):
        y, pull = jax.vjp(f, x, kernel)
        return y, pull(jnp.sin(y))

    return both


def numbers(operation):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in (MAPS, OPERATIONS[operation][1])]


def difference(results, expected):
    """The largest, as a part of the largest number."""
    pairs = zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True)
    return max(float(np.abs(np.asarray(a) - b).max() / np.abs(b).max()) for a, b in pairs)


def tried(operation, division, kind, alone):
    """With gradients, and forward if that is asked for: the collectives, the difference from one device, the place."""
    f = OPERATIONS[operation][0]
    arrays = numbers(operation)
    mesh = mesh_for(division, AxisType[kind])
    with jax.set_mesh(mesh):
        specs = (DIVISIONS[division], P())
        placed = [jax.device_put(a, NamedSharding(mesh, spec)) for a, spec in zip(arrays, specs, strict=True)]
        told = {}
        for way, g in (("forward", f), ("both", with_gradients(f)))[not alone :]:
            program = jax.jit(g).lower(*placed).compile()
            text = program.as_text()
            results = program(*placed)
            told[way] = {name: len(re.findall(rf" {name}(?:-start)?\(", text)) for name in COLLECTIVES}
            told[way]["difference"] = difference(results, jax.tree.map(np.asarray, jax.jit(g)(*arrays)))
            told[way]["lies"] = str(jax.tree.leaves(results)[0].sharding.spec)
            told[way]["temporary"] = program.memory_analysis().temp_size_in_bytes
        return told


if __name__ == "__main__":
    for case in json.loads(sys.argv[1]):
        sys.stdout.write(json.dumps([case, tried(*case)]) + "\n")
