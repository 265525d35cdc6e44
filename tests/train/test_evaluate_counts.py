"""`evaluate` counts every test image once, and its precision and recall are scikit-learn's."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from idx_files import contents, idx, write
from runs import DIGITS, refused, write_run
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from jaxcnn import lenet
from jaxcnn.train import Config, load, preset
from jaxcnn.train.commands.evaluate import main
from jaxcnn.train.data import Split
from jaxcnn.train.scores import confusion, logits_of_all, scores


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run on 57 test images: its directory, its test split, and the predicted classes."""
    path = tmp_path_factory.mktemp("run")
    coarse = np.random.default_rng(0).integers(
        256, size=(57, 4, 4), dtype=np.uint8
    )  # finer noise would all get one class
    files = contents(counts=(6, 57)) | {"t10k-images-idx3-ubyte": idx(np.kron(coarse, np.ones((7, 7), np.uint8)))}
    config = Config(data="mnist", data_dir=write(path, files), activation="tanh", pool_mode="mean")
    path, params = write_run(path / "run", config)
    test = load(config).test
    apply = jax.jit(partial(lenet.apply, params, activation=jax.numpy.tanh))
    predicted = np.argmax([apply(image) for image in test.images], axis=-1)
    assert len(set(predicted)) > 3
    return path, test, predicted


def sklearn_s(targets, predicted, classes):
    return precision_recall_fscore_support(targets, predicted, labels=range(classes), zero_division=0)


@pytest.mark.parametrize(
    ("true", "taken"),
    [(range(7), range(7)), (range(7), (0, 2, 3)), ((1, 4), range(7)), ((1, 4), (0, 2)), ((3,), (3,))],
)
def test_precision_and_recall_are_sklearn_s(true, taken):
    random = np.random.default_rng(0)
    targets, predicted = random.choice(list(true), 200), random.choice(list(taken), 200)
    matrix = confusion(targets, predicted, 7)
    np.testing.assert_array_equal(matrix, confusion_matrix(targets, predicted, labels=range(7)))
    found = scores(matrix, "abcdefg")
    assert "".join(score.name for score in found) == "abcdefg"
    rows = [(score.precision, score.recall, score.f1, score.count) for score in found]
    np.testing.assert_allclose(np.transpose(rows), sklearn_s(targets, predicted, 7), rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 10])
def test_every_sample_is_predicted_once_and_in_its_place(batch_size):
    logits = np.random.default_rng(0).standard_normal((7, 3), np.float32)
    split = Split(logits, np.zeros(7, np.int32))
    found = logits_of_all(lambda images: -images, split, batch_size=batch_size).argmax(axis=-1)
    np.testing.assert_array_equal(found, logits.argmin(axis=-1))


def test_the_table(evaluated, capsys):
    path, test, predicted = evaluated
    assert main([str(path)]) == 0
    out, err = capsys.readouterr()
    assert not err
    accuracy, never, header, *rows, macro = out.splitlines()
    correct = int((predicted == test.targets).sum())
    greatest = np.bincount(test.targets).max() / 57
    baseline = f"always saying the commonest class gives {greatest:.1%}"
    assert accuracy == f"accuracy {correct / 57:.1%} ({correct}/57); {baseline}"
    assert never.startswith("never recognized: ")
    assert header.split() == ["class", "precision", "recall", "F1", "count"]
    columns = np.transpose(sklearn_s(test.targets, predicted, 10))
    assert (columns[:, 0] == 0).any()  # a class never predicted is among them
    expected = [
        [name, *(f"{share:.1%}" for share in shares), str(int(count))]
        for name, (*shares, count) in zip(DIGITS, columns, strict=True)
    ]
    assert [row.split() for row in rows] == expected
    means = columns[np.bincount(test.targets, minlength=10) > 0, :3].mean(axis=0)
    assert macro.split() == ["macro", "mean", *(f"{mean:.1%}" for mean in means)]
    assert len({len(row) for row in (header, *rows)}) == 1


def test_json_says_the_same(evaluated, capsys):
    path, test, predicted = evaluated
    assert main([str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    correct = int((predicted == test.targets).sum())
    assert (said["accuracy"], said["correct"], said["count"]) == (correct / 57, correct, 57)
    assert [score["name"] for score in said["classes"]] == list(DIGITS)
    rows = [[score[name] for name in ("precision", "recall", "f1", "count")] for score in said["classes"]]
    np.testing.assert_allclose(np.transpose(rows), sklearn_s(test.targets, predicted, 10), rtol=1e-12)


def test_a_run_without_test_images_is_refused(tmp_path, capsys):
    write_run(tmp_path / "run", preset("synthetic"))
    assert "run: --data synthetic has no test images" in refused(capsys, main, tmp_path / "run")
