"""Runs that are resumed, that start from another run, or that are looked at before their end; and predictions."""

import io
import json
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from runs import late_reads_are_ignored
from situations import IMAGES, LABELS, image, npz, pictures, run_on, save

from jaxcnn.__main__ import main
from jaxcnn.train import Config, load_params, open_run, run
from jaxcnn.train.data import load_samples
from jaxcnn.train.loop import Plan
from jaxcnn.train.preprocessing import read_as
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.report import facts_of
from jaxcnn.train.run_data import reload
from jaxcnn.train.saved import read_metrics
from jaxcnn.train.tracker import Progress
from jaxcnn.train.training import Display

pytestmark = late_reads_are_ignored


def as_image(path):
    """A picture as the network of the run takes it."""
    return read_as(path, open_run(Path("run")).known.preprocessing)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = pictures(tmp_path_factory.mktemp("pictures") / "data")
    return Config(data="folder", data_dir=folder, epochs=2, batch_size=8, optimizer="sgd")


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return run(replace(config, run_dir=tmp_path_factory.mktemp("whole") / "run")).directory


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def said(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_an_unfinished_run_is_looked_at_by_its_last_checkpoint(copy, whole, capsys):
    finished = said(capsys, "evaluate", whole)
    (copy / "params.npz").unlink()
    code, out, err = said(capsys, "evaluate", copy)
    assert (code, out) == finished[:2]
    assert err == f"note: {copy} hasn't ended: this is its last checkpoint, after 6 steps\n"
    jax.tree.map(np.testing.assert_array_equal, open_run(copy).params, load_params(whole / "params.npz"))
    for command in (
        ["report", copy],
        ["predict", copy, Path(json.loads((copy / "config.json").read_text())["data_dir"])],
    ):
        assert said(capsys, *command)[0] == 0


def test_a_finished_run_is_extended(copy, capsys):
    code, out, _ = said(capsys, "train", "--resume", copy, "--epochs", "3")
    assert code == 0
    assert "going on after 6 of 9 steps" in out
    assert json.loads((copy / "config.json").read_text())["epochs"] == 3
    assert [record["step"] for record in read_metrics(copy) if "step" in record] == list(range(9))


def test_going_on_elsewhere_with_new_and_renamed_pictures_gives_the_same_bits(config, whole, tmp_path):
    """The order and the place of the files do not matter; new ones are left out."""

    class Stop(Display):
        def step(self, report):
            if report.step == 3:
                signal.raise_signal(signal.SIGTERM)

    folder = shutil.copytree(config.data_dir, tmp_path / "data")
    begun = run(replace(config, data_dir=folder, run_dir=tmp_path / "run", epochs=2, save_steps=1), Stop())
    assert begun.signal == signal.SIGTERM
    assert begun.steps < 6
    for path in sorted(folder.rglob("*.png")):
        path.rename(path.with_name(f"{99 - int(path.stem)}.png"))
    save(folder / "cat" / "new.png", image(0, 77))
    moved = folder.rename(tmp_path / "moved")
    assert main(["train", "--resume", str(begun.directory)]) == 2
    assert main(["train", "--resume", str(begun.directory), "--data-dir", str(moved)]) == 0
    assert (begun.directory / "params.npz").read_bytes() == (whole / "params.npz").read_bytes()


def test_a_run_begins_from_another_s_parameters(config, whole, tmp_path, capsys):
    run_dir = tmp_path / "run"
    options = ["--data", "folder", "--data-dir", config.data_dir, "--optimizer", "sgd", "--learning-rate", "1e-9"]
    code, _, err = said(capsys, "train", *options, "--steps", "1", "--init-from", whole, "--run-dir", run_dir)
    assert (code, err) == (0, "")
    theirs = load_params(whole / "params.npz")
    jax.tree.map(np.testing.assert_array_equal, load_params(run_dir / "first.npz"), theirs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), load_params(run_dir / "params.npz"), theirs)


def test_metrics_are_appended_to_and_cut_once(tmp_path):
    record = RunDirectory(Config(run_dir=tmp_path))
    record._add({"step": 0, "loss": 1.0})
    record.save_metrics()
    first = (tmp_path / "metrics.jsonl").stat()
    record._add({"step": 1, "loss": 1.0})
    record.save_metrics()
    assert (tmp_path / "metrics.jsonl").stat().st_ino == first.st_ino
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "loss"')
    record.close()
    assert [found["step"] for found in read_metrics(tmp_path)] == [0, 1]
    record = RunDirectory(Config(run_dir=tmp_path), resume=True)
    assert record.resume_at(Plan(8, 8, 4, 4, 1), 1, 0.5) == Progress(1, 0.5, [(1.0, 8)], [])
    record._add({"step": 1, "loss": 2.0})
    record.save_metrics()
    record.close()
    assert [found["loss"] for found in read_metrics(tmp_path)] == [1.0, 2.0]


def normalized(values):
    """Scaled as for a network that was trained on ImageNet."""
    return (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


COLOUR = IMAGES[..., None] // np.array([1, 2, 3], np.uint8)
WAYS = {
    "bytes": (IMAGES, IMAGES),
    "0 to 1": (IMAGES, IMAGES / 255),
    "-1 to 1": (IMAGES, IMAGES / 127.5 - 1),
    "-0.5 to 0.5": (IMAGES, IMAGES / 255 - 0.5),
    "0 to 16": (IMAGES // 17 * 17, (IMAGES // 17).astype(np.float32)),
    "floats to 255": (IMAGES, IMAGES.astype(np.float32)),
    "colours": (COLOUR, COLOUR),
    "colours, -1 to 1": (COLOUR, COLOUR / 127.5 - 1),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_becomes_what_training_saw(way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown, saved = WAYS[way]
    saved = saved if saved.dtype == np.uint8 else saved.astype(np.float32)
    # Add a black and a white image, as any data set of some size has them.
    black, white = saved.min(), {"0 to 16": 15}.get(way, saved.max())
    saved = np.concatenate([saved, np.stack([np.full_like(saved[0], black), np.full_like(saved[0], white)])])
    npz("data.npz", images=saved, labels=np.r_[LABELS, 0, 1])
    config = Config(data="npz", data_file=Path("data.npz"))
    run_on(config)
    trained = load_samples(config).images
    for i in range(5):
        save(Path("a.png"), shown[i])
        np.testing.assert_allclose(as_image(Path("a.png")), trained[i], atol=1e-6)


def test_a_picture_becomes_what_training_saw_with_a_scale_for_each_channel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ends = np.stack([np.zeros((16, 16, 3)), np.full((16, 16, 3), 255)])
    npz("data.npz", images=normalized(np.concatenate([COLOUR, ends])), labels=np.r_[LABELS, 0, 1])
    config = Config(data="npz", data_file=Path("data.npz"))
    run_on(config)
    save(Path("a.png"), COLOUR[3])
    np.testing.assert_allclose(as_image(Path("a.png")), load_samples(config).images[3], atol=1e-5)


@pytest.mark.parametrize("size", [None, 12, 20])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_picture_becomes_what_training_saw_in_a_folder(tmp_path, monkeypatch, size, channels):
    monkeypatch.chdir(tmp_path)
    pictures(Path("data"), channels=channels)
    config = Config(data="folder", data_dir=Path("data"), image_size=size)
    run_on(config)
    trained = load_samples(config).images
    for i, path in enumerate(sorted(Path("data").rglob("*.png"))[:4]):
        np.testing.assert_array_equal(as_image(path), trained[i])


def test_the_report_counts_each_side_as_training_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures(Path("data"))
    run_on(Config(data="folder", data_dir=Path("data"), validation=9))
    said = facts_of(open_run(Path("run")))["run"]
    assert (said["train"], said["validation"], said["test"]) == (15, 9, 6)


def test_other_data_get_the_values_that_the_run_was_trained_on(tmp_path, monkeypatch):
    """Bytes from 0 to 255 are scaled to the run's -1 to 1."""
    monkeypatch.chdir(tmp_path)
    scaled = (IMAGES / 127.5 - 1).astype(np.float32)
    npz("data.npz", images=scaled, labels=LABELS)
    run_on(Config(data="npz", data_file=Path("data.npz")))
    npz("bytes.npz", images=IMAGES, labels=LABELS)
    begun = open_run(Path("run"))
    loaded = reload(begun.config, begun.known, data_file=Path("bytes.npz"))
    np.testing.assert_allclose(loaded.fresh.images[:, 0], scaled, atol=1e-6)


class Unwritable(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_a_run_outlives_its_output(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Unwritable())
    options = ["--data", "folder", "--data-dir", config.data_dir, "--steps", "1", "--run-dir", tmp_path / "run"]
    code, _, err = said(capsys, "train", *options)
    assert code == 1
    went_on = f"the run went on, and is whole: {tmp_path}/run"
    assert err == f"error: the output can't be written (No space left on device); {went_on}\n"
    assert (tmp_path / "run" / "params.npz").exists()


def test_the_page_that_compares_needs_no_network(config, whole, copy, tmp_path, capsys):
    assert said(capsys, "compare", whole, copy, "--out", tmp_path / "page.html")[0] == 0
    text = (tmp_path / "page.html").read_text()
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text)[1].replace("\\u003c", "<"))
    assert [chart["title"] for chart in facts["charts"]] == ["Train loss", "Test loss", "Test accuracy"]
    assert all(len(curve["points"]) == 2 for chart in facts["charts"] for curve in chart["curves"])
    assert "http:" not in text.replace('"http:" + "//www.w3.org', "")
