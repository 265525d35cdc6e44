"""The starting text's run behaves as it does there: it learns, it oscillates, its loss is thrown up.

The first of its 1000 steps are enough to see it.
"""

from dataclasses import replace

import numpy as np
import pytest
from runs import fast_steps, records

from jaxcnn.train import preset, run


@pytest.fixture
def losses(tmp_path):
    """Run this many steps; each step's loss, and the entropy of the labels."""

    def of(samples, learning_rate, steps):
        config = replace(preset("synthetic"), samples=samples, learning_rate=learning_rate, steps=steps)
        with fast_steps():
            run(replace(config, run_dir=tmp_path))
        lines = records(tmp_path)
        assert [line["step"] for line in lines] == list(range(steps))
        return np.array([line["loss"] for line in lines]), lines[0]["entropy"]

    return of


def rising(losses):
    """In how many of the last 100 steps the loss rose."""
    return (np.diff(losses[-101:]) > 0).sum()


@pytest.mark.parametrize("rate", [0.03, 0.003])
def test_ten_samples_oscillate_close_above_the_entropy_and_are_smooth_at_a_tenth_of_the_rate(losses, rate):
    series, entropy = losses(10, rate, 151)
    assert entropy < series[-1] < entropy + 1
    assert rising(series) >= 20 if rate == 0.03 else rising(series) == 0


def test_a_hundred_samples_are_thrown_up(losses):
    series, _ = losses(100, 0.03, 11)
    assert series[10] > series[0]


def test_a_hundred_samples_learn_at_a_tenth_of_the_rate(losses):
    series, entropy = losses(100, 0.003, 51)
    assert entropy < series[50] < entropy + 40
