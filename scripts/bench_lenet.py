"""One LeNet training step on jaxcnn's operators beside the same step on lax's, and beside nested Python loops."""

import argparse
import functools
import random
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxcnn import lenet
from jaxcnn.train.data import Split
from jaxcnn.train.step import make_step, new_state


def conv_on_lax(x, layer, padding):
    y = lax.conv_general_dilated(x, layer["kernel"], (1, 1), [(padding, padding)] * 2)
    return y + layer["bias"][None, :, None, None]


def mean_pool_on_lax(x):
    return lax.reduce_window(x, 0.0, lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4


def max_pool_on_lax(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def lenet_on_lax(params, images, *, activation, pool_mode):
    pool = {"mean": mean_pool_on_lax, "max": max_pool_on_lax}[pool_mode]
    x = pool(activation(conv_on_lax(images, params["conv1"], 2)))
    x = pool(activation(conv_on_lax(x, params["conv2"], 0)))
    x = x.reshape(x.shape[0], -1)
    for name in ("dense1", "dense2"):
        x = activation(x @ params[name]["kernel"] + params[name]["bias"])
    return x @ params["dense3"]["kernel"] + params["dense3"]["bias"]


def lenet_in_loops(params, images):
    """The forward pass as the starting text writes it: one window at a time."""

    def correlate(maps, kernels, padding):
        maps = np.pad(maps, ((0, 0), (padding, padding), (padding, padding)))
        side, out = kernels.shape[-1], maps.shape[-1] - kernels.shape[-1] + 1
        y = np.zeros((len(kernels), out, out), np.float32)
        for o, kernel in enumerate(kernels):
            for c, feature_map in enumerate(maps):
                for i in range(out):
                    for j in range(out):
                        y[o, i, j] += (feature_map[i : i + side, j : j + side] * kernel[c]).sum()
        return y

    def mean_pool(maps):
        channels, out = len(maps), maps.shape[-1] // 2
        y = np.zeros((channels, out, out), np.float32)
        for c in range(channels):
            for i in range(out):
                for j in range(out):
                    y[c, i, j] = maps[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean()
        return y

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def logits(x):
        for name, padding in (("conv1", 2), ("conv2", 0)):
            layer = params[name]
            x = mean_pool(sigmoid(correlate(x, layer["kernel"], padding) + layer["bias"][:, None, None]))
        x = x.reshape(-1)
        for name in ("dense1", "dense2"):
            x = sigmoid(x @ params[name]["kernel"] + params[name]["bias"])
        return x @ params["dense3"]["kernel"] + params["dense3"]["bias"]

    return np.stack([logits(image) for image in images])


def in_turn(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, `rounds` times, in an order drawn anew each round."""
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name in random.sample(list(calls), len(calls)):
            start = time.perf_counter()
            jax.block_until_ready(calls[name]())
            seconds[name].append(time.perf_counter() - start)
    return seconds


class Trainer:
    """A compiled step with its own state, since each step gives its state away."""

    def __init__(self, apply, params, batch):
        optimizer = optax.sgd(0.1)
        self.step = make_step(apply, optimizer)
        self.state, self.batch = new_state(params, optimizer), batch

    def __call__(self):
        self.state, metrics = self.step(self.state, self.batch)
        return metrics["loss"]


def compare(batch_size: int, activation, pool_mode: str, rounds: int) -> None:
    key = jax.random.key(0)
    params = lenet.init(key)
    labels = jax.random.randint(key, (batch_size,), 0, 10)
    batch = Split(jax.random.normal(key, (batch_size, 1, 28, 28)), labels)
    options = {"activation": activation, "pool_mode": pool_mode}
    trainers = {
        "jaxcnn": Trainer(functools.partial(lenet.apply, **options), params, batch),
        "lax": Trainer(functools.partial(lenet_on_lax, **options), params, batch),
    }
    for _ in range(3):  # compiles, warms up, and checks that both learn the same
        losses = [float(trainer()) for trainer in trainers.values()]
        np.testing.assert_allclose(*losses, rtol=1e-4)
    seconds = in_turn(trainers, rounds)
    ours, theirs = (1e3 * statistics.median(seconds[name]) for name in trainers)
    ratio = statistics.median(b / a for a, b in zip(seconds["jaxcnn"], seconds["lax"], strict=True))
    name = f"{activation.__name__} + {pool_mode}"
    print(f"{name:<16} batch {batch_size:>5}  jaxcnn {ours:8.2f} ms  lax {theirs:8.2f} ms  lax / jaxcnn {ratio:5.2f}")


def against_loops() -> None:
    params = lenet.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (10, 1, 28, 28))
    in_numpy = jax.tree.map(np.asarray, params)
    start = time.perf_counter()
    logits = lenet_in_loops(in_numpy, np.asarray(images))
    loops = time.perf_counter() - start
    np.testing.assert_allclose(logits, lenet.apply(params, images), rtol=1e-3, atol=1e-4)
    trainer = Trainer(lenet.apply, params, Split(images, jnp.arange(10)))
    for _ in range(3):
        jax.block_until_ready(trainer())
    step = statistics.median(in_turn({"step": trainer}, 50)["step"])
    print(
        f"10 images: the forward pass alone takes {loops:.2f} s in NumPy loops, a whole training step here "
        f"{1e3 * step:.2f} ms: {loops / step:.0f} times faster (the starting text's step in PyTorch loops took 6.5 s: "
        f"{6.5 / step:.0f} times)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[10, 128, 1024])
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    print(f"device: {jax.devices()[0].device_kind}, jax {jax.__version__}")
    for batch_size in arguments.batch_sizes:
        for activation, pool_mode in ((jax.nn.sigmoid, "mean"), (jax.nn.relu, "max")):
            compare(batch_size, activation, pool_mode, arguments.rounds)
    against_loops()


if __name__ == "__main__":
    main()
