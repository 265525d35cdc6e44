"""A run as one file that needs no jaxcnn: StableHLO by `jax.export`, or ONNX written node by node."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from jaxcnn import lenet
from jaxcnn.train.errors import InputError, extra
from jaxcnn.train.files import temporary_path
from jaxcnn.train.saved import Run, logits_of

Function = Callable[[Any], Any]
DType = Literal["float32", "bfloat16"]

PLATFORMS = ("cpu", "cuda", "tpu")
INPUT, OUTPUT, BATCH = "images", "logits", "b"
BATCH_SIZES = (1, 5)
TOLERANCE = {"float32": 1e-5, "bfloat16": 2.0**-6}  # times the greatest logit: sums in another order round differently
OPSET, IR_VERSION = 17, 8  # of 2022, which every runtime in use reads
ONNX_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
ONNX_POOLS = {"max": "MaxPool", "mean": "AveragePool"}


def to_stablehlo(run: Run) -> bytes:
    """A run's model, parameters included, for any number of images on a CPU, a GPU or a TPU.

    Returns:
      The serialized function from "images" (b, channels, *spatial) float32, b at least 1, to (b, classes) float32. Its
      `fun_name` is a JSON object, {"classes", "preprocessing"}. JAX promises to read the file for six months at least.

    Raises:
      InputError: flatbuffers isn't installed.
    """
    with extra():
        import flatbuffers  # type: ignore[import-untyped] # noqa: F401  (jax.export needs it, but would not say so)
    (batch,) = jax.export.symbolic_shape(BATCH)
    # Full precision on every platform: by default a GPU or TPU rounds float32 products.
    with jax.default_matmul_precision("highest"):
        exported = jax.export.export(logits_of(run), platforms=PLATFORMS)(
            jax.ShapeDtypeStruct((batch, *run.image), jnp.float32)
        )
    return bytes(replace(exported, fun_name=json.dumps(metadata(run))).serialize())


def metadata(run: Run) -> dict[str, Any]:
    """The metadata of an exported file: its classes, and how a picture becomes an image."""
    return {"classes": list(run.classes), "preprocessing": run.known.preprocessing.to_json()}


def load_exported(path: Path) -> Function:
    """Read back what `to_stablehlo` wrote; JAX alone can do it too, by `jax.export.deserialize`.

    Returns:
      The function from images (b, channels, *spatial) to logits (b, classes).

    Raises:
      InputError: no such file, or not such a file.

    >>> load_exported(Path("/nowhere/model.stablehlo"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/model.stablehlo can't be read: No such file or directory
    """
    with extra():
        import flatbuffers  # noqa: F401
    try:
        call: Function = jax.export.deserialize(bytearray(path.read_bytes())).call
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # damaged bytes raise any of flatbuffers' and MLIR's errors
        raise InputError(f"{path} is no exported model, or one of another version of JAX: export it again") from error
    return call


def to_onnx(run: Run) -> bytes:
    """A run's model as an ONNX graph, in float32 whatever the run computed in.

    Returns:
      The serialized model from "images" (b, channels, *spatial) to "logits" (b, classes); its metadata hold the names
      of the classes as a JSON list, "classes", and how a picture becomes an image as a JSON object, "preprocessing". It
      is written here since jax2onnx doesn't know our primitives.

    Raises:
      InputError: onnx isn't installed.

    Source: https://onnx.ai/onnx/operators, opset 17.
    """
    onnx = _onnx()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    n, at = len(run.image) - 1, INPUT
    nodes: list[Any] = []

    def add(operator: str, name: str, *parameters: str, **attributes: Any) -> None:
        nonlocal at
        nodes.append(helper.make_node(operator, [at, *parameters], [name], name=name, **attributes))
        at = name

    def parameters(layer: str) -> list[str]:
        return [f"{layer}/{leaf}" for leaf in ("kernel", "bias") if leaf in run.params[layer]]

    activation = ONNX_ACTIVATIONS[run.config.activation]
    for name, (window, stride, padding) in lenet.WINDOWED.items():
        windows = {"kernel_shape": [window] * n, "strides": [stride] * n, "pads": [padding] * 2 * n}
        if name in lenet.CONVS:
            add("Conv", f"{name}/sum", *parameters(name), **windows)
            add(activation, name)
        else:
            add(ONNX_POOLS[run.config.pool_mode], name, **windows)
    add("Flatten", "features", axis=1)
    *hidden, last = lenet.DENSE
    for name in hidden:
        add("Gemm", f"{name}/sum", *parameters(name))
        add(activation, name)
    add("Gemm", OUTPUT, *parameters(last))

    graph = helper.make_graph(
        nodes,
        "lenet",
        [helper.make_tensor_value_info(INPUT, kind, [BATCH, *run.image])],
        [helper.make_tensor_value_info(OUTPUT, kind, [BATCH, len(run.classes)])],
        [
            onnx.numpy_helper.from_array(np.asarray(array, np.float32), f"{layer}/{leaf}")
            for layer, leaves in run.params.items()
            for leaf, array in leaves.items()
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="jaxcnn"
    )
    helper.set_model_props(model, {name: json.dumps(value) for name, value in metadata(run).items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def load_onnx(path: Path) -> Function:
    """Read an ONNX file back, as a function from "images" to "logits" by ONNX's own reference implementation."""
    _onnx()
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(path))

    def run(images: Any) -> Any:
        (logits,) = evaluator.run([OUTPUT], {INPUT: images})
        return logits

    return run


def _onnx() -> Any:
    """Import ONNX, which the extra `onnx` installs."""
    with extra("onnx"):
        import onnx
        import onnx.checker
        import onnx.numpy_helper
    return onnx


WRITERS: dict[str, tuple[Callable[[Run], bytes], Callable[[Path], Function]]] = {
    "stablehlo": (to_stablehlo, load_exported),
    "onnx": (to_onnx, load_onnx),
}


def export(run: Run, path: Path, kind: Literal["stablehlo", "onnx"]) -> tuple[float, float]:
    """Write a model to a file, which replaces an old one only after it was read back and gave the run's own logits.

    Returns:
      The greatest difference of a logit, and the greatest logit.

    Raises:
      InputError: a path that can't be written, a missing package, or logits that differ.
    """
    write, read = WRITERS[kind]
    content = write(run)
    dtype: DType = "float32" if kind == "onnx" else run.config.dtype
    with temporary_path(path, "choose another --out") as file:
        file.write_bytes(content)
        difference, greatest = largest_difference(read(file), logits_of(run, dtype=dtype), run.image)
        if not difference <= TOLERANCE[dtype] * greatest:
            raise InputError(
                f"{path} was not written: what was exported gives logits that differ by {difference:.2g} "
                f"of {greatest:.2g} from those of {run.path}; please report it"
            )
        file.replace(path)
    return difference, greatest


def largest_difference(one: Function, other: Function, image: tuple[int, ...]) -> tuple[float, float]:
    """Compare two functions on the same random images, with several batch sizes.

    Args:
      one, other: from (samples, *image) to logits.
      image: shape of one image.

    Returns:
      The greatest difference of a logit, and the greatest logit of the second; NaN if either function gives NaN.

    >>> largest_difference(lambda x: x + 1, lambda x: x + 1, (3,))[0]
    0.0
    """
    random, differences, greatest = np.random.default_rng(0), [], []
    with jax.default_matmul_precision("highest"):
        for size in BATCH_SIZES:
            images = random.random((size, *image), np.float32)
            a, b = np.asarray(one(images)), np.asarray(other(jnp.asarray(images)))
            differences.append(np.abs(a - b).max())
            greatest.append(np.abs(b).max())
    return float(np.max(differences)), float(np.max(greatest))
