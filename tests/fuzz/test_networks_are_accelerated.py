"""Small random networks have the values and gradients that they have on lax, accelerated before or after."""

import os
from functools import partial

import jax
import jax.numpy as jnp
import networks
import pytest
from checks import assert_close, at_least_1

import jaxcnn as jc

PIECES, NETWORKS = 15, 20  # of each piece, in one program
EACH_GRADIENT = 32  # every so many networks: a gradient takes four times as long as a value


@pytest.mark.parametrize("piece", range(PIECES))
def test_as_on_lax(piece):
    seed = int(os.environ["JAXCNN_FUZZ_SEED"])
    with jax.enable_x64(True):
        drawn = {index: networks.draw(seed, index) for index in range(piece * NETWORKS, (piece + 1) * NETWORKS)}
        names = {index: f"network {index}: {name}" for index, (*_, name) in drawn.items()}

        def every(arrays):
            ours, theirs = {}, {}
            for index, (network, *_) in drawn.items():
                loss = lambda *args, network=network: jnp.sum(jnp.sin(network(*args)))
                transform = partial(jax.grad, argnums=(0, 1)) if index % EACH_GRADIENT == 0 else jax.jit
                f = transform(loss)
                before, after = jc.accelerate(f), transform(jc.accelerate(loss))
                args, order = arrays[index], index // EACH_GRADIENT % 2
                ours[names[index]], theirs[names[index]] = (before, after)[order](*args), f(*args)
            return ours, theirs

        ours, theirs = jax.jit(every)({index: (kernels, x) for index, (_, kernels, x, _) in drawn.items()})
        assert_close(ours, theirs, at_least_1(theirs))
