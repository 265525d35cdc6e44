"""The processes of a run, and the devices among which each batch is divided."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcnn.train.config import Config
from jaxcnn.train.data import Split
from jaxcnn.train.errors import InputError

SAMPLES = "samples"
JOIN_SECONDS = 60
"""All processes of a run must have joined after this time."""

HEARTBEAT_SECONDS = 10
"""A process that has not been heard of for this long counts as lost."""


def connect(config: Config) -> None:
    """Join the processes of a run, if it has several.

    Args:
      config: its coordinator, processes and process.

    Raises:
      InputError: some process did not join, the port is taken, or JAX was used already.
    """
    if config.coordinator is None:
        return
    if config.platform:
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(config.platform, config.platform))
    if config.process == 0:
        _refuse_taken(config.coordinator)
    waiting = threading.Timer(JOIN_SECONDS, _give_up, (config,))  # at a timeout of its own JAX crashes the process
    waiting.daemon = True
    waiting.start()
    try:
        jax.distributed.initialize(
            config.coordinator,
            config.processes,
            config.process,
            initialization_timeout=2 * JOIN_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"--coordinator {config.coordinator}: JAX can't join the processes ({str(error).splitlines()[0]})"
        ) from error
    finally:
        waiting.cancel()


def _refuse_taken(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_server((host, int(port))):
            pass
    except OSError as error:
        raise InputError(
            f"--coordinator {address}: process 0 can't listen there ({error.strerror}): choose another"
        ) from error


def _give_up(config: Config) -> None:
    exit_now(
        f"--coordinator {config.coordinator}: not all processes joined within {JOIN_SECONDS} s: "
        f"start each of --process 0 to {config.processes - 1} with this address"
    )


def exit_now(message: str) -> NoReturn:
    """Print an error and exit at once; an orderly exit would wait for processes that are lost."""
    sys.stderr.write(f"error: {message}\n")
    sys.stderr.flush()
    os._exit(2)


def make_mesh(config: Config) -> Mesh:
    """The devices of a run as a mesh of one axis, along which samples are divided.

    Args:
      config: its platform and devices.

    Returns:
      The mesh.

    Raises:
      InputError: no device of that platform, or fewer than asked for.

    >>> make_mesh(Config(platform="cpu", devices=1)).size
    1
    """
    try:
        devices = jax.devices(config.platform)
    except RuntimeError as error:
        wanted = os.environ.get("JAX_PLATFORMS", "")
        wish = f"--platform {config.platform}" if config.platform else f"JAX_PLATFORMS={wanted}"
        raise InputError(
            f"{wish}: JAX sees no such device here; leave it out, "
            "or install JAX for that platform (an NVIDIA GPU: pip install 'jax[cuda13]')"
        ) from error
    count = config.devices or len(devices)
    if count > len(devices):
        raise InputError(f"--devices {count}: JAX sees {len(devices)} of {devices[0].platform}: give that many at most")
    if config.processes > 1 and count < len(devices):
        raise InputError(f"--devices {count}: several processes take all {len(devices)} devices: leave it out")
    return jax.make_mesh((count,), (SAMPLES,), axis_types=(AxisType.Auto,), devices=devices[:count])


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copy arrays to every device of a mesh, those of other processes included."""
    replicated = NamedSharding(mesh, P())
    if replicated.is_fully_addressable:
        return jax.device_put(tree, replicated)

    def global_array(leaf: Any) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = global_array(jax.random.key_data(leaf))
            key: jax.Array = jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
            return key
        here = np.asarray(leaf)
        return jax.make_array_from_callback(here.shape, replicated, lambda index: here[index])

    return jax.tree.map(global_array, tree)


def data_parallel(f: Callable[[Any, Split, Any], tuple[Any, Any]], mesh: Mesh | None) -> Callable[[Any, Split], Any]:
    """Make a function of a batch data-parallel: each device computes it for its part of the samples.

    Args:
      f: `(params, batch, weights) -> (sums, rows)`: sums over the samples, each times its weight, and arrays of one
        row per sample; weights None means that all samples count.
      mesh: of one axis; None is one device.

    Returns:
      `(params, batch) -> (sums, rows)` for batches of any size: one that does not divide evenly is padded with samples
      of weight 0.

    >>> total = data_parallel(lambda params, batch, weights: (params * batch.images.sum(), batch.images), None)
    >>> total(2.0, Split(jnp.arange(3.0), jnp.arange(3)))[0].item()
    6.0
    """
    if mesh is None or mesh.size == 1:
        return lambda params, batch: f(params, batch, None)

    def part(params: Any, batch: Split, weights: jax.Array) -> tuple[Any, Any]:
        sums, rows = f(params, batch, weights)
        return jax.lax.psum(sums, SAMPLES), rows

    sharded = jax.shard_map(
        part, mesh=mesh, in_specs=(P(), P(SAMPLES), P(SAMPLES)), out_specs=(P(), P(SAMPLES)), check_vma=False
    )

    def whole(params: Any, batch: Split) -> tuple[Any, Any]:
        samples = len(batch.targets)
        padded = np.arange(samples + -samples % mesh.size)
        weights = jnp.asarray(padded < samples, jnp.float32)
        sums, rows = sharded(params, jax.tree.map(lambda a: jnp.take(a, padded % samples, axis=0), batch), weights)
        # Replicated: the rows are small, and the host of each process has to read them.
        gathered = jax.lax.with_sharding_constraint(rows, NamedSharding(mesh, P()))
        return sums, jax.tree.map(lambda a: a[:samples], gathered)

    return whole
