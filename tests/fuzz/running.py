"""How a trial's function is called: as it is, compiled, exported for sizes that are not known, or by devices."""

import math
import re

import jax
import numpy as np
from checks import AS_USERS
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from kinds import window_of

MESHES = ("Auto", "Explicit")


class RefusedError(Exception):
    """In the library's own words, where the design allows it: sizes that are not known, or a type that can't be."""


ALLOWED = {
    "export": r"\w+: .*a symbolic size that may be too small; add the constraint ",
    "Explicit": r"\w+: .* devices along ",
}


def results_of(trial, operation, f, cotangents, inputs):
    """f(inputs); `cotangents(args)` are the shapes of what `inputs` has of them."""
    if trial.run == "eager":
        return f(inputs)
    compiled = jax.jit(f, compiler_options=AS_USERS if trial.run == "jit" else None)
    try:
        if trial.run == "export":
            return export.export(jax.jit(f))(_of_any_size(trial, operation, cotangents, inputs)).call(inputs)
        return _on_devices(trial, compiled, inputs) if trial.run in MESHES else compiled(inputs)
    except Exception as error:
        if trial.run in ALLOWED and re.match(ALLOWED[trial.run], str(error)):
            raise RefusedError from error
        if trial.run == "Explicit" and operation.lax and _lax_refuses(trial, operation, inputs):
            raise RefusedError from error
        raise


def _lax_refuses(trial, operation, inputs):
    """Whether lax cannot do this either, with arrays that lie so."""
    try:
        _on_devices(trial, jax.jit(operation.lax), {name: inputs[name] for name in operation.shapes})
    except Exception:  # noqa: BLE001  (lax has many words for it)
        return True
    return False


def _of_any_size(trial, operation, cotangents, inputs):
    """The same arrays of any number of samples, and of larger maps."""
    (first, shape), row = next(iter(operation.shapes.items())), trial.row
    lead = len(shape) - window_of(row) * (2 if first == "w" else 1)
    may = [axis for axis in range(len(shape)) if first == "x" and axis >= lead]
    may += [0] if lead and getattr(row, "batches", 1) == 1 else []
    sizes = [f"s{axis}" if axis in may else str(side) for axis, side in enumerate(shape)]
    known = export.symbolic_shape(", ".join(sizes), constraints=[f"s{axis} >= {shape[axis]}" for axis in may])
    structs = {name: jax.ShapeDtypeStruct(known if name == first else inputs[name].shape, inputs[name].dtype)
               for name in operation.shapes}  # fmt: skip
    made = jax.eval_shape(cotangents, structs)
    return {name: jax.ShapeDtypeStruct(made[name[3:]].shape, a.dtype) if name.startswith("ct ") else structs[name]
            for name, a in inputs.items()}  # fmt: skip


def _on_devices(trial, f, inputs):
    counts = [count for _, _, count in trial.mesh]
    names = "ab"[: len(counts)]
    devices = np.array(jax.devices()[: math.prod(counts)]).reshape(counts)
    mesh = jax.sharding.Mesh(devices, tuple(names), axis_types=(AxisType[trial.run],) * len(counts))

    def placed(name, array):
        along = {axis: letter for letter, (of, axis, _) in zip(names, trial.mesh, strict=True) if of == name}
        return jax.device_put(array, NamedSharding(mesh, PartitionSpec(*map(along.get, range(array.ndim)))))

    with jax.set_mesh(mesh):
        return f({name: placed(name.removeprefix("v "), a) for name, a in inputs.items()})
