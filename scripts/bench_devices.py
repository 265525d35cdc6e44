"""One step of a 3-D U-Net on one volume, on one device and divided in eight: the numbers, and the memory of a device.

    scripts/bench_devices.py --side 96
    scripts/bench_devices.py --table    each operation, in each division, forward and with its gradients

Devices are made of this machine's CPU, so this shows what each has to hold and to exchange, and not how long it takes.
"""

import argparse
import importlib
import os
import re
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
from _timing import headline, machine, table_head, table_row, write_json
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxcnn as jc

MIB = 2**20
COLLECTIVES = ("all-gather", "all-to-all", "collective-permute", "all-reduce")
# Kernels of the way down, of the way up, which doubles each side, and of the layer that joins both.
KERNELS = {"in": (8, 1, 3, 3, 3), "down": (16, 8, 3, 3, 3), "up": (16, 8, 2, 2, 2), "join": (8, 16, 3, 3, 3),
           "out": (1, 8, 1, 1, 1)}  # fmt: skip


def u_net(kernels, volume):
    """Two levels: the features of the full size are concatenated with those that come back from half the size."""
    fine = jax.nn.relu(jc.conv(volume, kernels["in"], padding=1))
    coarse = jax.nn.relu(jc.conv(jc.pool(fine, (2, 2, 2), "max"), kernels["down"], padding=1))
    back = jc.conv_transpose(coarse, kernels["up"], stride=2)
    joined = jax.nn.relu(jc.conv(jnp.concatenate([fine, back], 1), kernels["join"], padding=1))
    return jc.conv(joined, kernels["out"])


@jax.jit
def step(kernels, volume, wanted):
    """Gradient descent on the squared difference."""
    loss, gradients = jax.value_and_grad(lambda k: jnp.mean((u_net(k, volume) - wanted) ** 2))(kernels)
    return loss, jax.tree.map(lambda k, g: k - 0.1 * g, kernels, gradients)


def each_operation(only: str) -> None:
    """Each operation: the communication between devices, and their memory against an eighth of one device's."""
    tests = Path(__file__).parents[1] / "tests"
    sys.path[:0] = [str(tests), str(tests / "core")]
    eight = importlib.import_module("eight_devices")
    print(headline(machine()), flush=True)
    print(table_head("operation", "division", "axes", "way", *COLLECTIVES, "difference", "memory / its share"))
    for operation in (name for name in eight.OPERATIONS if only in name):
        for division in eight.DIVISIONS:
            for kind in ("Auto", "Explicit"):
                try:
                    told = eight.tried(operation, division, kind, maps=(16, 8, 64, 64))
                except ValueError as refused:
                    print(table_row(operation, division, kind, f"refused: {refused}"), flush=True)
                    continue
                for way, found in told.items():
                    share = found["temporary"] * 8 / max(found["alone"], 1)
                    counts = [str(found[name]) for name in COLLECTIVES]
                    cells = [*counts, f"{found['difference']:.0e}", f"{share:.2f}"]
                    print(table_row(operation, division, kind, way, *cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64, help="of the volume, a multiple of 16")
    parser.add_argument("--table", action="store_true", help="of all operations")
    parser.add_argument("--only", default="", help="rows of that table whose name has this in it")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.table:
        each_operation(arguments.only)
        return
    rng = np.random.default_rng(0)
    kernels = {name: rng.normal(size=shape).astype("float32") / 10 for name, shape in KERNELS.items()}
    volume, wanted = (rng.normal(size=(1, 1, *(arguments.side,) * 3)).astype("float32") for _ in range(2))
    mesh = jax.make_mesh((8,), ("slices",), axis_types=(AxisType.Auto,))
    places = {"one device": None, "eight devices": (P(), P(None, None, "slices"))}
    print(headline(machine()), flush=True)
    print(table_head("where", "loss", "difference", "temporary MiB of a device", *COLLECTIVES))
    rows, alone = {}, None
    for where, specs in places.items():
        arrays = (kernels, volume, wanted)
        if specs:
            of_kernels, of_maps = (NamedSharding(mesh, spec) for spec in specs)
            arrays = (*(jax.device_put(a, s) for a, s in zip(arrays, (of_kernels, of_maps, of_maps), strict=True)),)
        program = step.lower(*arrays).compile()
        loss, after = jax.tree.map(np.asarray, program(*arrays))
        alone = after if alone is None else alone
        difference = max(float(np.abs(after[name] - alone[name]).max()) for name in after)
        mib = program.memory_analysis().temp_size_in_bytes / MIB
        counts = [len(re.findall(rf" {name}(?:-start)?\(", program.as_text())) for name in COLLECTIVES]
        rows[where] = {"loss": float(loss), "difference": difference, "mib": mib, "collectives": counts}
        print(table_row(where, f"{loss:.6f}", f"{difference:.1e}", f"{mib:.1f}", *map(str, counts)), flush=True)
    share = rows["eight devices"]["mib"] / rows["one device"]["mib"] * 8
    print(f"a device holds {share:.2f} times its eighth")
    write_json(arguments.json, {"machine": machine(), "rows": rows})


if __name__ == "__main__":
    main()
