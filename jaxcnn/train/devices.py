"""Where a run computes: its processes, and the devices among which each batch is divided."""

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcnn.train.config import Config
from jaxcnn.train.data import Split
from jaxcnn.train.errors import InputError

SAMPLES = "samples"
LOST = 10
"""Seconds without a sign of life after which a process is given up."""


def connect(config: Config) -> None:
    """Bring the processes of a run together, if it has several.

    Args:
      config: its coordinator, processes and process.

    Raises:
      InputError: they don't all come, the port is taken, or JAX has been used already.
    """
    if config.coordinator is None:
        return
    if config.platform:
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(config.platform, config.platform))
    try:
        jax.distributed.initialize(
            config.coordinator,
            config.processes,
            config.process,
            initialization_timeout=60,
            heartbeat_timeout_seconds=LOST,
            shutdown_timeout_seconds=2 * LOST,
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"--coordinator {config.coordinator}: the processes don't come together: is the port free, and is each of "
            f"--process 0 to {config.processes - 1} started? ({str(error).splitlines()[0]})"
        ) from error


def make_mesh(config: Config) -> Mesh:
    """The devices of a run as one axis, along which samples are divided.

    Args:
      config: its platform and devices.

    Returns:
      A mesh of one axis.

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
    return jax.make_mesh((count,), (SAMPLES,), devices=devices[:count])


def everywhere(tree: Any, mesh: Mesh) -> Any:
    """Arrays as they are on every device of a mesh, those of other processes included."""
    return jax.device_put(tree, NamedSharding(mesh, P()))


def over_samples(f: Callable[[Any, Split, Any], tuple[Any, Any]], mesh: Mesh | None) -> Callable[[Any, Split], Any]:
    """A function of a batch, computed by each device for its part of the samples.

    Args:
      f: `(params, batch, weights) -> (sums, rows)`: sums over the samples, each times its weight, and arrays of a row a
        sample; weights is None where all count.
      mesh: of one axis; None is one device.

    Returns:
      `(params, batch) -> (sums, rows)` for batches of any size: those that the devices don't divide are filled up with
      samples that don't count.

    >>> total = over_samples(lambda params, batch, weights: (params * batch.images.sum(), batch.images), None)
    >>> total(2.0, Split(jnp.arange(3.0), jnp.arange(3)))[0].item()
    6.0
    """
    if mesh is None or mesh.size == 1:
        return lambda params, batch: f(params, batch, None)

    def part(params: Any, batch: Split, weights: jax.Array) -> tuple[Any, Any]:
        sums, rows = f(params, batch, weights)
        return jax.lax.psum(sums, SAMPLES), rows

    divided = jax.shard_map(
        part, mesh=mesh, in_specs=(P(), P(SAMPLES), P(SAMPLES)), out_specs=(P(), P(SAMPLES)), check_vma=False
    )

    def whole(params: Any, batch: Split) -> tuple[Any, Any]:
        samples = len(batch.targets)
        filled = np.arange(samples + -samples % mesh.size)
        weights = jnp.asarray(filled < samples, jnp.float32)
        sums, rows = divided(params, jax.tree.map(lambda a: jnp.take(a, filled % samples, axis=0), batch), weights)
        # On every device again: what follows is small, and the host of each process can read it.
        gathered = jax.lax.with_sharding_constraint(rows, NamedSharding(mesh, P()))
        return sums, jax.tree.map(lambda a: a[:samples], gathered)

    return whole
