"""Reads a run directory back: its records, its parameters, and the run as a whole."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import jax.stages
from numpy.typing import NDArray

from jaxcnn.train.arrays import read_npz
from jaxcnn.train.checkpoint import FOLDER, Checkpoints
from jaxcnn.train.config import Config, read_config
from jaxcnn.train.errors import InputError
from jaxcnn.train.files import parse_json, read_text
from jaxcnn.train.known import Known, read_known
from jaxcnn.train.model import initial_params, make_apply, make_optimizer, make_schedule
from jaxcnn.train.step import new_state

Params = dict[str, dict[str, NDArray[Any]]]
"""{"conv1": {"kernel": ..., "bias": ...}, ...}"""

METRICS = "metrics.jsonl"
PARAMS, FIRST = "params.npz", "first.npz"


class Run(NamedTuple):
    """A run that is read back."""

    path: Path
    config: Config
    params: Params
    """NumPy arrays, as `lenet.apply` takes them."""

    known: Known
    """What it knows of its data."""

    notes: tuple[str, ...] = ()
    """What the user should know about these parameters."""

    @property
    def image(self) -> tuple[int, ...]:
        """Shape of one image, (channels, *spatial)."""
        return self.known.preprocessing.image

    @property
    def classes(self) -> tuple[str, ...]:
        return self.known.classes


def open_run(path: Path) -> Run:
    """Read a run directory: its settings, and the parameters it learnt.

    Args:
      path: the directory.

    Returns:
      What it holds; the parameters of an unfinished run are those of its last checkpoint.

    Raises:
      InputError: no run directory, a run without a checkpoint yet, a damaged file.

    >>> open_run(Path("/nowhere"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere is no run directory: it has no config.json
    """
    config = read_config(path)
    file = path / PARAMS
    finished = file.is_file()
    if not finished and not (path / FOLDER).is_dir():
        raise _nothing_saved(path)
    known = read_known(path)
    if not finished:
        params, steps = _last_params(path, config, known)
        note = f"{path} hasn't ended: this is its last checkpoint, after {steps} steps"
        return Run(path, config, params, known, (note,))
    params = load_params(file)
    expected = jax.eval_shape(lambda: initial_params(config, known.image, len(known.classes)))
    if _shapes(params) != _shapes(expected):
        raise InputError(f"{file} holds other parameters than its run's, of {known.image} images: it is damaged")
    return Run(path, config, params, known)


def _shapes(params: Any) -> dict[str, tuple[Any, Any]]:
    """The shape and the dtype of each parameter, by its name."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(at): (leaf.shape, leaf.dtype) for at, leaf in leaves}


def _nothing_saved(path: Path) -> InputError:
    return InputError(f"{path} has no params.npz yet, nor a checkpoint: go on with it by train --resume {path}")


def _last_params(path: Path, config: Config, known: Known) -> tuple[dict[str, Any], int]:
    """The parameters of the last checkpoint and its step. A run that goes on may delete it meanwhile, so try again."""
    optimizer = make_optimizer(config, make_schedule(config, steps=1))
    like = new_state(initial_params(config, known.image, len(known.classes)), optimizer)
    for attempt in (1, 2, 3):
        checkpoints = Checkpoints(path, config, reads=True)
        try:
            found = checkpoints.restore(like)
        except InputError:
            if attempt == 3:
                raise
            time.sleep(0.2)
            continue
        finally:
            checkpoints.close()
        if found is None:
            break
        return jax.device_get(found.state.params), found.steps
    raise _nothing_saved(path)


def logits_of(run: Run, *, dtype: Literal["float32", "bfloat16"] | None = None) -> jax.stages.Wrapped:
    """A run's model as a function of images alone.

    Args:
      run: read back by `open_run`.
      dtype: in which it computes; None is that of the run.

    Returns:
      A jitted function from (samples, channels, *spatial) to float32 (samples, classes).
    """
    config = run.config if dtype is None else replace(run.config, dtype=dtype)
    apply, params = make_apply(config), jax.tree.map(jnp.asarray, run.params)
    return jax.jit(lambda images: apply(params, images).astype(jnp.float32))


def load_params(path: Path) -> Params:
    """Read params.npz back into nested dicts.

    Args:
      path: the file.

    Returns:
      {"conv1": {"kernel": ..., "bias": ...}, ...} of NumPy arrays, as `lenet.apply` takes them.

    Raises:
      InputError: no such file, or a damaged one.

    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "params.npz", **{"dense3/bias": np.zeros(10)})
    ...     params = load_params(Path(folder) / "params.npz")
    >>> params["dense3"]["bias"].shape
    (10,)
    """
    params: Params = {}
    try:
        for name, array in read_npz(path).items():
            layer, _, leaf = name.partition("/")
            params.setdefault(layer, {})[leaf] = array
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read ({error}): it is damaged, or no run's") from error
    return params


def transferred(run: Run, drawn: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """The parameters of a run as the start of another one; with other classes its last layer starts at random.

    Args:
      run: what `open_run` returns.
      drawn: the random parameters with which the other run would start.
      classes: of the other run.

    Raises:
      InputError: networks of other sizes.
    """
    taken = list(drawn) if run.classes == tuple(classes) else list(drawn)[:-1]
    for layer in taken:
        theirs, ours = (
            {name: tuple(leaf.shape) for name, leaf in tree.get(layer, {}).items()} for tree in (run.params, drawn)
        )
        if theirs != ours:
            raise InputError(
                f"--init-from {run.path}: its {layer} has the shapes {theirs}, and that of this run {ours}: its images "
                f"are of shape {run.image}; take the same size of images, --width and --dense-bias"
            )
    return drawn | {layer: run.params[layer] for layer in taken}


def read_metrics(run_dir: Path) -> list[dict[str, Any]]:
    """The records of a run's metrics.jsonl, of steps and epochs in their order, without an unfinished last line.

    Raises:
      InputError: no such file, or a damaged one.

    >>> read_metrics(Path("/nowhere"))
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/metrics.jsonl can't be read (No such file or directory):
    it is damaged, or no run's
    """
    path = run_dir / METRICS
    try:
        # A run that was killed, or that writes now, may have left half a line.
        *lines, _ = read_text(path, errors="replace").split("\n")
        records: list[dict[str, Any]] = [parse_json(line) for line in lines]
        if not all(map(_is_record, records)):
            raise ValueError("a line is no record")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read ({reason}): it is damaged, or no run's") from error
    return records


def _is_record(found: Any) -> bool:
    """Whether a line is that of a step or an epoch: its counters are integers, and all other numbers finite."""
    if not isinstance(found, dict) or not ({"step", "loss"} <= found.keys() or {"steps", "test_loss"} <= found.keys()):
        return False
    counts = [value for name, value in found.items() if name in ("step", "steps", "epoch")]
    numbers = [number for value in found.values() for number in (value if isinstance(value, list) else [value])]
    return all(type(value) is int for value in counts) and all(map(_is_finite, numbers))


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max
