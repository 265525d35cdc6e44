"""Every public name, in full."""

import inspect

import jaxcnn
import jaxcnn.train
from jaxcnn import lenet


def public():
    functions = [name for name in jaxcnn.__all__ if not inspect.ismodule(getattr(jaxcnn, name))]
    of_lenet = [name for name, f in inspect.getmembers(lenet, inspect.isfunction)
                if f.__module__ == lenet.__name__ and not name.startswith("_")]  # fmt: skip
    return {f"jaxcnn.{name}" for name in functions} | {f"jaxcnn.lenet.{name}" for name in of_lenet} | {
        f"jaxcnn.train.{name}" for name in jaxcnn.train.__all__}  # fmt: skip
