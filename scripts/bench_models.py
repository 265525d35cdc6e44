"""Whole models as others wrote them: forward and training step on lax's operators, by `accelerate`, and on torch.

Keras' models run on its JAX backend, and on its torch backend in a process of its own, where these can be imported.
Outputs are compared first, and gradients in float64, of less data: in float32 two right programs differ near a kink.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import figure, headline, in_turn, machine, repeat, table_head, table_row, write_json
from jax import lax

import jaxcnn as jc

BATCH, SIDE, CLASSES = 4, 96, 1000
OF_KERAS = (
    "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny", "Xception", "ResNet50", "DenseNet121", "MobileNetV3Small",
    "NASNetMobile",
)  # fmt: skip
WAYS = ("forward", "step")
RATE = 1e-3
OUTPUTS_WITHIN = 1e-3  # of the largest number, in float32
GRADIENTS_WITHIN = 1e-12  # of the largest number of each array, in float64


class Model(NamedTuple):
    apply: Callable[..., Any]  # (params, x) to logits, in whose last axis are classes
    params: Any
    x: Any


# Models of our own, in plain JAX -------------------------------------------------------------------------------------


def draw(rng: np.random.Generator, *shape: int, dtype: str) -> Any:
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(dtype)


def tcn(dtype: str, small: bool) -> Model:
    """WaveNet's stack: causal windows of 2 whose dilation doubles, gated, with residuals."""
    rng, channels = np.random.default_rng(0), 64
    layers = [
        {
            "gate": draw(rng, 2, channels, 2 * channels, dtype=dtype),
            "out": draw(rng, 1, channels, channels, dtype=dtype),
        }
        for _ in range(10)
    ]
    params = {
        "in": draw(rng, 2, 1, channels, dtype=dtype),
        "layers": layers,
        "out": draw(rng, 1, channels, 256, dtype=dtype),
    }

    def conv(x, kernel, dilation=1):
        padding = [(dilation * (kernel.shape[0] - 1), 0)]
        numbers = ("NWC", "WIO", "NWC")
        return lax.conv_general_dilated(x, kernel, (1,), padding, rhs_dilation=(dilation,), dimension_numbers=numbers)

    def apply(params, x):
        x = conv(x, params["in"])
        for i, layer in enumerate(params["layers"]):
            signal, gate = jnp.split(conv(x, layer["gate"], 2**i), 2, -1)
            x = x + conv(jnp.tanh(signal) * jax.nn.sigmoid(gate), layer["out"])
        return conv(jax.nn.relu(x), params["out"])

    return Model(apply, params, rng.normal(size=(1, 64, 1) if small else (BATCH, 4096, 1)).astype(dtype))


def unet(dtype: str, small: bool) -> Model:
    """Volumes, three levels of two windows of 3x3x3: max pooling on the way down, a transposed layer on the way up."""
    rng, widths = np.random.default_rng(0), (16, 32, 64)
    params: dict[str, Any] = {}
    before = 1
    for i, width in enumerate(widths):
        params[f"down{i}"] = [draw(rng, 3, 3, 3, a, width, dtype=dtype) for a in (before, width)]
        before = width
    for i, width in reversed(list(enumerate(widths[:-1]))):
        params[f"wider{i}"] = draw(rng, 2, 2, 2, before, width, dtype=dtype)
        params[f"up{i}"] = [draw(rng, 3, 3, 3, a, width, dtype=dtype) for a in (2 * width, width)]
        before = width
    params["out"] = draw(rng, 1, 1, 1, before, 2, dtype=dtype)
    numbers = ("NDHWC", "DHWIO", "NDHWC")

    def twice(x, kernels):
        for kernel in kernels:
            x = jax.nn.relu(lax.conv_general_dilated(x, kernel, (1,) * 3, "SAME", dimension_numbers=numbers))
        return x

    def apply(params, x):
        kept = []
        for i in range(len(widths)):
            if i:
                kept.append(x)
                x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 2, 1), (1, 2, 2, 2, 1), "VALID")
            x = twice(x, params[f"down{i}"])
        for i in reversed(range(len(widths) - 1)):
            x = lax.conv_transpose(x, params[f"wider{i}"], (2, 2, 2), "VALID", dimension_numbers=numbers)
            x = twice(jnp.concatenate([kept[i], x], -1), params[f"up{i}"])
        return lax.conv_general_dilated(x, params["out"], (1,) * 3, "VALID", dimension_numbers=numbers)

    return Model(apply, params, rng.normal(size=(1, *[8 if small else 32] * 3, 1)).astype(dtype))


def dcgan(dtype: str, small: bool) -> Model:
    """A generator of 64x64 images: transposed windows of 4x4 with stride 2."""
    rng, widths = np.random.default_rng(0), (512, 256, 128, 64, 3)
    kernels = [draw(rng, 4, 4, a, b, dtype=dtype) for a, b in pairwise(widths)]
    params = {"dense": draw(rng, 100, 4 * 4 * widths[0], dtype=dtype), "kernels": kernels}

    def apply(params, z):
        x = jax.nn.relu((z @ params["dense"]).reshape(len(z), 4, 4, widths[0]))
        for i, kernel in enumerate(params["kernels"]):
            x = lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = jax.nn.relu(x) if i < len(widths) - 2 else jnp.tanh(x)
        return x

    return Model(apply, params, rng.normal(size=(1 if small else 16, 100)).astype(dtype))


OURS = {"WaveNet": tcn, "3-D U-Net": unet, "DCGAN generator": dcgan}


# Models of Keras -----------------------------------------------------------------------------------------------------


def keras_model(name: str, dtype: str) -> Any:
    import keras
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    # On JAX, Keras computes its layer normalisation in float32 whatever the model's dtype: 1.6e-7 from the truth.
    BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.utils.set_random_seed(0)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    options = {"weights": None, "input_shape": (SIDE, SIDE, 3), "classes": CLASSES, "classifier_activation": None}
    return getattr(keras.applications, name)(**options)


def images(dtype: str) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (BATCH, SIDE, SIDE, 3)).astype(dtype)


def of_keras(name: str, dtype: str, small: bool) -> Model:
    model = keras_model(name, dtype)
    fixed = [variable.value for variable in model.non_trainable_variables]
    apply = lambda params, x: model.stateless_call(params, fixed, x, training=False)[0]
    return Model(
        apply, [variable.value for variable in model.trainable_variables], images(dtype)[: 1 if small else BATCH]
    )


def on_torch(name: str, seconds: float) -> dict[str, float]:
    """Milliseconds of a forward pass and of a step in this process, whose Keras runs on torch."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, x = keras_model(name, "float32"), torch.tensor(images("float32"))
    labels = torch.arange(BATCH)
    optimizer = torch.optim.SGD([variable.value for variable in model.trainable_variables], lr=RATE)

    def forward() -> None:
        with torch.no_grad():
            model(x, training=False)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x, training=False), labels).backward()
        optimizer.step()

    return {way: statistics.median(repeat(call, seconds)[1:]) for way, call in (("forward", forward), ("step", step))}


def torch_times(name: str, seconds: float) -> dict[str, float]:
    """The same in a process of its own: Keras has one backend per process."""
    command = [sys.executable, __file__, "--on-torch", name, "--seconds", str(seconds)]
    done = subprocess.run(command, env=os.environ | {"KERAS_BACKEND": "torch"}, capture_output=True, text=True)
    if done.returncode:  # Keras has no NASNet on torch
        print(f"{name} on torch: {done.stderr.splitlines()[-1]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


# Measured ------------------------------------------------------------------------------------------------------------


def programs(model: Model, params: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """A forward pass and a step of plain gradient descent, as functions to be compiled."""

    def loss(params: Any, x: Any) -> Any:
        logits = model.apply(params, x)
        rows = logits.reshape(-1, logits.shape[-1])
        return -jax.nn.log_softmax(rows)[:, 0].mean()

    def step(params: Any, x: Any) -> Any:
        return jax.tree.map(lambda p, g: p - RATE * g, params, jax.grad(loss)(params, x))

    return {"forward": model.apply, "step": step, "gradient": jax.grad(loss)}


class Program:
    """Compiled, with what that took."""

    def __init__(self, f: Callable[..., Any], args: Any) -> None:
        start = time.perf_counter()
        self.compiled = jax.jit(f).lower(*args).compile()
        self.seconds = time.perf_counter() - start
        self.mib = self.compiled.memory_analysis().temp_size_in_bytes / 2**20
        self.args = args

    def __call__(self) -> Any:
        return self.compiled(*self.args)


def furthest(ours: Any, theirs: Any) -> float:
    """The largest difference over all leaves, divided by the largest number."""
    pairs = list(zip(*(map(np.asarray, jax.tree.leaves(tree)) for tree in (ours, theirs)), strict=True))
    return float(max(np.abs(a - b).max() for a, b in pairs) / max(np.abs(b).max() for _, b in pairs))


def check_gradients(name: str, make: Callable[[str, bool], Model]) -> float:
    with jax.enable_x64(True):
        model = make("float64", True)
        gradient = jax.jit(programs(model, model.params, model.x)["gradient"])
        theirs = gradient(model.params, model.x)
        ours = jax.jit(jc.accelerate(gradient))(model.params, model.x)
        error = max(map(furthest, jax.tree.leaves(ours), jax.tree.leaves(theirs)))  # a first layer's are the smallest
    if not error <= GRADIENTS_WITHIN:
        raise AssertionError(f"{name}: gradients in float64 differ by {error:.1e} of the largest")
    return error


def measure(name: str, make: Callable[[str, bool], Model], seconds: float, torch: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name}
    model = make("float32", False)
    args = jax.device_put((model.params, model.x))
    for way, f in list(programs(model, *args).items())[:2]:
        ours, theirs = Program(jc.accelerate(f), args), Program(f, args)
        error = furthest(ours(), theirs())
        if not error <= OUTPUTS_WITHIN:
            raise AssertionError(f"{name}, {way}: results differ by {error:.1e} of the largest")
        compared = in_turn(ours, theirs, seconds)
        row[way] = {
            "error": error, "ours_ms": compared.ours, "lax_ms": compared.theirs, "ratio": compared.ratio,
            "compile_s": [ours.seconds, theirs.seconds], "mib": [ours.mib, theirs.mib],
        }  # fmt: skip
    if torch and name in OF_KERAS:
        row["torch"] = torch_times(name, seconds)
    return row


def line(row: dict[str, Any]) -> str:
    cells = []
    for way in WAYS:
        one, torch = row[way], row.get("torch", {}).get(way)
        cells += [figure(one["lax_ms"]), figure(one["ours_ms"]), figure(one["ratio"]), figure(torch)]
        cells += [f"{figure(a)} / {figure(b)}" for a, b in (one["compile_s"], one["mib"])]
    return table_row(row["model"], *cells)


def geometric_means(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{way} {statistics.geometric_mean(row[way]['ratio'] for row in rows):.2f}" for way in WAYS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of models, or parts of them")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each comparison")
    parser.add_argument("--unchecked", action="store_true", help="no gradients in float64: half of the time")
    parser.add_argument("--json", help="write all figures there, after each model")
    parser.add_argument("--on-torch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.on_torch:
        print(json.dumps(on_torch(args.on_torch, args.seconds)))
        return
    models: dict[str, Callable[[str, bool], Model]] = dict(OURS)
    if find_spec("keras"):
        models = {name: partial(of_keras, name) for name in OF_KERAS} | models
    plain = lambda name: "".join(filter(str.isalnum, name.lower()))
    wanted = [name for name in models if not args.only or any(plain(part) in plain(name) for part in args.only)]
    if not wanted:
        parser.error(f"--only {' '.join(args.only)} names none of: {', '.join(models)}")
    torch = find_spec("torch") is not None
    facts = machine()
    print(headline(facts), "\n")
    columns = ("lax, ms", "accelerate, ms", "ratio", "Keras on torch, ms", "compile, s: ours / lax", "MiB: ours / lax")
    heads = [f"{way}: {column}" for way in WAYS for column in columns]
    print(table_head("model", *heads), flush=True)
    rows = []
    for name in wanted:
        checked = {} if args.unchecked else {"gradient_error": check_gradients(name, models[name])}
        rows.append(checked | measure(name, models[name], args.seconds, torch))
        print(line(rows[-1]), flush=True)
        write_json(args.json, {"machine": facts, "rows": rows})  # also where a later model is interrupted
    print(f"\ngeometric mean of the ratios: {geometric_means(rows)}")


if __name__ == "__main__":
    main()
