"""A long window, which is computed as a window of windows, gives what a loop over its taps gives."""

from functools import partial

import jax
import numpy as np
import oracles
import pytest
from checks import assert_close, assert_same_product, normal, run, run_both, value_and_gradients
from problems import chosen

import jaxcnn as jc
from jaxcnn._geometry import geometry

# One more tap than are taken one by one, a number that is not a square, a square.
LONG = pytest.mark.parametrize("window", [33, 40, 100])
OPTIONS = [{}, {"stride": 3}, {"dilation": 2}, {"stride": 2, "dilation": 3}]


def size_for(window, options):
    """Room for seven windows and a cell that none of them reaches."""
    return (window - 1) * options.get("dilation", 1) + 6 * options.get("stride", 1) + 2


def views(x, window, stride=1, dilation=1):
    """NumPy's own windows of the last axis."""
    spans = np.lib.stride_tricks.sliding_window_view(x, (window - 1) * dilation + 1, axis=-1)
    return spans[..., ::stride, ::dilation]


@LONG
def test_windows(window):
    x = normal(2, max(size_for(window, options) for options in OPTIONS) + 1)
    every = run(lambda x: [jc.windows(x, (window,), padding=((4, -5),), **options) for options in OPTIONS], x)
    for options, seen in zip(OPTIONS, every, strict=True):
        expected = views(np.pad(x[:, :-5], ((0, 0), (4, 0))), window, **options)
        np.testing.assert_array_equal(seen, expected, err_msg=str(options))


@LONG
def test_windows_on_the_first_of_two_axes(window):
    x = normal(window + 5, 6)
    expected = np.lib.stride_tricks.sliding_window_view(x, (window, 3))[::2]
    np.testing.assert_array_equal(run(jc.windows, x, size=(window, 3), stride=(2, 1)), expected)


@LONG
def test_fold_puts_each_tap_where_it_was_seen(window):
    size = max(size_for(window, options) for options in OPTIONS)
    places = [views(np.arange(size), window, **options) for options in OPTIONS]
    integers = [np.random.default_rng(0).integers(-9, 9, at.shape) for at in places]  # whose sums are exact
    every = lambda *w: [jc.fold(each, (size,), **options) for each, options in zip(w, OPTIONS, strict=True)]
    for options, at, w, folded in zip(OPTIONS, places, integers, run(every, *map(np.float32, integers)), strict=True):
        np.testing.assert_array_equal(folded, np.bincount(at.ravel(), w.ravel(), size), err_msg=str(options))


def test_fold_is_the_adjoint_of_windows():
    options = {"padding": ((7, -2), (1, 0)), "stride": (3, 1), "dilation": (1, 2)}
    x = normal(2, 51, 9)
    seen = run(jc.windows, x, size=(40, 3), **options)
    w = normal(*seen.shape, seed=1)
    assert_same_product(seen, w, x, run(jc.fold, w, spatial=x.shape[1:], **options))


@pytest.mark.parametrize(("window", "options"), [(33, OPTIONS[1]), (40, OPTIONS[3]), (100, OPTIONS[0])], ids=str)
def test_pool(window, options):
    """Values, and the gradient among many ties."""
    x = np.random.default_rng(0).integers(0, 5, (2, size_for(window, options))).astype("float32")
    options = {"stride": 1, "padding": 3} | options
    values = {mode: oracles.pool(np.float64(x), (window,), mode, **options) for mode in ("max", "mean")}
    cotangent = normal(*values["max"].shape)
    pooled = {mode: partial(jc.pool, window=(window,), mode=mode, **options) for mode in values}
    every = lambda *args: {mode: value_and_gradients(f, *args) for mode, f in pooled.items()}
    results = run(every, x, cotangent)
    assert_close({mode: value for mode, (value, _) in results.items()}, values)
    assert_close(results["max"][1], oracles.winner_gradient(x, cotangent, (window,), "max", **options)[0])
    assert_same_product(results["mean"][0], cotangent, x, results["mean"][1])


@LONG
def test_indices_name_the_first_winner(window):
    x = np.random.default_rng(0).integers(0, 5, window + 30).astype("float32")
    values, indices = run(jc.max_pool_with_indices, x, window=(window,), stride=3)
    first = np.argmax(views(x, window, stride=3), axis=-1)
    np.testing.assert_array_equal(indices, first + 3 * np.arange(len(first)))
    np.testing.assert_array_equal(values, x[indices])


# A layer for audio, with windows of 1024 taps -------------------------------------------------------------------------

STRIDES = pytest.mark.parametrize("stride", [256, 100])


def assert_equal_to_lax(ours, theirs, shapes):
    """ours(args, method) and its gradients, by the chosen method and by columns."""
    ways = {method: partial(ours, method=method) for method in ("auto", "windows")}
    with jax.enable_x64(True):
        args = [normal(*shape, dtype="float64", seed=seed) for seed, shape in enumerate(shapes)]
        cotangent = normal(*jax.eval_shape(theirs, args).shape, dtype="float64", seed=2)
        every = lambda args, ct: {name: value_and_gradients(f, args, ct) for name, f in ways.items()}
        results, lax = run_both(partial(value_and_gradients, theirs), every, args, cotangent)
        assert_close(results, dict.fromkeys(results, lax))


@STRIDES
def test_conv(stride):
    options = {"stride": stride, "padding": ((300, 20),)}
    ours = lambda args, method: jc.conv(*args, **options, method=method)
    theirs = lambda args: oracles.lax_conv(*args, **options)
    assert_equal_to_lax(ours, theirs, [(2, 2, 2000), (3, 2, 1024)])


@STRIDES
def test_conv_transpose(stride):
    def theirs(args):
        flipped = args[1][..., ::-1].swapaxes(0, 1)
        return jax.lax.conv_general_dilated(args[0], flipped, (1,), [(1020, 1013)], lhs_dilation=(stride,))

    ours = lambda args, method: jc.conv_transpose(*args, stride=stride, padding=((3, 10),), method=method)
    assert_equal_to_lax(ours, theirs, [(2, 2, 6), (2, 3, 1024)])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("stride", [1, 3, 100])  # none that divides the window, which is then a short one
def test_no_method_with_an_operation_a_tap_is_chosen(stride, dtype):
    g = geometry("test", (4096,), (1024,), stride=stride)
    channels = (1, 2, 8, 16)
    sizes = [{"ins": ins, "outs": outs} for ins in channels for outs in channels]
    with jax.enable_x64(True):
        found = {chosen(g, wanted, **each, dtype=dtype) for wanted in ("y", "kernel") for each in sizes}
    assert not found & {"rows", "shifts"}
