"""Three steps of gradient descent on two samples change the parameters as plain loops do, backpropagation by hand."""

import jax
import loops_lenet
import numpy as np
import optax
import pytest
from checks import assert_close, run

from jaxcnn import lenet
from jaxcnn.train.data import Split
from jaxcnn.train.step import make_step, new_state

RATE = 0.1


def loop_step(params, images, labels, activation, mode):
    logits, back = loops_lenet.lenet(params, images, activation, mode)
    loss, dlogits = loops_lenet.cross_entropy(logits, labels)
    return jax.tree.map(lambda p, g: p - RATE * g, params, back(dlogits)), loss


@pytest.mark.parametrize(
    ("ours", "loop", "mode"),
    [(jax.nn.sigmoid, loops_lenet.sigmoid, "mean"), (jax.nn.relu, loops_lenet.relu, "max")],
    ids=["sigmoid+mean", "relu+max"],
)
def test_three_steps(ours, loop, mode):
    images = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    labels = np.array([3, 8])
    params = run(lenet.init, jax.random.key(0))
    optimizer = optax.sgd(RATE)
    state = new_state(params, optimizer)
    step = make_step(lambda params, x: lenet.apply(params, x, activation=ours, pool_mode=mode), optimizer)
    by_loops, losses = jax.tree.map(np.float64, params), []
    for _ in range(3):
        state, metrics = step(state, Split(images, labels))
        by_loops, loss = loop_step(by_loops, images, labels, loop, mode)
        assert_close((state.params, metrics["loss"]), (by_loops, loss))
        losses.append(loss)
    assert losses[2] < losses[1] < losses[0]
