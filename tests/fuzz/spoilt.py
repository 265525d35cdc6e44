"""Calls that cannot be: a valid one with one thing in it spoilt, which has to be refused in the library's own voice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn as jc

# What is put in the place of an option, for n axes.
NUMBERS = {
    "stride": lambda n: [0, -1, 1.5, True, "2", (1,) * (n + 1), (1,) * (n - 1) + (0,), (), None, jnp.ones(n + 1)],
    "dilation": lambda n: [0, -2, 2.0, False, (2,) * (n + 1), (1,) * (n - 1) + (-1,), None],
    "padding": lambda n: ["same", "full", 0.5, True, None, ((1, 1),) * (n + 1), ((1, 1, 1),) * n, (1,) * (n + 2),
                          ((0, 1.5),) * n, -1000, ((-1000, 0),) * n, {}],
    "padding_mode": lambda n: ["wrap", None, 3, ("reflect",) * (n + 1), ("constant",) * (n - 1) + ("edge",)],
    "groups": lambda n: [0, -1, 1.0, True, 7, "1", None],
    "method": lambda n: ["best", "", None, 3],
    "mode": lambda n: ["average", "MAX", None, 3, lambda w, axis: w],
    "divisor": lambda n: [0, 1.5, True, "3"],
    "p": lambda n: [0, -1, float("-inf"), float("nan"), "2", True],
    "output_padding": lambda n: [-1, 99, 0.5, (0,) * (n + 1)],
    "window": lambda n: [0, 3, (0,) * n, (1000,) * n, (1.5,) * n, (True,) * n, None, "2"],
    "size": lambda n: [0, 3, (0,) * n, (1000,) * n, (1.5,) * n, None],
    "output_size": lambda n: [2, (0,) * n, (-1,) * n, (1.5,) * n, (1,) * 9, None, "11"],
    "spatial": lambda n: [2, (-1,) * n, (1.5,) * n, (99,) * n, None],
    "axes": lambda n: [0, (0,) * (n + 1), (99,) * n, (0.5,) * n],
    "fill": lambda n: [1j, "0", np.ones(2), [1.0, 2.0], {}],
    "dimension_numbers": lambda n: ["NCHW", ("NC", "OI"), ("N" * (n + 2),) * 3, (1, 2, 3), 5],
    "preferred_element_type": lambda n: ["foo", "bool", 3.5],
}  # fmt: skip
# lax has other names, and takes what is below for what it is.
OF_THE_DOOR = {
    "window_strides": lambda n: [0, (0,) * n, (1,) * (n + 1), (1.5,) * n, None, "1"],
    "padding": lambda n: ["FULL", "foo", 1, None, ((1, 1),) * (n + 1), ((1.5, 1),) * n, ((-1000, 0),) * n],
    "rhs_dilation": lambda n: [0, (0,) * n, (1,) * (n + 1), 2],
    "lhs_dilation": lambda n: [0, (0,) * n, (1,) * (n + 1), 2],
    "feature_group_count": lambda n: [0, -1, 7, 1.0],
    "batch_group_count": lambda n: [0, -1, 97],
    "dimension_numbers": lambda n: ["NCHW", ("NC", "OI"), ("N" * (n + 2),) * 3, (1, 2, 3)],
    "preferred_element_type": lambda n: ["foo", "bool"],
}
OF_REDUCTIONS = {
    "window_dimensions": lambda n: [0, (0,) * n, (1,) * 9, (1.5,) * n, None, "1"],
    "window_strides": lambda n: [0, (0,) * n, (1,) * 9, (1.5,) * n, "1"],
    "padding": lambda n: ["FULL", "foo", 1, None, ((1, 1),) * 9, ((1.5, 1),) * n],
    "base_dilation": lambda n: [0, (0,) * n, (1,) * 9, 2],
    "window_dilation": lambda n: [0, (0,) * n, (1,) * 9, 2],
    "computation": lambda n: [None, 3, "max", lambda a, b: (a, b)],
    "init_value": lambda n: [None, "0", (0, 0), np.zeros(3, "float32")],
}
OF_DOORS = {"conv_general_dilated": OF_THE_DOOR, "reduce_window": OF_REDUCTIONS}
TAKEN = {name: tuple(options) for name, options in OF_DOORS.items()} | {
    "windows": ("stride", "dilation", "padding", "padding_mode", "size", "fill"),
    "fold": ("stride", "dilation", "padding", "spatial"),
    "correlate": ("stride", "dilation", "padding", "padding_mode", "method", "fill"),
    "convolve": ("stride", "dilation", "padding", "padding_mode", "method", "fill"),
    "conv": ("stride", "dilation", "padding", "padding_mode", "method", "groups", "fill", "dimension_numbers",
             "preferred_element_type"),
    "conv_transpose": ("stride", "dilation", "padding", "method", "groups", "output_padding", "dimension_numbers",
                       "preferred_element_type"),
    "pool": ("stride", "dilation", "padding", "padding_mode", "method", "mode", "divisor", "p", "window", "axes",
             "fill"),
    "max_pool_with_indices": ("stride", "dilation", "padding", "window", "axes"),
    "adaptive_pool": ("output_size", "mode"),
}  # fmt: skip


def spoil(rng, operation, n):
    """(function, keywords) of a call that must be refused, and in words what is wrong with it."""
    kinds = OF_DOORS.get(operation.function, NUMBERS)
    arrays = {operation.names.get(name, name): jnp.ones(shape) for name, shape in operation.shapes.items()}
    call = arrays | operation.keywords
    name = rng.choice([*TAKEN[operation.function], "array", "rank", "channels", "traced"])
    if name == "array":
        (first, *_) = arrays
        wrong = rng.choice([None, "x", {}, object()])
        return operation.function, call | {first: wrong}, f"{first}={wrong!r}"
    if name == "rank":
        (first, *_) = arrays
        return operation.function, call | {first: jnp.ones(())}, f"{first} is a scalar"
    if name == "channels" and "groups" in TAKEN[operation.function]:
        kernel = operation.shapes["kernel"]
        other = (kernel[0] + (operation.function == "conv_transpose"), kernel[1] + 1, *kernel[2:])
        return operation.function, call | {"kernel": jnp.ones(other)}, f"kernel={other}"
    if name in ("traced", "channels"):
        option = TAKEN[operation.function][0]
        return operation.function, call | {option: "a tracer"}, f"a traced {option}"
    wrong = rng.choice(kinds[name](n))
    if operation.function == "conv_transpose" and name == "padding" and "-1000" in str(wrong):
        wrong = 1000  # a negative one extends there
    if isinstance(wrong, tuple) and 1000 in wrong:
        call["padding"] = 0
        call.pop("ceil_mode", None)  # which makes one window of it
    if name == "stride" and wrong is None and "pool" in operation.function:
        wrong = 0  # None is the window there
    if n == 1 and name == "dimension_numbers" and wrong == ("NC", "OI"):
        wrong = "NCH"
    if name == "fill" and "padding" in operation.keywords and operation.keywords.get("padding_mode") is None:
        call["padding"] = 1
    return operation.function, call | {name: wrong}, f"{name}={wrong!r}"


def check_refused(function, call):
    """The call raises a ValueError or a TypeError, the door lax's other types too, and the words are the library's."""
    errors = (ValueError, TypeError)
    if function in OF_DOORS:
        errors = (*errors, RuntimeError, IndexError)
    traced = [name for name, value in call.items() if isinstance(value, str) and value == "a tracer"]

    def made(tracer):
        return getattr(jc, function)(**{name: tracer if name in traced else value for name, value in call.items()})

    with pytest.raises(errors, match=f"^{function}: "):
        jax.jit(made)(1) if traced else jax.eval_shape(lambda: made(None))
