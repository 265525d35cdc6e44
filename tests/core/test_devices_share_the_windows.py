"""On eight devices an operation has the numbers of one, gathers no data, and asks neighbours for their halo alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import eight_devices
import pytest

import jaxcnn as jc

# The gradient of max with overlapping windows is left to XLA where a spatial axis is divided.
LEFT_TO_XLA = ("max",)
# Its rows cannot be divided by eight, nor by four: the value has to be gathered where it is handed out.
UNEVEN = ("conv without padding",)
# It makes one axis of all leading ones, which JAX's types do not follow.
AUTO_ALONE = ("correlate",)
# Eight devices divide two groups, and an axis made of two, at places that no axis of the mesh names: data are gathered.
GATHERED = {("grouped", "channels"), ("correlate", "channels")}
ALL = [(operation, division) for operation in eight_devices.OPERATIONS for division in eight_devices.DIVISIONS]
WHOLE = ("conv", "mean")
EACH = [each for number, each in enumerate(ALL) if each[0] in WHOLE or number % 5 == number // 5 % 5]
CASES = [
    (*each, kind)
    for number, each in enumerate(EACH)
    for kind in ("Auto", "Explicit")[: 1 + (number % 3 == 1 and each[0] not in AUTO_ALONE)]
    if each[0] not in UNEVEN + LEFT_TO_XLA or "rows" not in each[1] or kind == "Auto"
]


@pytest.fixture(scope="module")
def told():
    """What each case came to, in one process of eight devices."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    path = os.pathsep.join(sys.path)
    command = [sys.executable, eight_devices.__file__, json.dumps([(*case, case[0] in WHOLE) for case in CASES])]
    done = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {tuple(case[:3]): result for case, result in map(json.loads, done.stdout.splitlines())}


def spatial_axes(division):
    return {"rows": 1, "rows and columns": 2, "samples and columns": 1}.get(division, 0)


@pytest.mark.parametrize("case", CASES, ids=" | ".join)
def test_a_division(told, case):
    operation, division, _ = case
    both = told[case]["both"]
    forward = told[case].get("forward", both)
    assert max(forward["difference"], both["difference"]) < 1e-5
    uneven = operation in UNEVEN and spatial_axes(division)
    for way in (forward, both):
        assert way["all-to-all"] == 0
        kernels = division == "channels" and case[2] == "Explicit"  # whose type says that each device has it whole
        assert way["all-gather"] == 0 or uneven or kernels or case[:2] in GATHERED
    if division == "samples":
        assert both["all-reduce"] <= 1
        assert forward is both or forward["all-reduce"] == 0
    if not spatial_axes(division):
        assert both["collective-permute"] == 0
    elif operation not in LEFT_TO_XLA and not uneven:
        # The halo in each direction; and the same for the gradients in x and in the kernel.
        assert forward is both or forward["collective-permute"] <= 2 * spatial_axes(division)
        assert both["collective-permute"] <= 6 * spatial_axes(division)


def test_what_is_refused_and_what_is_exported():
    """Padding that the devices of a type cannot divide is refused; an exported program is divided by XLA alone."""
    program = """
import jax, jax.export, jax.numpy as jnp, jaxcnn as jc
mesh = jax.make_mesh((8,), ("a",))
with jax.set_mesh(mesh):
    x = jax.device_put(jnp.ones((1, 1, 16, 16)), jax.P(None, None, "a"))
    try:
        jc.pool(x, (3, 3), "max", stride=1, padding=1)
    except ValueError as error:
        print(error)
mesh = jax.make_mesh((8,), ("a",), axis_types=(jax.sharding.AxisType.Auto,))
x = jax.device_put(jnp.ones((8, 1, 4, 4)), jax.NamedSharding(mesh, jax.P("a")))
f = jax.jit(lambda x: jc.conv(x, jnp.ones((1, 1, 3, 3))))
made = jax.export.export(f)(x).call(x)
print((made == f(x)).all(), made.sharding.spec)
"""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True, check=True, cwd=Path(jc.__file__).parents[1],
    )  # fmt: skip
    refused, exported = done.stdout.splitlines()
    assert refused.startswith("pool: padding makes 18 cells of spatial axis 0, which 8 devices along 'a' divide; ")
    assert exported.split(maxsplit=1)[0] == "True"
    assert exported.endswith("('a',)")
