"""`--data npz`: the arrays are read as they are; missing, damaged or lying ones are refused before allocating."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from jaxcnn.train import Config, InputError, load

LABELS = np.arange(20) % 4


def images(*shape, dtype=np.uint8):
    values = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    return values if dtype == np.uint8 else (values / 255).astype(dtype)


SOUND = {"images": images(20, 32, 28), "labels": LABELS}


def npz(folder, **arrays):
    np.savez_compressed(folder / "data.npz", **arrays)
    return read(folder)


def read(folder):
    return load(Config(data="npz", data_file=folder / "data.npz"))


def test_a_fifth_of_each_class_is_held_out_whatever_the_seed(tmp_path):
    train, test, classes, *_ = npz(tmp_path, **SOUND)
    assert classes == ("0", "1", "2", "3")
    assert train.images.shape == (16, 1, 32, 28)
    assert train.images.dtype == test.images.dtype == np.float32
    assert train.targets.dtype == np.int32
    assert (np.bincount(train.targets).tolist(), np.bincount(test.targets).tolist()) == ([4] * 4, [1] * 4)
    known = {(image.tobytes(), label) for image, label in zip(SOUND["images"] / np.float32(255), LABELS, strict=True)}
    found = [(image[0].tobytes(), label) for split in (train, test) for image, label in zip(*split, strict=True)]
    assert len(found) == 20
    assert set(found) == known
    other_seed = load(Config(data="npz", data_file=tmp_path / "data.npz", seed=1))
    np.testing.assert_array_equal(other_seed.test.images, test.images)


def test_test_images_are_the_test(tmp_path):
    more = {"test_images": images(3, 32, 28, dtype=np.float64), "test_labels": np.array([3, 0, 0], np.uint8)}
    train, test, *_ = npz(tmp_path, **SOUND, **more, classes=["n", "e", "s", "w"])
    np.testing.assert_array_equal(train.images[:, 0], SOUND["images"] / np.float32(255))
    np.testing.assert_array_equal(train.targets, LABELS)
    np.testing.assert_array_equal(test.images[:, 0], more["test_images"].astype(np.float32))
    assert test.targets.tolist() == [3, 0, 0]


def test_classes_may_be_named_that_no_sample_has(tmp_path):
    assert npz(tmp_path, **SOUND, classes=["a", "b", "c", "d", "é"]).classes == ("a", "b", "c", "d", "é")


def test_rows_of_probabilities_are_targets(tmp_path):
    rows = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    train, test, classes, *_ = npz(tmp_path, images=SOUND["images"], labels=rows)
    assert (train.targets.shape, test.targets.shape, classes) == ((16, 3), (4, 3), ("0", "1", "2"))
    assert train.targets.dtype == np.float32
    both = np.concatenate([train.targets, test.targets])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(rows.astype(np.float32), axis=0))


AXES = {  # what is saved, and which axis becomes the channels
    (20, 32, 28): None,
    (20, 3, 32, 28): 1,
    (20, 32, 28, 3): -1,
    (20, 32, 28, 1): -1,
    (20, 32, 28, 4): -1,
    (20, 7, 32, 28): 1,
    (20, 32, 28, 2): -1,
    (20, 1, 16, 17, 18): 1,
    (20, 5, 16, 17, 18): 1,
    (20, 16, 17, 18, 3): -1,
}


@pytest.mark.parametrize("shape", AXES)
def test_which_axis_the_channels_are(tmp_path, shape):
    saved, channels = images(*shape), AXES[shape]
    test_arrays = {"test_images": saved[:2], "test_labels": LABELS[:2]}
    train, test, *_ = npz(tmp_path, images=saved, labels=LABELS, **test_arrays)
    planes = [saved] if channels is None else [saved.take(i, channels) for i in range(saved.shape[channels])]
    expected = np.stack(planes, axis=1)
    np.testing.assert_array_equal(train.images, expected / np.float32(255))
    np.testing.assert_array_equal(test.images, expected[:2] / np.float32(255))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_floats_are_taken_as_they_are(tmp_path, dtype):
    saved = np.asfortranarray((images(20, 8, 9).astype(dtype) - 100) / 4)
    more = {"test_images": saved, "test_labels": LABELS}
    np.testing.assert_array_equal(npz(tmp_path, images=saved, labels=LABELS, **more).train.images[:, 0], saved)


def with_value(value, dtype=np.float32):
    array = images(20, 8, 8, dtype=dtype)
    array[3, 2, 1] = value
    return array


ODD = {
    "no images": ({"images": None}, r"has no array images: save it with np\.savez"),
    "no labels": ({"labels": None}, r"has no array labels"),
    "fewer labels": ({"labels": LABELS[:19]}, r"images has 20 samples and .*labels 19: save one for one"),
    "flat": ({"images": images(20, 64)}, r"images has the shape \(20, 64\): save \(samples, rows, columns\)"),
    "six axes": ({"images": images(20, 1, 8, 8, 8, 8)}, r"images has the shape \(20, 1, 8, 8, 8, 8\)"),
    "one value": ({"images": np.uint8(3)}, r"images\.npy has the shape \(\): save an array"),
    "one label for all": ({"labels": 3}, r"labels\.npy has the shape \(\)"),
    "no pixels": ({"images": images(20, 0, 8)}, r"images\.npy has the shape \(20, 0, 8\)"),
    "whole numbers": ({"images": images(20, 8, 8).astype(int) * 300}, r"images is of int64 from 0 to \d+: save floats"),
    "complex": ({"images": images(20, 8, 8).astype(complex)}, r"images is of complex128"),
    "NaN": ({"images": with_value(np.nan)}, r"images has values that are NaN, infinite"),
    "infinite": ({"images": with_value(-np.inf)}, r"images has values that are NaN, infinite"),
    "too great": ({"images": with_value(1e300, np.float64)}, r"images has values .* too great for float32"),
    "objects": ({"images": np.array([{}] * 20)}, r"images\.npy holds Python objects: save an array of numbers"),
    "negative": ({"labels": LABELS - 1}, r"labels: sample 0 has -1: number the classes from 0"),
    "from 1": ({"labels": LABELS + 1}, r"labels goes up to 4, but no sample has 0: number"),
    "a gap": ({"labels": LABELS * 2}, r"labels goes up to 6, but no sample has 1: number the classes without"),
    "a great label": ({"labels": LABELS + 2**40}, r"labels goes up to 1099511627779: number the classes from 0"),
    "great, below 2**31": ({"labels": LABELS + 2**30}, r"goes up to 1073741827, but no sample has 0"),
    "floats for labels": ({"labels": LABELS / 2}, r"labels is of float64 and shape \(20,\): save \(samples,\) whole"),
    "strings that no class has": (
        {"labels": LABELS.astype(str), "classes": ["0", "1", "2", "x"]},
        r"labels has the label 3, which classes doesn't name",
    ),
    "one class": ({"labels": LABELS * 0}, r"labels has one class alone: there is nothing to learn"),
    "one column": ({"labels": np.ones((20, 1))}, r"labels has one class alone"),
    "logits": ({"labels": np.eye(4)[LABELS] * 2}, r"labels: row 0 is no probabilities"),
    "negative probability": ({"labels": np.array([[0.5, 0.5], [1.5, -0.5]] * 10)}, r"labels: row 1 is no prob"),
    "integers of two hot": ({"labels": np.eye(4, dtype=int)[LABELS] + [1, 0, 0, 0]}, r"row 0 has not exactly one 1"),
    "one sample": ({"images": images(1, 8, 8), "labels": np.array([[0.5, 0.5]])}, r"there is one sample: give two"),
    "one of a class": ({"labels": np.r_[LABELS[:19], 4]}, r"class 4 has one sample: give two or more"),
    "half a test": ({"test_images": images(2, 32, 28)}, r"has test_images alone: save both of test_images and test"),
    "half a test, labels": ({"test_labels": LABELS}, r"has test_labels alone"),
    "test of other sides": (
        {"test_images": images(2, 32, 30), "test_labels": LABELS[:2]},
        r"of images is \(1, 32, 28\) and one of test_images \(1, 32, 30\)",
    ),
    "test of more classes": (
        {"test_images": images(2, 32, 28), "test_labels": [0, 4]},
        r"test_labels has 5 classes, but there are 4: save labels of the same classes",
    ),
    "test of fewer columns": (
        {"test_images": images(2, 32, 28), "test_labels": np.eye(3)[:2]},
        r"test_labels has 3 classes, but there are 4",
    ),
    "fewer names": ({"classes": ["a", "b", "c"]}, r"labels has 4 classes, but there are 3"),
    "one name": ({"classes": ["a"], "labels": LABELS * 0}, r"classes names one class"),
    "numbers for names": ({"classes": [1, 2, 3, 4]}, r"classes is of int64 and shape \(4,\): save a list of strings"),
}


@pytest.mark.parametrize("fault", ODD)
def test_arrays_that_don_t_fit_are_refused(tmp_path, fault):
    change, message = ODD[fault]
    arrays = {name: array for name, array in (SOUND | change).items() if array is not None}
    with pytest.raises(InputError, match=message) as caught:
        npz(tmp_path, **arrays)
    assert str(tmp_path / "data.npz") in str(caught.value)


def member(shape, descr="|u1", body=b"", version=(1, 0)):
    """The bytes of an .npy file with this header, true or not."""
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + body


def archive(images_npy, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as members:
        members.writestr("images.npy", images_npy)
    return file.getvalue()


def flipped(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


BROKEN = {
    "empty": (b"", r"is damaged, or no \.npz file \(.+\): save it again with np\.savez"),
    "text": (b"hello", r"is damaged, or no \.npz file"),
    "cut": (archive(member((99,), body=bytes(99)))[:-30], r"is damaged, or no \.npz file"),
    "a byte flipped": (flipped(archive(member((99,), body=bytes(99))), 130), r"is damaged, .*CRC"),
    "header cut": (archive(member((99,))[:30]), r"is damaged"),
    "shape of words": (archive(member(("a",))), r"is damaged"),
    "unknown type": (archive(member((1,), descr="q9")), r"is damaged"),
    "unknown version": (archive(member((1,), version=(3, 0))), r"is damaged, .*images\.npy doesn't begin as an array"),
    "header not closed": (archive(member((1,)).replace(b"}", b" ")), r"images\.npy doesn't begin as an array"),
    "header of two kinds of names": (archive(member((1,)).replace(b"'descr'", b"b'desc'")), r"doesn't begin as"),
    "header too deep": (archive(b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"(" * 9000), r"doesn't begin as"),
    "too short": (archive(member((100,), body=bytes(99))), r"images\.npy is damaged: its header promises 100 bytes"),
    "too long": (archive(member((98,), body=bytes(99))), r"its header promises 98 bytes, shape \(98,\)"),
    "negative sides": (archive(member((-3, -3), body=bytes(9))), r"is damaged: .* shape \(-3, -3\)"),
    "the moon": (archive(member((2**40, 2**40))), r"is damaged: its header promises 1208925819614629174706176"),
    "the moon, packed": (
        archive(member((2**40,), "<f8", bytes(4096)), compression=zipfile.ZIP_DEFLATED),
        r"is damaged: its header promises 8796093022208 bytes",
    ),
    "bzip2": (archive(member((9,), body=bytes(9)), compression=zipfile.ZIP_BZIP2), r"packed as NumPy never does"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_damaged_file_is_refused_and_allocates_nothing(tmp_path, fault):
    content, message = BROKEN[fault]
    (tmp_path / "data.npz").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_file(tmp_path):
    with pytest.raises(InputError, match=r"can't be read \(.*No such file.*\): give an \.npz file by --data-file"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"can't be read \(.*directory"):
        load(Config(data="npz", data_file=tmp_path))
    with pytest.raises(InputError, match=r"give the \.npz file by --data-file"):
        load(Config(data="npz"))
