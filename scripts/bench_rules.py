"""Time each algorithm, and lax, on many layers and their gradients: the rules of a platform come from these times.

    scripts/bench_rules.py --seconds 180 --json rules.json

A row names what `auto` takes there, and is marked where another algorithm, or lax, is more than 1.05 times as fast.
Programs are compiled in threads and timed one at a time: many calls, one wait.
"""

import argparse
import functools
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import headline, machine, write_json
from jax import lax

import jaxcnn as jc
from jaxcnn._engine.plan import plan
from jaxcnn._engine.problem import MADE_OF, Problem
from jaxcnn._geometry import geometry

HIGHEST = "highest"


class Layer(NamedTuple):
    name: str
    x: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    groups: int = 1
    dtype: str = "float32"
    precision: str | None = None

    @property
    def n(self) -> int:
        return len(self.kernel) - 2

    def ours(self, x: Any, kernel: Any, *, method: str = "auto") -> Any:
        return jc.conv(
            x, kernel, stride=self.stride, padding=self.pad, dilation=self.dilation, groups=self.groups, method=method,
            precision=self.precision,
        )  # fmt: skip

    def lax(self, x: Any, kernel: Any) -> Any:
        each = lambda value: (value,) * self.n
        return lax.conv_general_dilated(
            x, kernel, each(self.stride), [(self.pad, self.pad)] * self.n, rhs_dilation=each(self.dilation),
            feature_group_count=self.groups, precision=self.precision,
        )  # fmt: skip

    def chosen(self, wanted: str) -> str:
        g = geometry("bench", self.x[2:], self.kernel[2:], stride=self.stride, padding=self.pad, dilation=self.dilation)
        dtype = jnp.dtype(self.dtype)
        outs, ins = self.kernel[0] // self.groups, self.kernel[1]
        problem = Problem(wanted, g, self.x[0], self.groups, ins, outs, (dtype, dtype), dtype,
                          precision=self.precision, platform=jax.default_backend())  # fmt: skip
        return plan(problem, "auto").algorithm.name


def depthwise(samples: int, channels: int, spatial: tuple[int, ...], side: int, **rest: Any) -> Layer:
    n = len(spatial)
    stride, multiplier = rest.get("stride", 1), rest.pop("outs", 1)
    name = f"depthwise {n}-D of {side}, {samples}x{channels}x{'x'.join(map(str, spatial))}"
    name += (f", stride {stride}" if stride > 1 else "") + (f", {multiplier} out" if multiplier > 1 else "")
    kernel = (channels * multiplier, 1, *(side,) * n)
    return Layer(name, (samples, channels, *spatial), kernel, pad=side // 2, groups=channels, **rest)


def grouped(samples: int, groups: int, each: int, side: int, window: int, **rest: Any) -> Layer:
    channels = groups * each
    name = f"{groups} groups of {each}, {samples}x{channels}x{side}x{side}, {window}x{window}"
    kernel = (channels, each, window, window)
    return Layer(name, (samples, channels, side, side), kernel, pad=window // 2, groups=groups, **rest)


def dense(samples: int, ins: int, outs: int, spatial: tuple[int, ...], side: int, **rest: Any) -> Layer:
    name = f"{ins} to {outs}, {samples}x{'x'.join(map(str, spatial))}, {side}, stride {rest.get('stride', 1)}"
    return Layer(name, (samples, ins, *spatial), (outs, ins, *(side,) * len(spatial)), pad=side // 2, **rest)


GPU = (
    *(depthwise(64, 96, (56, 56), side, stride=2) for side in (3, 5, 7)),
    depthwise(64, 96, (56, 56), 3, stride=2, dtype="bfloat16"),
    depthwise(4, 64, (32, 56, 56), 3),
    depthwise(4, 64, (32, 56, 56), 3, dtype="bfloat16"),
    depthwise(2, 32, (16, 32, 32), 5),
    *(depthwise(8, 2048, (4096,), taps) for taps in (4, 16, 31, 64, 255)),
    *(depthwise(8, 2048, (4096,), taps, dtype="bfloat16") for taps in (4, 31)),
    *(depthwise(64, 768, (14, 14), side) for side in (3, 7)),
    *(depthwise(64, 960, (7, 7), side) for side in (3, 5)),
    depthwise(64, 32, (112, 112), 3, outs=2),
    *(grouped(64, 128 // each, each, 56, 3) for each in (2, 4, 16)),
    grouped(64, 32, 4, 56, 3, dtype="bfloat16"),
    dense(1024, 1, 6, (28, 28), 5),
    dense(1024, 6, 16, (14, 14), 5),
    dense(64, 3, 64, (224, 224), 7, stride=2),
    dense(64, 3, 16, (112, 112), 3),
    dense(64, 1, 1, (512, 512), 3),
    dense(64, 1, 1, (512, 512), 15),
    *(depthwise(64, 96, (56, 56), side, dtype="bfloat16") for side in (7, 11, 31)),
    depthwise(64, 96, (56, 56), 7, precision=HIGHEST),
    depthwise(64, 96, (56, 56), 7, stride=2, dtype="bfloat16"),
    depthwise(1, 96, (112, 112), 3),
    *(depthwise(64, 96, (56, 56), side) for side in (3, 5, 7, 9, 11, 15, 31)),
    *(depthwise(64, 96, (56, 56), side, dtype="bfloat16") for side in (3, 5)),
    dense(32, 8, 8, (56, 56), 31),
    dense(64, 64, 64, (56, 56), 3),
    dense(32, 128, 128, (8192,), 9),
    dense(4, 64, 64, (32, 56, 56), 3),
)
CPU = (
    *(depthwise(4, 64, (28, 28), side) for side in (3, 5, 7, 11, 15)),
    depthwise(4, 64, (28, 28), 3, stride=2),
    depthwise(8, 64, (1024,), 9),
    depthwise(1, 16, (16, 16, 16), 3),
    grouped(4, 8, 8, 28, 3),
    *(depthwise(4, 64, (56, 56), side) for side in (11, 15, 31)),
    *(depthwise(1, 1, (64, 64), side) for side in (11, 15, 31)),
    *(depthwise(1, 1, (512, 512), side) for side in (11, 15, 31)),
    *(depthwise(1, 1, (1000,), taps) for taps in (101, 151, 255, 401)),
    *(depthwise(8, 64, (4096,), taps) for taps in (101, 255, 401)),
    depthwise(1, 16, (32, 32, 32), 5),
    depthwise(1, 16, (32, 32, 32), 7),
    *(dense(4, channels, channels, (28, 28), side) for channels in (4, 32) for side in (11, 15, 19)),
    dense(64, 1, 6, (28, 28), 5),
    dense(4, 64, 64, (28, 28), 3),
    dense(4, 64, 64, (512,), 9),
)


def with_adjoints(f: Any, x: Any, kernel: Any) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """f and its two adjoints, each with the shapes of its operands."""
    y = jax.eval_shape(f, x, kernel)
    return {
        "y": (f, (x, kernel)),
        "x": (lambda ct, kernel: jax.linear_transpose(lambda x: f(x, kernel), x)(ct)[0], (y, kernel)),
        "kernel": (lambda ct, x: jax.linear_transpose(lambda kernel: f(x, kernel), kernel)(ct)[0], (y, x)),
    }


def candidates(layer: Layer) -> Iterator[tuple[str, Any]]:
    """lax, auto, and the algorithms that could be fast there."""
    yield "lax", layer.lax
    yield "auto", layer.ours
    channels, taps = max(layer.kernel[0] // layer.groups, layer.kernel[1]), math.prod(layer.kernel[2:])
    if channels <= 8 and taps <= 256:
        yield "shifts", functools.partial(layer.ours, method="shifts")
    if taps >= 9 and channels <= 32 and layer.dtype == "float32" and layer.precision is None:
        yield "fft", functools.partial(layer.ours, method="fft")
    if (2 <= channels <= 16 and taps <= 81) or (taps > 100 and jax.default_backend() == "cpu"):
        yield "rows", functools.partial(layer.ours, method="rows")
    if taps > 100 and jax.default_backend() == "cpu":
        yield "windows", functools.partial(layer.ours, method="windows")


def milliseconds(call: Any, seconds: float = 0.09) -> float:
    jax.block_until_ready(call())
    start = time.perf_counter()
    jax.block_until_ready(call())
    calls = max(2, min(60, int(seconds / 3 / max(time.perf_counter() - start, 2e-5))))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(calls):
            made = call()
        jax.block_until_ready(made)
        times.append((time.perf_counter() - start) / calls)
    return 1e3 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="layers whose name holds this")
    parser.add_argument("--seconds", type=float, default=600, help="for everything; what is not done by then is left")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    print(headline(machine()), "; milliseconds", sep="", flush=True)
    layers = [each for each in (GPU if jax.default_backend() == "gpu" else CPU) if arguments.only in each.name]
    jobs = []
    for layer in layers:
        x, kernel = (jax.ShapeDtypeStruct(shape, layer.dtype) for shape in (layer.x, layer.kernel))
        for name, f in candidates(layer):
            jobs += [(layer, wanted, name, *call) for wanted, call in with_adjoints(f, x, kernel).items()]

    def build(job: Any) -> Any:
        if time.monotonic() > end - arguments.seconds * 0.4:
            return None
        try:
            return jax.jit(job[3]).lower(*job[4]).compile()
        except Exception as error:  # noqa: BLE001  (a backend that lacks a kernel is a finding)
            return f"{type(error).__name__}: {str(error)[:60]}"

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        compiled = list(threads.map(build, jobs))
    print(f"{sum(map(callable, compiled))} of {len(jobs)} programs compiled", file=sys.stderr, flush=True)

    rng, found = np.random.default_rng(0), []
    for layer in layers:
        for wanted in MADE_OF:
            times: dict[str, Any] = {}
            for (of, at, name, _, operands), program in zip(jobs, compiled, strict=True):
                if of is not layer or at != wanted or program is None or time.monotonic() > end:
                    continue
                if isinstance(program, str):
                    times[name] = program
                    continue
                arrays = [jnp.asarray(rng.standard_normal(a.shape, np.float32), a.dtype) for a in operands]
                times[name] = milliseconds(functools.partial(program, *arrays))
            numbers = {name: took for name, took in times.items() if isinstance(took, float)}
            if "auto" not in numbers:
                continue
            best = min(numbers, key=lambda name: numbers[name])
            slow = numbers["auto"] / numbers[best]
            told = " ".join(
                f"{name} {took:.3f}" if name in numbers else f"{name} {took}" for name, took in times.items()
            )
            what = f"{layer.name}, {layer.dtype}" + (f", {layer.precision}" if layer.precision else "")
            mark = f" <-- {slow:.2f} times {best}" if slow > 1.05 else ""
            print(f"{what} | {wanted} | takes {layer.chosen(wanted)} | {told}{mark}", flush=True)
            found.append({**layer._asdict(), "wanted": wanted, "chosen": layer.chosen(wanted), "ms": times})
    write_json(arguments.json, {"machine": machine(), "rows": found})


if __name__ == "__main__":
    main()
