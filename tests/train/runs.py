"""Run directories as training leaves them; what a record and a refusal hold; displays that end a run."""

import json
from contextlib import contextmanager
from unittest import mock

import jax
import numpy as np
import pytest

from jaxcnn.train import make_step, training
from jaxcnn.train.known import SPLITS, Known
from jaxcnn.train.model import initial_params
from jaxcnn.train.preprocessing import STYLES, Preprocessing
from jaxcnn.train.saved import read_metrics

DIGITS = tuple("0123456789")
TIMES = {"seconds", "images_per_second"}

# Orbax reads arrays concurrently. A damaged one ends the reading, and the other reads find their event loop closed,
# which Python reports on stderr, now or in a later test.
late_reads_are_ignored = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. None[\s\S]*Event loop is closed:pytest.PytestUnraisableExceptionWarning"
)


def random_params(config, image, classes=10):
    """Parameters with the shapes and dtypes of the initial ones, drawn by NumPy, which needs no compilation."""
    random = np.random.default_rng(0)

    def drawn(leaf):
        return (random.standard_normal(leaf.shape, np.float32) / leaf.shape[0] ** 0.5).astype(leaf.dtype)

    return jax.tree.map(drawn, jax.eval_shape(lambda: initial_params(config, image, classes)))


def write_run(path, config, *, image=(1, 28, 28), classes=DIGITS):
    """A run directory as if training had ended at random parameters; returns its path and the parameters."""
    params = random_params(config, image, len(classes))
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config.to_json())
    known = Known(
        Preprocessing(image, STYLES.get(config.data, "plain")), tuple(classes), None, dict.fromkeys(SPLITS, 0)
    )
    (path / "data.json").write_text(json.dumps(known.to_json()))
    save_arrays(path / "params.npz", params)
    return path, params


def save_arrays(path, params):
    """params.npz, as training leaves it."""
    np.savez(path, **{f"{layer}/{name}": leaf for layer, arrays in params.items() for name, leaf in arrays.items()})


def records(run_dir):
    """The lines of metrics.jsonl as dicts, without the times, which differ between equal runs."""
    return [{name: record[name] for name in record.keys() - TIMES} for record in read_metrics(run_dir)]


def refused(capsys, main, *arguments, lines=1):
    """Call a command that must exit with 2 and say one line on stderr, and few on stdout; return that one line."""
    assert main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") <= lines  # what is begun
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


class StoppedError(Exception):
    pass


class StopAfter:
    """A display that ends a run with an error after this many steps; None lets it run to its end."""

    def __init__(self, steps):
        self.steps = steps

    def start(self, start):
        self.begun_after = start.progress.steps

    def step(self, report):
        if report.step + 1 == self.steps:
            raise StoppedError

    def epoch(self, report): ...


@contextmanager
def fast_steps():
    """Compile the steps of this block with optimization, which pays from a few dozen steps on.

    On two CPU cores LeNet's step on 100 images takes 0.7 s longer to compile, and then 20 ms instead of 140.
    """

    def make(*args, **options):
        level = {"xla_backend_optimization_level": 2}
        return jax.jit(make_step(*args, **options), donate_argnums=0, compiler_options=level)

    with mock.patch.object(training, "make_step", make):
        yield
