"""A program that runs operations on arrays divided among eight devices, and prints the result of each as JSON."""

import functools
import json
import re
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from checks import with_gradients
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
    "conv, circular": (partial(jc.conv, padding=1, padding_mode="circular"), (8, 8, 3, 3)),
    "conv, reflect": (partial(jc.conv, padding=1, padding_mode="reflect"), (8, 8, 3, 3)),
    "conv, replicate": (partial(jc.conv, padding=(2, 1), padding_mode="replicate"), (8, 8, 5, 3)),
    "conv, symmetric, stride 2": (partial(jc.conv, padding=1, stride=2, padding_mode="symmetric"), (8, 8, 4, 4)),
    "depthwise": (partial(jc.conv, padding=1, groups=8), (8, 1, 3, 3)),
    "grouped": (partial(jc.conv, padding=1, groups=2), (8, 4, 3, 3)),
    "conv_transpose": (partial(jc.conv_transpose, stride=2, padding=1), (8, 8, 4, 4)),
    "correlate": (lambda x, k: jc.correlate(x, k, padding=1), (3, 3)),
    "convolve": (lambda x, k: jc.convolve(x, k, padding="SAME", padding_mode="circular"), (3, 3)),
    "door": (lambda x, k: jc.conv_general_dilated(x, k, (1, 1), "SAME"), (8, 8, 3, 3)),
    "door, channels last": (
        lambda x, k: jc.conv_general_dilated(
            x.transpose(0, 2, 3, 1), k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ).transpose(0, 3, 1, 2),
        (3, 3, 8, 8),
    ),
    "door of reductions, max": (
        lambda x, k: k * jc.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 3, 3), None, "SAME"),
        (),
    ),
    "mean": (lambda x, k: k * jc.pool(x, (3, 3), "mean", stride=1, padding=1), ()),
    "mean, filled": (lambda x, k: k * jc.pool(x, (3, 3), "mean", stride=1, padding=1, fill=2.0), ()),
    "mean 2x2": (lambda x, k: k * jc.pool(x, (2, 2), "mean"), ()),
    "lp": (lambda x, k: k * jc.pool(x, (2, 2), "lp"), ()),
    "max 2x2": (lambda x, k: k * jc.pool(x, (2, 2), "max"), ()),
    "max": (lambda x, k: k * jc.pool(x, (3, 3), "max", stride=1, padding=1), ()),
    "max, stride 2": (lambda x, k: k * jc.pool(x, (3, 3), "max", stride=2, padding=1), ()),
    "min, reflect": (lambda x, k: k * jc.pool(x, (3, 3), "min", stride=1, padding=1, padding_mode="reflect"), ()),
    "max, ceil mode": (lambda x, k: k * jc.pool(x, (3, 3), "max", stride=2, ceil_mode=True, fill=0), ()),
    "range": (lambda x, k: k * jc.pool(x, (2, 2), lambda w, axis: w.max(axis) - w.min(axis)), ()),
    "indices": (lambda x, k: k * sum(jc.max_pool_with_indices(x, (3, 3), stride=1, padding=1)), ()),
    "windows": (lambda x, k: k * jc.windows(x, (3, 3), padding=1), ()),
    "fold": (lambda x, k: k * jc.fold(x[..., None, None] + jnp.zeros((1,) * 4 + (3, 3)), x.shape[2:], padding=1), ()),
    "adaptive": (lambda x, k: k * jc.adaptive_pool(x, (8, 8), "mean"), ()),
    "global": (lambda x, k: k * jc.adaptive_pool(x, (1, 1), "mean"), ()),
    "unpool": (lambda x, k: k * jc.max_unpool(*jc.max_pool_with_indices(x, (2, 2)), x.shape[2:]), ()),
    "accelerate, any reducer": (
        lambda x, k: k * jc.accelerate(jax.lax.reduce_window)(x, 1.0, jax.lax.mul, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"),
        (),
    ),
    "vmap": (lambda x, k: jax.vmap(lambda x: jc.conv(x, k, padding=1))(x), (8, 8, 3, 3)),
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


def second_order(f):
    """The derivative of the gradients along the arrays themselves."""
    return lambda x, kernel: jax.jvp(with_gradients(f), (x, kernel), (x, kernel))[1]


WAYS = {"forward": lambda f: f, "gradients": with_gradients, "second order": second_order}


def numbers(operation, maps=MAPS):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in (maps, OPERATIONS[operation][1])]


def difference(results, expected):
    """The largest difference, relative to the largest number."""
    pairs = zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True)
    return max(float(np.abs(np.asarray(a) - b).max() / np.abs(b).max()) for a, b in pairs)


@functools.cache
def on_one(operation, way, maps):
    """The results of one device, and its bytes of temporary memory."""
    arrays = numbers(operation, maps)
    program = jax.jit(WAYS[way](OPERATIONS[operation][0])).lower(*arrays).compile()
    return jax.tree.map(np.asarray, program(*arrays)), program.memory_analysis().temp_size_in_bytes


def tried(operation, division, kind, ways=("forward", "gradients"), maps=MAPS):
    """For each way to run it: the collectives, the difference from one device, the sharding of the result, and the
    bytes of temporary memory on one of the eight and on a single device."""
    f = OPERATIONS[operation][0]
    arrays = numbers(operation, maps)
    mesh = mesh_for(division, AxisType[kind])
    told = {}
    for way in ways:
        expected, alone = on_one(operation, way, maps)
        with jax.set_mesh(mesh):
            specs = (DIVISIONS[division], P())
            placed = [jax.device_put(a, NamedSharding(mesh, spec)) for a, spec in zip(arrays, specs, strict=True)]
            program = jax.jit(WAYS[way](f)).lower(*placed).compile()
            text, results = program.as_text(), program(*placed)
        told[way] = {name: len(re.findall(rf" {name}(?:-start)?\(", text)) for name in COLLECTIVES}
        told[way]["difference"] = difference(results, expected)
        told[way]["lies"] = str(jax.tree.leaves(results)[0].sharding.spec)
        told[way] |= {"temporary": program.memory_analysis().temp_size_in_bytes, "alone": alone}
    return told


if __name__ == "__main__":
    for case in json.loads(sys.argv[1]):
        sys.stdout.write(json.dumps([case, tried(*case)]) + "\n")
