"""On eight devices an operation has the numbers of one; it gathers nothing and exchanges only halos with neighbours."""

import json
import os
import subprocess
import sys

import eight_devices
import pytest

# Neither eight nor four divides its rows evenly, so that the value has to be gathered.
UNEVEN = ("conv without padding",)
# An index may name any cell of its map: where that is divided it is gathered, or refused.
WHOLE_MAPS = ("unpool",)
# Eight devices divide two groups of four channels: no axis of the mesh can say where the result lies.
NAMELESS = {("grouped", "channels")}
SPATIAL = {"rows": 1, "rows and columns": 2, "samples and columns": 1}
# One row for each operation with a spatial axis divided, some with another; the whole table: scripts/bench_devices.py.
OPERATIONS = list(eight_devices.OPERATIONS)
EACH = [(name, list(SPATIAL)[i % 3], ("Auto", "Explicit")[i % 2]) for i, name in enumerate(OPERATIONS)]
EACH += [(name, ("samples", "channels")[i // 4 % 2], ("Explicit", "Auto")[i % 2])
         for i, name in enumerate(OPERATIONS) if i % 4 == 0]  # fmt: skip
CASES = [
    (*case, ["forward", "gradients", "second order"] if case[0] in ("conv", "depthwise", "max") else ["gradients"])
    for case in EACH
    if case[0] not in WHOLE_MAPS or case[1] not in SPATIAL
]


def on_eight_devices(*arguments):
    """The lines that Python prints for these arguments, in a process with eight devices."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    environment = {"XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(sys.path), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def told():
    """The result of each case, from one process with eight devices."""
    lines = on_eight_devices(eight_devices.__file__, json.dumps(CASES))
    return {tuple(case[:3]): result for case, result in map(json.loads, lines)}


# The halo in each direction; the same for the gradients in x and in the kernel; and all of them once more.
PERMUTES = {"forward": 2, "gradients": 6, "second order": 18}


@pytest.mark.parametrize("case", [case[:3] for case in CASES], ids=" | ".join)
def test_a_division(told, case):
    operation, division, kind = case
    for way, found in told[case].items():
        assert found["difference"] < 1e-5
        assert found["all-to-all"] == 0
        # A kernel's gradient, whose type says that each device has the whole.
        kernels = division == "channels" and kind == "Explicit"
        uneven = operation in UNEVEN and division in SPATIAL
        assert found["all-gather"] == 0 or uneven or kernels or case[:2] in NAMELESS
        if division == "samples":
            assert found["all-reduce"] <= {"forward": 0, "gradients": 1}.get(way, 2)
        if not uneven:
            assert found["collective-permute"] <= PERMUTES[way] * SPATIAL.get(division, 0)


def test_refusals_and_export():
    """Explicit mode refuses what its devices cannot divide; an exported program is divided by XLA alone."""
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
        lambda: jc.conv_transpose(x, jax.device_put(jnp.ones((8, 8, 3, 3)), jax.P(None, "a")), groups=2),
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
mesh = jax.make_mesh((4,), ("a",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:4])
x = jax.device_put(jnp.arange(12.0), jax.NamedSharding(mesh, jax.P("a")))
least = lambda x: jc.pool(x, (3,), "min", dilation=3)  # two windows, four devices
print(*(jax.device_get(y) for y in jax.jit(lambda x: jax.jvp(least, (x,), (2 * x,)))(x)))
for stride in (3, 5):  # one window, whose taps lie on two of the devices
    product = lambda x: jc.reduce_window(x, 1.0, jax.lax.mul, (2,), (stride,), ((0, 0),), None, (3,))
    x = jax.device_put(jnp.arange(5.0, 9.0), jax.NamedSharding(mesh, jax.P("a")))
    print(*(jax.device_get(y) for y in jax.jit(lambda x: (product(x), jax.grad(lambda x: product(x)[0])(x)))(x)))
# Zeros between the cells of a cotangent that each device has whole, which XLA divides wrongly as a `lax.pad`.
pads, kernel, cotangent = ((0, 0),) * 2, jnp.arange(1.0, 3.0).reshape(1, 1, 2, 1), jnp.arange(16.0).reshape(1, 1, 8, 2)
spread = lambda x, kernel: jc.conv_general_dilated(x, kernel, (1, 2), pads, lhs_dilation=(2, 1))
pull = jax.jit(lambda *args: jax.vjp(spread, *args[:2])[1](args[2]))
for kind in ("Auto", "Explicit"):
    mesh = jax.make_mesh((2,), ("a",), axis_types=(jax.sharding.AxisType[kind],), devices=jax.devices()[:2])
    with jax.set_mesh(mesh):
        x = jax.device_put(jnp.arange(20.0).reshape(1, 1, 5, 4), jax.P(None, None, None, "a"))
        whole = jax.device_put(cotangent, jax.P(None, None, None, "a" if kind == "Explicit" else None))
        made = jax.device_get(pull(x, jax.device_put(kernel, jax.P()), whole))
        between = jc.reduce_window(x, 0.0, jax.lax.add, (1, 1, 1, 4), (1, 1, 1, 2), ((0, 0),) * 3 + ((1, 2),),
                                   base_dilation=(1, 1, 1, 2))
    exact = pull(*(jax.device_get(each) for each in (x, kernel, cotangent)))
    print(all(map(jnp.array_equal, made, exact)), jax.device_get(between)[0, 0, 0])
"""
    *lines, one_auto, one_explicit = on_eight_devices("-c", program)
    padding, unpooled, groups, in_groups, exported, *wide, three, two_windows, one, one_far = lines
    assert one_auto == one_explicit == "True [1. 3. 5. 3.]"
    assert wide == ["float64 True"] * 2
    assert three == "[ 3. 12.] [15.] (6,)"
    assert two_windows == "[0. 3.] [0. 6.]"
    assert one == one_far == "[40.] [8. 0. 0. 5.]"
    assert padding.startswith("pool: padding makes 18 cells of spatial axis 0, which 8 devices along 'a' divide; ")
    assert unpooled.startswith("max_unpool: x is divided on axis 2 among 8 devices along 'a'; an index may name any ")
    assert groups.startswith("conv: groups is 2, but 8 devices along 'a' divide the 8 channels; reshard so that ")
    assert in_groups.startswith(
        "conv_transpose: groups is 2, but 8 devices along 'a' divide the channels of each group"
    )
    assert exported.split(maxsplit=1)[0] == "True"
    assert exported.endswith("('a',)")
