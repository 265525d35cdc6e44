"""Run directories as training leaves them, without training."""

import json

import jax
import numpy as np

from jaxcnn.train.model import initial_params

DIGITS = tuple("0123456789")


def write_run(path, config, *, image=(1, 28, 28), classes=DIGITS):
    """A run directory as if training had ended at random parameters, and these."""
    shapes = jax.eval_shape(lambda: initial_params(config, image, len(classes)))
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape, np.float32) / leaf.shape[0] ** 0.5, shapes)
    leaves = {f"{layer}/{name}": leaf for layer, arrays in params.items() for name, leaf in arrays.items()}
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config.to_json())
    (path / "data.json").write_text(json.dumps({"image": image, "classes": classes}))
    np.savez(path / "params.npz", **leaves)
    return path, params
