"""LeNet trains on volumes: the drawn bodies are what their classes say, and LeNet learns them."""

import numpy as np
from runs import fast_steps

from jaxcnn.train import Config, load, open_run, run


def test_volumes_are_drawn_from_the_seed_as_many_of_each_class():
    train, test, classes, *_ = load(Config(data="volumes", seed=0))
    assert classes == ("ball", "cube", "shell")
    for split, count in ((train, 600), (test, 150)):
        assert split.images.shape == (count, 1, 16, 16, 16)
        assert split.images.dtype == np.float32
        assert (split.images.min(), split.images.max()) == (0, 1)
        assert split.targets.dtype == np.int32
        assert np.bincount(split.targets).tolist() == [count // 3] * 3
    again, other = (load(Config(data="volumes", seed=seed)).train.images for seed in (0, 1))
    np.testing.assert_array_equal(again, train.images)
    assert not np.array_equal(other, train.images)
    assert len(np.unique(np.concatenate([train.images, test.images]).reshape(750, -1), axis=0)) == 750


def test_bodies_are_what_their_classes_say():
    """Checked by other features than they are drawn by: the middle cell, and how much of its box a body fills."""
    images, targets = load(Config(data="volumes")).test
    for volume, label in zip(images[:, 0] > 0.5, targets, strict=True):
        places = np.argwhere(volume)
        low, high = places.min(axis=0), places.max(axis=0)
        filled = len(places) / np.prod(high - low + 1)
        middle = volume[tuple((low + high) // 2)]
        assert middle == (label != 2)
        assert (filled > 0.9) == (label == 1)


def test_a_3d_lenet_learns_volumes(tmp_path):
    few = {"epochs": None, "steps": 60, "batch_size": 10, "learning_rate": 6e-3}
    with fast_steps():
        outcome = run(Config(data="volumes", **few, run_dir=tmp_path / "run"))
    assert outcome.params["conv1"]["kernel"].shape == (6, 1, 5, 5, 5)
    assert outcome.params["dense1"]["kernel"].shape == (16 * 2**3, 120)
    assert outcome.test.count == 150
    assert outcome.test.accuracy > 0.8
    found = open_run(tmp_path / "run")
    assert (found.image, found.classes) == ((1, 16, 16, 16), ("ball", "cube", "shell"))
