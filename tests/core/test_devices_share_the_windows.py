"""On eight devices an operation has the numbers of one, gathers no data, and asks neighbours for their halo alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import eight_devices
import pytest

import jaxcnn as jc

# Its rows cannot be divided by eight, nor by four: the value has to be gathered where it is handed out.
UNEVEN = ("conv without padding",)
# An index may name any cell of its map: where that is divided it is gathered, or refused.
WHOLE_MAPS = ("unpool",)
# Eight devices divide four channels of each of two groups: what comes of it lies where no axis of the mesh can say.
NAMELESS = {("grouped", "channels")}
SPATIAL = {"rows": 1, "rows and columns": 2, "samples and columns": 1}
# One row for each operation with a spatial axis divided, some with another; the whole table: scripts/bench_devices.py.
EACH = [(name, list(SPATIAL)[i % 3], ("Auto", "Explicit")[i % 2]) for i, name in enumerate(eight_devices.OPERATIONS)]
EACH += [(name, ("samples", "channels")[i // 3 % 2], ("Explicit", "Auto")[i % 2])
         for i, name in enumerate(eight_devices.OPERATIONS) if i % 3 == 0]  # fmt: skip
CASES = [
    (*case, ["forward", "gradients", "second order"] if case[0] in ("conv", "depthwise", "max") else ["gradients"])
    for case in EACH
    if case[0] not in WHOLE_MAPS or case[1] not in SPATIAL
]


@pytest.fixture(scope="module")
def told():
    """What each case came to, in one process of eight devices."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    path = os.pathsep.join(sys.path)
    command = [sys.executable, eight_devices.__file__, json.dumps(CASES)]
    done = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {tuple(case[:3]): result for case, result in map(json.loads, done.stdout.splitlines())}


# The halo in each direction; the same for the gradients in x and in the kernel; and all of them once more.
PERMUTES = {"forward": 2, "gradients": 6, "second order": 18}


@pytest.mark.parametrize("case", [case[:3] for case in CASES], ids=" | ".join)
def test_a_division(told, case):
    operation, division, kind = case
    for way, found in told[case].items():
        assert found["difference"] < 1e-5
        assert found["all-to-all"] == 0
        kernels = division == "channels" and kind == "Explicit"  # whose type says that each device has it whole
        uneven = operation in UNEVEN and division in SPATIAL
        assert found["all-gather"] == 0 or uneven or kernels or case[:2] in NAMELESS
        if division == "samples":
            assert found["all-reduce"] <= {"forward": 0, "gradients": 1}.get(way, 2)
        if not uneven:
            assert found["collective-permute"] <= PERMUTES[way] * SPATIAL.get(division, 0)


def test_what_is_refused_and_what_is_exported():
    """What the devices of a type cannot divide is refused; an exported program is divided by XLA alone."""
    program = """
import jax, jax.export, jax.numpy as jnp, jaxcnn as jc
mesh = jax.make_mesh((8,), ("a",))
with jax.set_mesh(mesh):
    x = jax.device_put(jnp.ones((1, 8, 16, 16)), jax.P(None, None, "a"))
    channels = jax.device_put(x, jax.P(None, "a"))
    for refused in (
        lambda: jc.pool(x, (3, 3), "max", stride=1, padding=1, fill=jnp.float32(0)),
        lambda: jc.max_unpool(x, jnp.zeros_like(x, int), (32, 32)),
        lambda: jc.conv(channels, jnp.ones((2, 4, 3, 3)), groups=2),
    ):
        try:
            refused()
        except ValueError as error:
            print(error)
mesh = jax.make_mesh((8,), ("a",), axis_types=(jax.sharding.AxisType.Auto,))
x = jax.device_put(jnp.ones((8, 1, 4, 4)), jax.NamedSharding(mesh, jax.P("a")))
f = jax.jit(lambda x: jc.conv(x, jnp.ones((1, 1, 3, 3))))
made = jax.export.export(f)(x).call(x)
print((made == f(x)).all(), made.sharding.spec)
with jax.enable_x64(True):  # of this thread, which XLA does not ask
    x = jax.device_put(jnp.arange(128.0).reshape(8, 16) % 7, jax.NamedSharding(mesh, jax.P(None, "a")))
    for f in (lambda x: jc.correlate(x, jnp.ones((3, 3)), padding=1), lambda x: jc.pool(x, (2, 2), "max")):
        g = jax.jit(jax.grad(lambda x: (f(x) ** 2).sum()))
        print(g(x).dtype, jnp.allclose(g(x), g(jax.device_get(x))))
mesh = jax.make_mesh((3,), ("a",), devices=jax.devices()[:3])
with jax.set_mesh(mesh):
    x = jax.device_put(jnp.arange(6.0), jax.P("a"))
    generic = jc.reduce_window(x, 0.0, jnp.logaddexp, (1,))
    print(jc.adaptive_pool(x, (2,), "sum"), jc.pool(x, (6,), "sum"), generic.shape)
"""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True, check=True, cwd=Path(jc.__file__).parents[1],
    )  # fmt: skip
    padding, unpooled, groups, exported, *wide, three = done.stdout.splitlines()
    assert wide == ["float64 True"] * 2
    assert three == "[ 3. 12.] [15.] (6,)"
    assert padding.startswith("pool: padding makes 18 cells of spatial axis 0, which 8 devices along 'a' divide; ")
    assert unpooled.startswith("max_unpool: x is divided on axis 2 among 8 devices along 'a'; an index may name any ")
    assert groups.startswith("conv: groups is 2, but 8 devices along 'a' divide the 8 channels; reshard so that ")
    assert exported.split(maxsplit=1)[0] == "True"
    assert exported.endswith("('a',)")
