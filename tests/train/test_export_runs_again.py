"""An exported file, read by JAX or ONNX alone, gives the run's logits for any number of images."""

import json
import os
import re
import subprocess
import sys
from functools import partial

import jax
import jax.export
import numpy as np
import pytest
from runs import refused, write_run

from jaxcnn import lenet
from jaxcnn.train import Config, InputError
from jaxcnn.train import export as exporting
from jaxcnn.train.commands.export import main
from jaxcnn.train.model import ACTIVATIONS

onnx = pytest.importorskip("onnx")
pytest.importorskip("flatbuffers")

NETWORKS = {
    "bfloat16, mean, sigmoid, no dense bias": (
        Config(dtype="bfloat16", pool_mode="mean", activation="sigmoid", dense_bias=False),
        (1, 28, 28),
    ),
    "colour, odd sides, tanh": (Config(activation="tanh", width=2), (3, 31, 26)),
    "volumes, mean": (Config(pool_mode="mean"), (2, 16, 18, 17)),
    "signals": (Config(), (3, 40)),
}


def network(name, folder):
    """A run directory, its config, its parameters and the shape of an image."""
    config, image = NETWORKS[name]
    return *write_run(folder / "run", config, image=image, classes=tuple("abcdefg")), config, image


def images_of(shape, samples):
    return np.random.default_rng(samples).standard_normal((samples, *shape), np.float32)


def float32_logits(config, params, images):
    options = {"activation": ACTIVATIONS[config.activation], "pool_mode": config.pool_mode}
    return np.asarray(jax.jit(partial(lenet.apply, params, **options))(images))


def said(out):
    """The largest difference and the largest logit, as the command's last line says them."""
    line = r"logits differ from the run's by at most (\S+) \(the greatest is (\S+)\)"
    return tuple(map(float, re.search(line, out).groups()))


@pytest.mark.parametrize("name", ["bfloat16, mean, sigmoid, no dense bias", "volumes, mean"])
def test_stablehlo_gives_the_logits(name, tmp_path, capsys):
    """For batches of several sizes, in this process and in one that never imports jaxcnn."""
    path, params, config, image = network(name, tmp_path)
    assert main([str(path)]) == 0
    out, err = capsys.readouterr()
    assert not err
    assert out.startswith(f"{path}/model.stablehlo: images (b, {', '.join(map(str, image))}) to logits (b, 7)\n")
    difference, greatest = said(out)
    assert difference <= (1e-5 if config.dtype == "float32" else 0.02) * greatest
    images = images_of(image, 12)
    expected = float32_logits(config, params, images)
    rounding = (1e-5 if config.dtype == "float32" else 0.03) * np.abs(expected).max()
    call = exporting.load_exported(path / "model.stablehlo")
    logits = np.asarray(call(images[:3]))
    assert (logits.shape, logits.dtype) == ((3, 7), np.float32)
    told = json.loads(jax.export.deserialize(bytearray((path / "model.stablehlo").read_bytes())).fun_name)
    assert told["classes"] == list("abcdefg")
    assert told["preprocessing"]["style"] == "handwriting"
    np.testing.assert_allclose(logits, expected[:3], atol=rounding, rtol=0)
    if config.dtype == "float32":
        np.testing.assert_allclose(by_jax_alone(images, tmp_path), expected, atol=rounding, rtol=0)


def by_jax_alone(images, folder):
    """The logits of images that another process hands to run/model.stablehlo, 5 and 7 at a time."""
    np.save(folder / "images.npy", images)
    code = (
        "import sys, jax, numpy as np; from jax import export\n"
        "model = export.deserialize(bytearray(open('run/model.stablehlo', 'rb').read()))\n"
        "images = np.load('images.npy')\n"
        "np.save('logits.npy', np.concatenate([model.call(part) for part in np.split(images, [5])]))\n"
        "print(*model.platforms, 'jaxcnn' in sys.modules)\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["cpu", "cuda", "tpu", "False"]
    return np.load(folder / "logits.npy")


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_gives_the_logits(name, tmp_path, capsys):
    path, params, config, image = network(name, tmp_path)
    file = tmp_path / "a model.onnx"
    assert main([str(path), "--format", "onnx", "--out", str(file)]) == 0
    difference, greatest = said(capsys.readouterr().out)
    assert difference <= 1e-5 * greatest
    assert not list(path.glob("*.onnx"))
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    sides = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["b", *image]
    told = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert told["classes"] == list("abcdefg")
    assert told["preprocessing"]["image"] == list(image)
    assert "black is 0, white is 1" in told["preprocessing"]["meaning"]
    (logits,) = onnx.reference.ReferenceEvaluator(model).run(["logits"], {"images": (images := images_of(image, 3))})
    expected = float32_logits(config, params, images)
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def mean(images):
    """A stand-in for the network where only the file matters."""
    return np.asarray(images).mean(axis=(1, 2, 3))[:, None]


def stand_in(monkeypatch, exported):
    """Export `mean` in place of the network, and read back `exported`."""
    monkeypatch.setattr(exporting, "logits_of", lambda run, dtype: mean)
    for kind in exporting.WRITERS:
        monkeypatch.setitem(exporting.WRITERS, kind, (lambda run: b"new", lambda file: exported))


@pytest.mark.parametrize("kind", ["stablehlo", "onnx"])
@pytest.mark.parametrize("fault", [1.0001, np.nan])
def test_a_file_that_disagrees_is_not_left(kind, fault, tmp_path, monkeypatch, capsys):
    path, _ = write_run(tmp_path / "run", Config())
    (path / f"model.{kind}").write_bytes(b"old")
    before = sorted(os.listdir(path))
    stand_in(monkeypatch, lambda images: mean(images) * np.float32(fault))
    err = refused(capsys, main, path, "--format", kind)
    assert re.search(r"/model\.\w+ was not written: .*logits that differ by (\d\S+|nan) of ", err)
    assert sorted(os.listdir(path)) == before
    assert (path / f"model.{kind}").read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["stablehlo", "onnx"])
def test_a_file_that_agrees_takes_the_old_one_s_place(kind, tmp_path, monkeypatch):
    path, _ = write_run(tmp_path / "run", Config())
    (path / f"model.{kind}").write_bytes(b"old")
    stand_in(monkeypatch, lambda images: mean(images) * np.float32(1.000001))
    assert main([str(path), "--format", kind]) == 0
    assert (path / f"model.{kind}").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("nowhere/model", r"nowhere/model can't be written \(No such file or directory\): choose another --out"),
        ("file/model", r"file/model can't be written \(Not a directory\)"),
        (".", r"can't be written \(.*\)"),
    ],
)
def test_a_place_that_can_t_be_written(out, message, tmp_path, monkeypatch, capsys):
    path, _ = write_run(tmp_path / "run", Config())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    stand_in(monkeypatch, mean)
    assert re.search(message, refused(capsys, main, path, "--out", out))
    assert sorted(os.listdir(tmp_path)) == ["file", "run"]


@pytest.mark.parametrize("content", [b"", b"no model", bytes(1000)])
def test_what_is_no_exported_model(content, tmp_path):
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(InputError, match=r"model is no exported model"):
        exporting.load_exported(tmp_path / "model")


@pytest.mark.parametrize(("package", "kind"), [("flatbuffers", "stablehlo"), ("onnx", "onnx")])
def test_a_missing_package_is_named(package, kind, tmp_path, monkeypatch, capsys):
    path, _ = write_run(tmp_path / "run", Config())
    monkeypatch.setitem(sys.modules, package, None)
    assert re.match(
        rf"error: {package}\S* isn't installed: pip install ", refused(capsys, main, path, "--format", kind)
    )
