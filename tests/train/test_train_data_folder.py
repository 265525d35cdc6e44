"""`--data folder`: a subfolder of pictures for each class is read as it is; a file that can't be used is named."""

import tracemalloc

import numpy as np
import pytest
from bad_files import png

from jaxcnn.train import Config, InputError, load

Image = pytest.importorskip("PIL.Image")
SIDES = (32, 40)


def pixels(count, sides=SIDES, channels=()):
    return np.random.default_rng(0).integers(256, size=(count, *sides, *channels), dtype=np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def fill(folder, names=("cat", "dog"), count=5, channels=()):
    """`count` pictures a class, and the array of all of them in the order of their paths."""
    arrays = pixels(len(names) * count, channels=channels)
    for i, array in enumerate(arrays):
        save(folder / names[i // count] / f"{i % count:02}.png", array)
    return arrays


def pictures(folder):
    return load(Config(data="folder", data_dir=folder))


def as_bytes(images):
    """The images as sorted bytes, to compare them in any order."""
    return sorted(np.round(image * 255).astype(np.uint8).tobytes() for image in images)


def test_subfolders_are_the_classes_in_alphabetical_order(tmp_path):
    arrays = fill(tmp_path, names=("10", "9", "b"), count=10)
    train, test, classes, *_ = pictures(tmp_path)
    assert classes == ("10", "9", "b")
    assert train.images.shape == (24, 1, *SIDES)
    assert train.images.dtype == np.float32
    assert np.bincount(train.targets).tolist() == [8] * 3
    assert np.bincount(test.targets).tolist() == [2] * 3
    for label in range(3):
        of_class = [split.images[split.targets == label] for split in (train, test)]
        assert as_bytes(np.concatenate(of_class)[:, 0]) == as_bytes(arrays[10 * label : 10 * label + 10] / 255)


def test_two_pictures_a_class_are_one_to_train_and_one_to_test(tmp_path):
    fill(tmp_path, count=2)
    train, test, *_ = pictures(tmp_path)
    assert (train.targets.tolist(), test.targets.tolist()) == ([0, 1], [0, 1])


def test_folders_train_and_test_are_the_split(tmp_path):
    to_train = fill(tmp_path / "train", count=3)
    to_test = fill(tmp_path / "test", count=1)
    train, test, classes, *_ = pictures(tmp_path)
    np.testing.assert_array_equal(train.images[:, 0], to_train / np.float32(255))
    np.testing.assert_array_equal(test.images[:, 0], to_test / np.float32(255))
    assert (train.targets.tolist(), test.targets.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 1])
    assert classes == ("cat", "dog")


def test_hidden_names_and_files_next_to_the_classes_are_left_out(tmp_path):
    fill(tmp_path)
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / ".git").mkdir()
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"x")
    assert pictures(tmp_path).classes == ("cat", "dog")


def first_image(folder, array, name="00.png", **options):
    """The training images when one class has this picture and the other a white grey one."""
    other = np.full(array.shape[:2], 255, np.uint8)
    save(folder / "train" / "a" / name, array, **options)
    for place in ("train/b", "test/a", "test/b"):
        save(folder / place / "0.png", other)
    return pictures(folder).train.images


def test_colour_among_grey_makes_three_channels(tmp_path):
    array = pixels(1, channels=(3,))[0]
    images = first_image(tmp_path, array)
    assert images.shape == (2, 3, *SIDES)
    np.testing.assert_array_equal(images[0], array.transpose(2, 0, 1) / np.float32(255))
    assert (images[1] == 1).all()


def test_sixteen_bits_are_scaled(tmp_path):
    array = np.random.default_rng(0).integers(2**16, size=SIDES).astype(np.uint16)
    images = first_image(tmp_path, array)
    assert images.shape == (2, 1, *SIDES)
    np.testing.assert_allclose(images[0, 0], array / 65535, rtol=1e-6)


def test_one_bit_is_black_and_white(tmp_path):
    array = pixels(1)[0] > 127
    np.testing.assert_array_equal(first_image(tmp_path, array)[0, 0], array)


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_transparent_lies_on_white(tmp_path, channels):
    array = pixels(1, channels=(channels,))[0]
    images = first_image(tmp_path, array)
    alpha = array[..., -1:] / 255
    expected = (array[..., :-1] / 255 * alpha + 1 - alpha).transpose(2, 0, 1)
    assert images.shape == (2, channels - 1, *SIDES)
    np.testing.assert_allclose(images[0], expected, atol=1.01 / 255)


@pytest.mark.parametrize(("suffix", "error"), [("bmp", 0), ("jpg", 0.05), ("gif", 0)])
def test_other_formats(tmp_path, suffix, error):
    ramp = np.broadcast_to(np.arange(SIDES[1], dtype=np.uint8) * 6, SIDES).copy()
    images = first_image(tmp_path, ramp, name=f"00.{suffix}")
    np.testing.assert_allclose(images[0, 0], ramp / 255, atol=error + 1e-6)


def test_the_first_frame_of_an_animation_counts(tmp_path):
    ramp = np.broadcast_to(np.arange(SIDES[1], dtype=np.uint8) * 6, SIDES).copy()
    options = {"save_all": True, "append_images": [Image.fromarray(255 - ramp)]}
    np.testing.assert_allclose(first_image(tmp_path, ramp, name="0.gif", **options)[0, 0], ramp / 255, atol=1e-6)


def whole_png(folder):
    save(folder / "whole.png", pixels(1)[0])
    content = (folder / "whole.png").read_bytes()
    (folder / "whole.png").unlink()
    return content


FILES = {
    "text": (lambda _: b"hello", r"05\.png is no picture: give a file of PNG, JPEG, WEBP"),
    "cut": (lambda folder: whole_png(folder)[:-400], r"05\.png can't be read: it is damaged \(.+\)"),
    "no pixels in it": (lambda _: png(40, 32), r"05\.png can't be read: it is damaged"),
    "a bomb": (lambda _: png(30000, 30000), r"05\.png unpacks to more than [\d,]+ pixels: shrink it first"),
    "another size": (lambda _: png(3, 2, bytes(8)), r"05\.png is 3x2 and .*cat/00\.png 40x32 pixels: scale all"),
}


@pytest.mark.parametrize("fault", FILES)
def test_a_file_that_can_t_be_used_is_named(tmp_path, fault):
    make, message = FILES[fault]
    fill(tmp_path)
    (tmp_path / "cat" / "05.png").write_bytes(make(tmp_path))
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        pictures(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


THREE = ("cat", "dog", "eel")
FOLDERS = {
    "no class": (
        lambda folder: None,
        r"has no subfolders: give a folder of two or more, one for each class, by --data",
    ),
    "one class": (lambda folder: fill(folder, names=("cat",)), r"has one subfolder: give"),
    "a class without pictures": (lambda folder: (fill(folder), (folder / "eel").mkdir()), r"eel has no pictures: put"),
    "a folder in a class": (
        lambda folder: (fill(folder), (folder / "cat" / "more").mkdir()),
        r"cat/more is a folder inside a class",
    ),
    "a class that test lacks": (
        lambda folder: (fill(folder / "train", THREE), fill(folder / "test")),
        r"train has the class eel and .*test hasn't: give both",
    ),
    "a class that train lacks": (
        lambda folder: (fill(folder / "train"), fill(folder / "test", THREE)),
        r"test has the class eel and .*train hasn't: give both",
    ),
}


@pytest.mark.parametrize("fault", FOLDERS)
def test_a_folder_that_can_t_be_used(tmp_path, fault):
    make, message = FOLDERS[fault]
    make(tmp_path)
    with pytest.raises(InputError, match=message):
        pictures(tmp_path)


def test_a_path_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file can't be looked at \(Not a directory\): check --data-dir"):
        pictures(tmp_path / "file")
    with pytest.raises(InputError, match="by --data-dir"):
        load(Config(data="folder"))
