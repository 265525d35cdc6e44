"""The report page shows what jaxcnn computes: its facts by themselves, and the page in a real browser."""

import base64
import json
import math
import re
import shutil
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import browser
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import run as compiled
from idx_files import NAMES, idx, write
from runs import random_params, refused

from jaxcnn import conv2d, lenet, max_pool_with_indices, pool2d
from jaxcnn.train import Config, Data, InputError, Split, make_evaluate, open_run, preset
from jaxcnn.train import run as train
from jaxcnn.train.commands.report import main
from jaxcnn.train.known import Known
from jaxcnn.train.model import initial_params, make_apply
from jaxcnn.train.preprocessing import Preprocessing
from jaxcnn.train.record import RunDirectory
from jaxcnn.train.report import facts_of, page, write_page
from jaxcnn.train.report.facts import curves
from jaxcnn.train.report.layer_table import layer_table
from jaxcnn.train.run_data import Loaded

COUNTS = {"train": 4, "validation": 0, "test": 0}
TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"
needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason="needs a browser: chromium or google-chrome")


def blots(count):
    """Images of plateaus, so that many windows have several largest cells, and their labels."""
    random = np.random.default_rng(count)
    images = random.integers(0, 4, size=(count, 14, 14), dtype=np.uint8).repeat(2, axis=1).repeat(2, axis=2) * 80
    return images, np.arange(count) % 10


@pytest.fixture(scope="module", autouse=True)
def device():
    """The device of the training, so that its compiled programs are found again."""
    with jax.default_device(jax.devices()[0]):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs on a few images."""
    folder, (train_images, train_labels), (images, labels) = tmp_path_factory.mktemp("idx"), blots(40), blots(25)
    arrays = (train_images, train_labels, images, labels)
    write(folder, dict(zip(NAMES, map(idx, arrays), strict=True)))
    run_dir = tmp_path_factory.mktemp("report") / "run"
    quick = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.05}
    train(Config(data="mnist", data_dir=folder, batch_size=10, epochs=2, run_dir=run_dir, **quick))
    return open_run(run_dir)


@pytest.fixture(scope="module")
def facts(run):
    return facts_of(run)


@pytest.fixture(scope="module")
def written(facts, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, page(facts))
    return path


@cache
def held_out():
    return (blots(25)[0][:, None] / np.float32(255)).astype(np.float32)


def levels(picture):
    """The bytes of a picture as an array (count, height, width)."""
    shape = picture["count"], picture["height"], picture["width"]
    return np.frombuffer(base64.b64decode(picture["bytes"]), np.uint8).reshape(shape)


def values(picture):
    return picture["low"] + levels(picture) / 255 * (picture["high"] - picture["low"])


def step_of(picture):
    """Half of the distance between two levels."""
    return (picture["high"] - picture["low"]) / 510 + 1e-6


@pytest.fixture(scope="module")
def logits(run):
    """The logits of the held-out images."""
    return np.asarray(jax.jit(make_apply(run.config))(run.params, held_out()))


# The facts


def test_parameters_that_are_no_numbers_are_refused(run):
    broken = run.params | {"dense3": {"kernel": np.full((84, 10), np.nan, np.float32)}}
    with pytest.raises(InputError, match=r"params\.npz holds numbers that aren't finite: .*--learning-rate"):
        facts_of(run._replace(params=broken))


def test_every_test_image_is_counted_once_in_the_confusion_matrix(run, logits, facts):
    counts = np.array(facts["confusion"])
    truth = blots(25)[1]
    assert counts.sum(axis=1).tolist() == np.bincount(truth, minlength=10).tolist()
    assert counts.sum(axis=0).tolist() == np.bincount(logits.argmax(axis=1), minlength=10).tolist()
    split = Split(held_out(), truth)
    assert np.trace(counts) == make_evaluate(make_apply(run.config))(run.params, split).correct


def test_the_worst_mistakes_are_the_wrong_guesses_that_cost_most(logits, facts):
    truth = blots(25)[1]
    probabilities = np.asarray(jax.nn.softmax(logits))
    wrong = np.flatnonzero(logits.argmax(axis=1) != truth)
    worst = wrong[np.argsort(probabilities[wrong, truth[wrong]])][:16]
    assert [mistake["index"] for mistake in facts["mistakes"]] == worst.tolist()
    assert 0 < len(worst) <= 16
    for mistake in facts["mistakes"]:
        index = mistake["index"]
        assert mistake["truth"] == str(truth[index])
        assert mistake["guess"] == str(logits[index].argmax())
        assert mistake["guess_probability"] == pytest.approx(probabilities[index].max(), rel=1e-4)
        np.testing.assert_array_equal(levels(mistake["picture"]), blots(25)[0][index][None])


def test_curves_are_those_of_metrics_jsonl(run, facts):
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    steps = [[line["step"], line["loss"]] for line in lines if "step" in line]
    drawn = {curve["name"]: curve["points"] for kind in facts["curves"].values() for curve in kind}
    np.testing.assert_allclose(drawn.pop("loss of each step"), steps, rtol=1e-5)
    assert len(steps) == 8
    assert {"train loss", "test loss", "test accuracy"} <= set(drawn)
    for name, points in drawn.items():
        key = name.replace(" ", "_")
        expected = [[line["steps"], line[key]] for line in lines if key in line]
        np.testing.assert_allclose(points, expected, rtol=1e-5)


def test_a_long_curve_keeps_500_of_its_points_with_both_ends():
    steps = [{"step": step, "loss": 1 / (1 + step)} for step in range(20_001)]
    (curve,) = curves(steps, [])["loss"]
    assert len(curve["points"]) == 500
    assert [curve["points"][0][0], curve["points"][-1][0]] == [0, 20_000]
    assert all(value == pytest.approx(1 / (1 + step), rel=1e-5) for step, value in curve["points"])


def test_filters_before_are_the_initial_ones_and_after_the_learnt_ones(run, facts):
    before = initial_params(run.config, run.image)
    for shown in facts["filters"]:
        for name, params in (("before", before), ("after", run.params)):
            kernel = np.asarray(params[shown["layer"]]["kernel"])
            picture = shown[name]
            np.testing.assert_allclose(values(picture), kernel.reshape(-1, 5, 5), atol=step_of(picture))
        assert shown["before"]["bytes"] != shown["after"]["bytes"]
    assert [shown["layer"] for shown in facts["filters"]] == ["conv1", "conv2"]


def test_feature_maps_are_those_of_the_layers(run, facts):
    see = partial(lenet.layers, activation=jax.nn.relu, pool_mode="max")
    seen = jax.jit(see)(run.params, held_out()[0])
    maps = facts["maps"]
    for shown in maps["layers"]:
        np.testing.assert_allclose(values(shown["picture"]), seen[shown["layer"]], atol=step_of(shown["picture"]))
    assert [shown["layer"] for shown in maps["layers"]] == ["conv1", "pool1", "conv2", "pool2"]
    np.testing.assert_array_equal(levels(maps["image"]), blots(25)[0][:1])
    np.testing.assert_allclose(maps["probabilities"], jax.nn.softmax(seen["dense3"]), rtol=1e-4, atol=1e-7)


def test_the_layer_table_has_the_known_numbers_of_lenet(facts):
    rows = facts["layers"]
    column = lambda name: [row[name] for row in rows]
    assert column("paper") == ["C1", "S2", "C3", "S4", "C5", "F6", "Output"]
    assert column("parameters") == [156, 0, 2416, 0, 48_120, 10_164, 850]
    assert sum(column("parameters")) == 61_706
    assert column("multiply_adds") == [117_600, 0, 240_000, 0, 48_000, 10_080, 840]
    assert column("receptive_field") == [5, 6, 14, 16, None, None, None]
    assert column("shape") == [[6, 28, 28], [6, 14, 14], [16, 10, 10], [16, 5, 5], [120], [84], [10]]


def arithmetic(text):
    """The value of an expression on the page."""
    text = re.sub(r"⌊(.+?) / (\d+)⌋", r"(\1 // \2)", text)
    assert re.fullmatch(rf"[\d ()+/{TIMES}{MINUS}]+", text)
    return eval(text.replace(TIMES, "*").replace(MINUS, "-"))


def shapes_of(config, image, classes=10):
    return jax.eval_shape(lambda: initial_params(config, image, classes))


@pytest.mark.parametrize(
    ("config", "image"),
    [
        (Config(), (1, 28, 28)),
        (Config(width=2), (3, 33, 40)),
        (Config(activation="tanh", pool_mode="mean", dense_bias=False), (1, 17, 29)),
        (Config(), (2, 16, 18, 20)),
    ],
)
def test_written_arithmetic_gives_the_numbers_next_to_it(config, image):
    params = shapes_of(config, image)
    rows = layer_table(config, params, image)
    made = jax.eval_shape(lenet.layers, params, jax.ShapeDtypeStruct(image, jnp.float32))
    for row in rows:
        assert row["shape"] == list(made[row["layer"]].shape)
        for name in ("parameters", "multiply_adds"):
            assert (arithmetic(row[f"{name}_written"]) if row[f"{name}_written"] else 0) == row[name]
        if not row["layer"].startswith("dense"):
            sides = [part.rpartition(" = ") for part in row["shape_written"].split("; ")]
            assert {arithmetic(written) for written, _, _ in sides} == set(row["shape"][1:])
            assert all(arithmetic(written) == int(side) for written, _, side in sides)
    assert sum(row["parameters"] for row in rows) == sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def test_receptive_fields_are_what_a_gradient_reaches():
    params = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), shapes_of(Config(), (1, 28, 28)))

    @jax.jit
    @jax.jacrev
    def middle(image):
        maps = lenet.layers(params, image, activation=lambda x: x, pool_mode="mean")
        return [maps[name][0, maps[name].shape[1] // 2, maps[name].shape[2] // 2] for name in lenet.LAYERS[:4]]

    rows = layer_table(Config(), params, (1, 28, 28))
    for row, gradient in zip(rows[:4], middle(np.ones((1, 28, 28), np.float32)), strict=True):
        places = np.argwhere(np.asarray(gradient[0]))
        assert (np.ptp(places, axis=0) + 1).tolist() == [row["receptive_field"]] * 2


def test_the_explorer_has_the_exact_numbers(run, facts):
    explorer = facts["explorer"]
    assert not explorer["cut"]
    for name, array in (("image", held_out()[0]), *(run.params["conv1"] | {}).items()):
        stored = explorer["kernels" if name == "kernel" else name]
        np.testing.assert_array_equal(np.asarray(stored, np.float32), array)


# Other data


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """A function that makes a run directory as training on these data leaves it, without the training."""

    def make(config, data, lines=()):
        test = 0 if data.test is None else len(data.test.targets)
        known = Known(Preprocessing(data.train.images.shape[1:]), data.classes, None, {**COUNTS, "test": test})
        monkeypatch.setattr("jaxcnn.train.report.facts.reload", lambda *_, **__: Loaded(data, known, ()))
        monkeypatch.setattr("jaxcnn.train.report.facts.initial_params", random_params)
        config, image = replace(config, run_dir=tmp_path / "run"), data.train.images.shape[1:]
        with closing(RunDirectory(config)) as record:
            record.save_data(known)
            record.save_params(random_params(config, image, len(data.classes)))
        (record.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return open_run(record.path)

    return make


def some(count, image, classes):
    random = np.random.default_rng(0)
    return Split(random.random((count, *image), np.float32), np.arange(count, dtype=np.int32) % classes)


@pytest.mark.parametrize("image", [(3, 75, 100), (2, 12, 60), (1, 16, 18, 20)])
def test_images_of_any_size_and_volumes(tmp_path, untrained, image):
    classes = ("cat", "</script>", "@@script@@")
    data = Data(some(4, image, 3), some(12, image, 3), classes)
    run = untrained(Config(), data)
    text = page(facts_of(run))
    assert len(text) < 2_000_000
    facts = embedded(text)
    assert facts["run"]["classes"] == list(classes)
    assert np.sum(facts["confusion"]) == 12
    assert (facts["explorer"] is None) == (len(image) == 4)
    shown = facts["maps"]["image"]
    assert shown["count"] == (3 if image[0] == 3 else 1)
    assert max(shown["height"], shown["width"]) <= 64
    if len(image) == 4:
        np.testing.assert_allclose(values(shown)[0], data.test.images[0, 0, 8], atol=step_of(shown))
    if image[0] == 3:
        blocks = data.test.images[0, :, :74, :100].reshape(3, 37, 2, 50, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(values(shown), blocks, atol=step_of(shown))
        np.testing.assert_array_equal(
            np.asarray(facts["explorer"]["image"], np.float32), data.test.images[0, :, 21:53, 34:66]
        )
        assert facts["explorer"]["cut"]


def test_a_run_without_a_test_split_leaves_those_sections_out(untrained):
    noise = Split(some(5, (1, 28, 28), 10).images, np.full((5, 10), 0.1, np.float32))
    lines = [
        {"step": i, "epoch": i + 1, "loss": 30 / (i + 1), "entropy": 2.3, "probabilities": [0.1] * 10} for i in range(3)
    ]
    facts = facts_of(untrained(preset("synthetic"), Data(noise, None), lines))
    assert facts["confusion"] is None
    assert facts["mistakes"] is None
    assert facts["curves"] == {
        "loss": [
            {"name": "loss of each step", "points": [[0, 30.0], [1, 15.0], [2, 10.0]]},
            {"name": "entropy of the labels", "points": [[0, 2.3], [1, 2.3], [2, 2.3]]},
        ],
        "accuracy": [],
    }


# The file


def embedded(text):
    """The facts inside a page: a browser too ends a script at the first end that it meets."""
    return json.loads(re.search(r'<script[^>]* id="facts">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_holds_the_facts_and_needs_no_network(written, facts):
    text = written.read_text()
    assert embedded(text) == json.loads(json.dumps(facts))
    assert len(text) < 500_000
    assert not re.findall(r"https?://|(?:src|href)\s*=\s*[\"'](?!#)|@import|url\(|<link|@@\w+@@", text)


def test_the_data_set_s_name_is_no_markup(facts):
    text = page(facts | {"run": facts["run"] | {"data": "<b>&"}})
    assert "<h1>LeNet on &lt;b&gt;&amp;</h1>" in text


def test_the_command_writes_the_page_where_it_is_told_to(run, tmp_path, capsys):
    assert main([str(run.path), "--out", str(tmp_path / "a.html")]) == 0
    assert capsys.readouterr() == (f"report: {tmp_path}/a.html\n", "")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_an_error_says_what_to_do(run, tmp_path, capsys):
    copy = shutil.copytree(run.path, tmp_path / "run")
    err = refused(capsys, main, copy, "--out", tmp_path / "nowhere" / "a.html")
    assert re.search(r"nowhere/a\.html can't be written \(No such file or directory\): .*--out", err)
    (copy / "metrics.jsonl").unlink()
    assert re.search(r"metrics\.jsonl can't be read \(No such file", refused(capsys, main, copy))
    assert not (copy / "report.html").exists()


# The page in a browser

# More of them in test_playground.py, whose page computes by the same script.
SETTINGS = [
    {"layer": "correlation", "kernel": 0, "stride": 1, "padding": 2, "dilation": 1, "row": 0, "column": 0},
    {"layer": "correlation", "kernel": 3, "stride": 3, "padding": 4, "dilation": 2, "row": 3, "column": 7},
    {"layer": "max", "window": 3, "stride": 1, "padding": 2, "dilation": 1, "row": 0, "column": 29},
    {"layer": "max", "window": 4, "stride": 3, "padding": 1, "dilation": 2, "row": 2, "column": 5},
    {"layer": "mean", "window": 3, "stride": 2, "padding": 2, "dilation": 2, "row": 0, "column": 5},
]

VISIT = Path(__file__).with_name("report_visit.js")


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """A function that opens a page in the browser, uses it as report_visit.js says, and returns what was seen."""
    folder = tmp_path_factory.mktemp("browser")
    with browser.browser(folder) as tab:

        def visit(text, *, width, settings=(), **options):
            (folder / "visited.html").write_text(text)
            tab.open(folder / "visited.html", width=width, **options)
            return tab.ask(f"({VISIT.read_text()})({json.dumps(settings)})")

        yield visit


@pytest.fixture(scope="module")
def visited(visit, written):
    return visit(written.read_text(), width=1280, settings=SETTINGS)


@needs_browser
@pytest.mark.parametrize("index", range(len(SETTINGS)))
def test_the_explorer_computes_what_jaxcnn_computes(run, visited, index):
    setting, seen = SETTINGS[index], visited["explored"][index]
    image, geometry = held_out()[0, 0], {name: setting[name] for name in ("stride", "padding", "dilation")}
    row, column = setting["row"], setting["column"]
    products = np.array([tap["product"] for tap in seen["taps"]])
    if setting["layer"] == "correlation":
        layer = run.params["conv1"]
        expected = compiled(conv2d, image[None], layer["kernel"], layer["bias"], **geometry)[setting["kernel"]]
        bias = layer["bias"][setting["kernel"]]
        assert seen["bias"] == pytest.approx(bias, abs=1e-7)
        assert products.sum() + seen["bias"] == pytest.approx(seen["value"], abs=1e-9)
        np.testing.assert_array_equal(
            np.float32([tap["weight"] for tap in seen["taps"]]), layer["kernel"][setting["kernel"]].ravel()
        )
    else:
        window = setting["window"], setting["window"]
        expected = compiled(pool2d, image, window=window, mode=setting["layer"], **geometry)
        if setting["layer"] == "max":
            _, winners = compiled(max_pool_with_indices, image, window=window, **geometry)
            assert seen["winner"]["row"] * 28 + seen["winner"]["column"] == winners[row, column]
        else:
            assert products.sum() / len(products) == pytest.approx(seen["value"], abs=1e-9)
    assert (seen["row"], seen["column"]) == (row, column)
    assert (seen["rows"], seen["columns"]) == expected.shape
    np.testing.assert_allclose(seen["map"], expected, rtol=1e-5, atol=1e-5)
    assert seen["value"] == pytest.approx(float(expected[row, column]), abs=1e-5)
    for tap in seen["taps"]:
        inside = 0 <= tap["row"] < 28 and 0 <= tap["column"] < 28
        assert (tap["kind"] == "cell") == inside
        assert np.float32(tap["value"]) == (image[tap["row"], tap["column"]] if inside else 0)


@needs_browser
def test_the_first_of_two_largest_cells_wins(visited):
    tied = 0
    for seen in visited["explored"]:
        if seen.get("winner"):
            greatest = [tap for tap in seen["taps"] if tap["kind"] == "cell" and tap["value"] == seen["value"]]
            assert greatest[0] == seen["winner"]
            tied += len(greatest) > 1
    assert tied


@needs_browser
def test_settings_that_make_no_map_are_refused_with_a_sentence(visited):
    padding, dilation, stride = visited["refused"]
    assert "lies wholly in the padding" in padding
    assert "spans 33 rows, but the padded image has 28" in dilation
    assert stride == "Stride must be a whole number, 1 or more."
    assert "lies wholly in the padding" in visited["complaint"]
    assert visited["hidden"]
    assert visited["mended"]["text"] == visited["pooled"]["text"]


@needs_browser
def test_the_arrow_keys_move_the_cell(run, visited):
    assert visited["focused"] == "x-output"
    walk = [(seen["row"], seen["column"]) for seen in visited["walk"]]
    assert walk == [(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (1, 27), (1, 27), (1, 0), (1, 0)]
    layer = run.params["conv1"]
    expected = np.asarray(compiled(conv2d, held_out()[0], layer["kernel"], layer["bias"], padding=2))[0]
    for seen in visited["walk"]:
        row, column, value = re.match(
            r"Row (\d+), column (\d+): sum .+ = (\S+), before", seen["text"].replace(MINUS, "-")
        ).groups()
        assert (int(row), int(column)) == (seen["row"], seen["column"])
        assert float(value) == pytest.approx(expected[int(row), int(column)], abs=2e-5)
    assert len({seen["input"] for seen in visited["walk"]}) == len(set(walk))


@needs_browser
def test_the_tables_show_window_kernel_and_products(run, visited):
    seen = visited["walk"][3]
    window, kernel, products = (
        np.array([[float(cell.replace(MINUS, "-")) for cell in row] for row in table]) for table in seen["tables"]
    )
    np.testing.assert_allclose(window, np.pad(held_out()[0, 0], 2)[2:7, 1:6], atol=0.0051)
    np.testing.assert_allclose(kernel, run.params["conv1"]["kernel"][0, 0], atol=0.0051)
    exact = np.pad(held_out()[0, 0], 2)[2:7, 1:6] * run.params["conv1"]["kernel"][0, 0]
    np.testing.assert_allclose(products, exact, atol=0.0051)
    assert [entry["winners"] for entry in (seen, visited["pooled"])] == [0, 1]
    assert len(visited["pooled"]["tables"]) == 1


def all_is_drawn(seen):
    assert seen["faults"] == []
    for picture in seen["pictures"]:
        assert min(picture["width"], picture["height"]) > 0, picture
        assert picture["name"]
        if picture["section"] == "curves":
            assert picture["paths"]
            assert min(picture["paths"]) > 0, picture
        elif picture["section"] != "maps":
            assert picture["colours"] > 1, picture
    # One feature map may be dark all over, but not all of a layer.
    by_row = {}
    for picture in seen["pictures"]:
        if picture["section"] == "maps":
            by_row.setdefault(picture["name"].split(",")[0], []).append(picture["colours"])
    assert sorted(by_row) == ["C1", "C3", "S2", "S4", "The image"]
    assert all(max(counts) > 2 for counts in by_row.values())


@needs_browser
def test_every_picture_is_drawn(visited, facts):
    all_is_drawn(visited)
    sections = [picture["section"] for picture in visited["pictures"]]
    counts = {name: sections.count(name) for name in sections}
    tiles = 2 * (6 * 1 + 16 * 6)
    assert counts == {
        "curves": 2,
        "mistakes": len(facts["mistakes"]),
        "filters": tiles,
        "maps": 1 + 6 + 6 + 16 + 16,
        "explorer": 2,
    }
    assert visited["confusion"] == facts["confusion"]
    assert "61,706" in visited["text"]["layers"]


@needs_browser
def test_everything_is_labelled_and_reachable_by_the_keyboard(visited):
    assert (visited["unlabelled"], visited["reachable"]) == (0, 0)
    assert visited["links"]
    assert all(found for _, found in visited["links"])


def luminance(colour):
    """WCAG's relative luminance of "rgb(r, g, b)"."""
    channels = np.array(list(map(int, re.findall(r"\d+", colour)))) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ (
        0.2126,
        0.7152,
        0.0722,
    )


@needs_browser
def test_a_dark_page_on_a_phone(visit, written, visited):
    dark = visit(written.read_text(), width=360, theme="dark")
    assert dark["width"] == [360, 360]
    all_is_drawn(dark)
    grounds = [luminance(seen["ground"]) for seen in (visited, dark)]
    inks = [luminance(seen["ink"]) for seen in (visited, dark)]
    assert grounds[0] > 0.8
    assert grounds[1] < 0.05
    for ground, ink in zip(grounds, inks, strict=True):
        assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) > 7


@needs_browser
def test_colour_images_with_names_of_classes_on_a_phone(visit, untrained):
    image, classes = (3, 40, 28), ("</script><b>", "an extraordinarily long name of a class", "cat")
    data = Data(some(4, image, 3), some(9, image, 3), classes)
    run = untrained(Config(), data)
    setting = {"layer": "correlation", "kernel": 4, "stride": 2, "padding": 1, "dilation": 2, "row": 3, "column": 5}
    seen = visit(page(facts_of(run)), width=360, settings=[setting])
    assert seen["width"] == [360, 360]
    assert seen["faults"] == []
    assert "</script><b>" in seen["text"]["maps"]
    layer, middle = run.params["conv1"], data.test.images[0, :, 4:36]
    expected = compiled(conv2d, middle, layer["kernel"], layer["bias"], stride=2, padding=1, dilation=2)[4]
    np.testing.assert_allclose(seen["explored"][0]["map"], expected, rtol=1e-5, atol=1e-5)
    assert len(seen["walk"][0]["tables"]) == 9


@needs_browser
def test_volumes_without_a_test_split(visit, untrained):
    lines = [{"step": step, "epoch": 1, "loss": 2.0 - step} for step in range(2)]
    run = untrained(Config(), Data(some(4, (1, 16, 18, 20), 10), None), lines)
    seen = visit(page(facts_of(run)), width=360)
    assert seen["faults"] == []
    assert seen["width"] == [360, 360]
    for section in ("confusion", "mistakes"):
        assert "This run has no test split" in seen["text"][section]
    assert "The explorer is for images with two axes" in seen["text"]["explorer"]
    assert "Of each volume the middle slice is shown" in seen["text"]["maps"]
    sections = {picture["section"] for picture in seen["pictures"]}
    assert sections == {"curves", "filters", "maps"}
    assert all(min(picture["width"], picture["height"]) > 0 for picture in seen["pictures"])
    assert "Output" in seen["text"]["layers"]


@needs_browser
def test_two_hundred_classes_on_a_phone(visit, untrained):
    """With so many classes the matrix is drawn as a picture, with a table of the largest confusions."""
    classes = tuple(f"kind {number}" for number in range(200))
    run = untrained(Config(), Data(some(4, (1, 28, 28), 3), some(400, (1, 28, 28), 200), classes))
    text = page(facts_of(run))
    assert len(text) < 2_000_000
    seen = visit(text, width=360)
    assert seen["faults"] == []
    assert seen["width"] == [360, 360]
    assert "Taken for each other most often" in seen["text"]["confusion"]
    assert "Found least often" in seen["text"]["confusion"]
    assert len(seen["text"]["confusion"]) < 10_000
