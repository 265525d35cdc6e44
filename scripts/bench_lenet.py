"""Time one LeNet training step with jaxcnn, with lax's operators, with torch, and in nested Python loops."""

import argparse
import dataclasses
import functools
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _timing import (
    PAUSE,
    Call,
    figure,
    headline,
    in_blocks,
    in_turn,
    machine,
    print_list,
    repeat,
    table_head,
    table_row,
    torch_device,
    torch_if_there,
    torch_wait,
    write_json,
)
from jax import lax

from jaxcnn import lenet
from jaxcnn.train import fit, load, make_evaluate, preset
from jaxcnn.train.data import Split
from jaxcnn.train.devices import make_mesh
from jaxcnn.train.loop import make_plan
from jaxcnn.train.model import initial_params, make_apply, make_optimizer, make_schedule
from jaxcnn.train.step import make_step, new_state
from jaxcnn.train.training import on_devices

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "core"))
import oracles

RIVALS = ("lax", "torch eager", "torch.compile")
LEARNING_RATE = 0.1
GROWTH_BAR = 4.3  # for four times the batch


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
    """The forward pass in the starting text's own functions: one window at a time."""
    x = images
    for name, padding in (("conv1", 2), ("conv2", 0)):
        x = oracles.convnet2d(x, params[name]["kernel"], params[name]["bias"][:, None], padding, 1)
        x = oracles.poolnet_2d(x, (2, 2), "mean", 0, 2)
    x = x.reshape(len(x), -1)
    for name in ("dense1", "dense2"):
        x = oracles.sigmoid(x @ params[name]["kernel"] + params[name]["bias"])
    return x @ params["dense3"]["kernel"] + params["dense3"]["bias"]


def trainer_here(apply, params, batch: Split) -> Call:
    """Each call takes one more step, and returns the loss before it."""
    optimizer = optax.sgd(LEARNING_RATE)
    step, state = make_step(apply, optimizer), new_state(params, optimizer)

    def trainer():
        nonlocal state
        state, metrics = step(state, batch)
        return jax.block_until_ready((metrics["loss"], state))[0]

    return trainer


def trainer_on_lax(params, batch: Split, *, activation, pool_mode) -> Call:
    """The step as a user of JAX and optax writes it."""
    optimizer = optax.sgd(LEARNING_RATE)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, opt_state, images, labels):
        def objective(params):
            logits = lenet_on_lax(params, images, activation=activation, pool_mode=pool_mode)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        loss, gradient = jax.value_and_grad(objective)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    params = jax.tree.map(jnp.copy, params)
    opt_state = optimizer.init(params)

    def trainer():
        nonlocal params, opt_state
        params, opt_state, loss = step(params, opt_state, batch.images, batch.targets)
        return jax.block_until_ready((loss, params))[0]

    return trainer


def trainer_in_torch(torch, params, batch: Split, *, activation, pool_mode, options: dict[str, Any] | None) -> Call:
    """Options are those of torch.compile; None is eager."""
    nn = torch.nn
    activation = {jax.nn.sigmoid: nn.Sigmoid, jax.nn.relu: nn.ReLU}[activation]
    pool = {"mean": nn.AvgPool2d, "max": nn.MaxPool2d}[pool_mode]
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), activation(), pool(2),
        nn.Conv2d(6, 16, 5), activation(), pool(2), nn.Flatten(),
        nn.Linear(400, 120), activation(), nn.Linear(120, 84), activation(), nn.Linear(84, 10),
    )  # fmt: skip
    learned = [module for module in model if hasattr(module, "weight")]
    for module, (name, layer) in zip(learned, params.items(), strict=True):
        kernel = np.asarray(layer["kernel"])
        module.weight.data = torch.tensor(kernel.T if name.startswith("dense") else kernel)
        module.bias.data = torch.tensor(np.asarray(layer["bias"]))
    model = model.to(torch_device())
    images = torch.tensor(np.asarray(batch.images), device=torch_device())
    labels = torch.tensor(np.asarray(batch.targets), device=torch_device(), dtype=torch.int64)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    forward = model
    if options is not None:
        torch.compiler.reset()  # after another shape torch would compile for any shape
        forward = torch.compile(model, options=options)

    def trainer():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        torch_wait()
        return loss.detach()

    return trainer


def draw(batch_size: int) -> Split:
    key = jax.random.key(0)
    return Split(jax.random.normal(key, (batch_size, 1, 28, 28)), jax.random.randint(key, (batch_size,), 0, 10))


def first_losses(trainer: Call) -> list[float]:
    """The losses of three steps, which also compile the trainer and warm it up."""
    return [float(trainer()) for _ in range(3)]


def same(losses: list[float], others: list[float]) -> bool:
    return np.allclose(losses, others, rtol=1e-4, atol=0)


def compare(batch_size: int, activation, pool_mode: str, torch, seconds: float) -> tuple[dict[str, Any], Call]:
    """The figures of one step, and its trainer."""
    params, batch = lenet.init(jax.random.key(0)), draw(batch_size)
    model = {"activation": activation, "pool_mode": pool_mode}
    ours = trainer_here(functools.partial(lenet.apply, **model), params, batch)
    rivals = {"lax": trainer_on_lax(params, batch, **model)}
    if torch:
        rivals["torch eager"] = trainer_in_torch(torch, params, batch, **model, options=None)
        if shutil.which("g++"):
            rivals["torch.compile"] = trainer_in_torch(torch, params, batch, **model, options={})
    case = f"{activation.__name__} + {pool_mode}, batch {batch_size}"
    losses = {whose: first_losses(trainer) for whose, trainer in {"jaxcnn": ours, **rivals}.items()}
    options: dict[str, Any] = {}
    if "torch.compile" in losses and not same(losses["torch.compile"], losses["torch eager"]):
        options = {"layout_optimization": False}  # with it torch 2.13 takes wrong gradients of some of these models
        rivals["torch.compile"] = trainer_in_torch(torch, params, batch, **model, options=options)
        losses["torch.compile"] = first_losses(rivals["torch.compile"])
    if not all(same(losses[whose], losses["jaxcnn"]) for whose in rivals):
        raise AssertionError(f"{case}: the losses of three steps differ: {losses}")
    if torch:
        time.sleep(PAUSE)
    compared = {whose: (in_turn if whose == "lax" else in_blocks)(ours, trainer, seconds)
              for whose, trainer in rivals.items()}  # fmt: skip
    figures = {
        "case": case,
        "losses": losses,
        "torch_compile_options": options,
        "jaxcnn_ms": compared["lax"].ours,
        "behind_lax": compared["lax"].behind,
    }
    return figures | {"compared": {whose: vars(one) for whose, one in compared.items()}}, ours


def line(row: dict[str, Any]) -> str:
    pick = lambda what: [figure(row["compared"].get(whose, {}).get(what)) for whose in RIVALS]
    behind = "behind lax" if row["behind_lax"] else ""
    return table_row(row["case"], *pick("theirs"), figure(row["jaxcnn_ms"]), *pick("ratio"), behind)


def against_loops(seconds: float) -> dict[str, float]:
    params = lenet.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (10, 1, 28, 28))
    in_numpy = jax.tree.map(np.asarray, params)
    start = time.perf_counter()
    logits = lenet_in_loops(in_numpy, np.asarray(images))
    loops = time.perf_counter() - start
    np.testing.assert_allclose(logits, lenet.apply(params, images), rtol=1e-3, atol=1e-4)
    trainer = trainer_here(lenet.apply, params, Split(images, jnp.arange(10)))
    for _ in range(3):
        trainer()
    step = statistics.median(repeat(trainer, seconds)) / 1e3
    print(
        f"10 images: the forward pass alone takes {loops:.2f} s in NumPy loops, a whole training step here "
        f"{1e3 * step:.2f} ms: {loops / step:.0f} times faster"
    )
    return {"numpy_loops_forward_s": loops, "step_s": step}


def fashion(epochs: int) -> dict[str, Any]:
    """Train on Fashion-MNIST by the program's own loop, with our operators and with lax's: seconds and accuracies."""
    config = dataclasses.replace(preset("fashion-mnist"), epochs=epochs)
    data = on_devices(load(config), make_mesh(config))
    schedule = make_schedule(config, make_plan(config, len(data.train.targets)).steps)
    optimizer = make_optimizer(config, schedule)
    on_lax = functools.partial(lenet_on_lax, activation=jax.nn.relu, pool_mode="max")
    figures = {}
    for whose, apply in {"jaxcnn": make_apply(config), "lax": on_lax}.items():
        start = time.perf_counter()
        state = new_state(initial_params(config, data.train.images.shape[1:]), optimizer)
        step, evaluate = make_step(apply, optimizer), make_evaluate(apply)
        _, test = fit(state, data, config, step=step, evaluate=evaluate, rate=schedule)
        seconds = time.perf_counter() - start
        figures[whose] = {"seconds": seconds, "accuracy": test.accuracy}
        print(f"Fashion-MNIST, {epochs} epochs, {whose}: {seconds:.1f} s, {test.accuracy:.1%}", flush=True)
    print(f"lax / jaxcnn: {figures['lax']['seconds'] / figures['jaxcnn']['seconds']:.2f}")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[10, 128, 1024, 4096])
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument(
        "--fashion", type=int, metavar="EPOCHS", help="instead compare a training run of this many epochs"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    if arguments.fashion:
        write_json(arguments.json, {"machine": machine(None), "fashion": fashion(arguments.fashion)})
        return
    torch = torch_if_there(not arguments.no_torch)
    facts = machine(torch)
    print(headline(facts), "; float32, milliseconds for a step", sep="")
    if torch and not shutil.which("g++"):
        print("torch.compile is left out, since it needs g++")
    print(table_head("step", *RIVALS, "jaxcnn", *(f"{whose} / jaxcnn" for whose in RIVALS), ""), flush=True)
    rows, growth, kept = [], {}, {}
    for batch_size in arguments.batch_sizes:
        for activation, pool_mode in ((jax.nn.sigmoid, "mean"), (jax.nn.relu, "max")):
            row, trainer = compare(batch_size, activation, pool_mode, torch, arguments.seconds)
            rows.append(row)
            print(line(row), flush=True)
            if batch_size in (1024, 4096):
                kept[pool_mode, batch_size] = trainer
    print()
    for row in rows:
        if row["torch_compile_options"]:
            print(f"{row['case']}: torch.compile computes other gradients unless {row['torch_compile_options']} is set")
    for pool_mode in ("mean", "max"):
        if (pool_mode, 1024) in kept and (pool_mode, 4096) in kept:
            growth[pool_mode] = in_turn(kept[pool_mode, 1024], kept[pool_mode, 4096], arguments.seconds).ratio
            verdict = "over" if growth[pool_mode] > GROWTH_BAR else "within"
            print(f"{pool_mode} pooling: time(4096) / time(1024) is {growth[pool_mode]:.2f}, {verdict} {GROWTH_BAR}")
    behind = [row["case"] for row in rows if row["behind_lax"]]
    print_list("slower than 1.05 times lax and by more than 30 microseconds", behind)
    loops = against_loops(arguments.seconds)
    write_json(arguments.json, {"machine": facts, "rows": rows, "growth": growth, "loops": loops})


if __name__ == "__main__":
    main()
