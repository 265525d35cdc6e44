"""Bad input is refused when a function is called or traced, in one voice: function, argument, axis, numbers, remedy.

A row is the call as one types it, and what the message has to say.
"""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxcnn as jc
from jaxcnn._engine.platforms import methods

ARRAYS = {
    "line": jnp.ones(9),
    "image": jnp.ones((5, 6)),
    "ints": jnp.ones(9, jnp.int32),
    "batch": jnp.ones((2, 4, 5, 6)),
    "kernel": jnp.ones((6, 4, 3, 3)),
    "bias": jnp.ones(6),
}

VALUE_ERRORS = [
    # Ranks and shapes.
    ("windows(line, (2, 2))", "windows: x has shape (9,), but the window has 2 axes"),
    ("pool(line, (2, 2), 'max')", "pool: x has shape (9,), but the window has 2 axes"),
    ("fold(line, (9,))", "fold: w has shape (9,), but 1 spatial axes need (*lead, *out, *size)"),
    ("correlate(line, image)", "correlate: x has shape (9,), but the window has 2 axes"),
    ("corr2d(image, line)", "corr2d: kernel has 1 axes, but corr2d takes 2: 2 of the window"),
    ("corr1d(image, image)", "use corr2d"),
    ("conv(image, kernel)", "conv: x has shape (5, 6), but this kernel takes"),
    ("conv(batch, line)", "conv: kernel has shape (9,), but must be (out_channels, in_channels"),
    ("conv2d(batch, kernel[0])", "conv2d: kernel has 3 axes, but conv2d takes 4: 2 of channels and 2 of the window"),
    ("conv_transpose(batch, line)", "conv_transpose: kernel has shape (9,), but must be (in_channels, out_channels"),
    ("conv3d(batch, kernel)", "conv3d: kernel has 4 axes, but conv3d takes 5: 2 of channels and 3 of the window"),
    ("conv(batch, kernel, bias[:, None])", "(6,); pass bias[:, 0]"),
    ("conv(batch, kernel, bias[:5])", "bias has shape (5,), but there is one bias per output channel: (6,)"),
    ("pool2d(image, (2, 2, 2), 'max')", "pool2d: window has 3 entries, but there are 2 spatial axes"),
    ("pool3d(image, 2, 'max')", "x has shape (5, 6), but the window has 3 axes"),
    # Channels and groups.
    ("conv(batch, kernel[:, :3])", "conv: kernel has 3 input channels, but x has 4"),
    ("conv(batch, kernel[:, :2])", "use groups=2"),
    ("conv(batch, kernel, groups=3)", "conv: groups is 3, which does not divide the 4 in_channels"),
    ("conv(batch, kernel[:5, :2], groups=2)", "groups is 2, which does not divide the 5 out_channels"),
    ("conv(batch, kernel, groups=2)", "kernel has 4 input channels, but x has 4 channels in 2 group(s), so 2"),
    ("conv(batch, kernel, groups=0)", "conv: groups is 0, but must be at least 1"),
    # Windows that do not fit.
    ("windows(line, (10,))", "on axis 0 spans 10 cells, but the padded map has 9 (9 + 0 + 0); pad more"),
    ("windows(image, (5, 7))", "on axis 1 spans 7 cells, but the padded map has 6"),
    ("conv(batch, kernel, dilation=3)", "on axis 0 spans 7 cells (3 taps, dilation 3), but the padded map has 5"),
    ("conv(batch, kernel, padding=((0, 0), (-2, -2)))", "the padded map has 2 (6 + -2 + -2)"),
    ("windows(line[:0], (1,))", "the padded map has 0 (0 + 0 + 0)"),
    ("fold(jnp.ones((1, 4)), (3,))", "on axis 0 spans 4 cells, but the padded map has 3"),
    ("fold(jnp.ones((3, 2)), (5,))", "fold: w has (3,) windows of (2,), but a map of (5,) has (4,)"),
    ("output_size(4, 5)", "output_size: window on axis 0 spans 5 cells, but the padded map has 4"),
    # Numbers below their least.
    ("windows(line, (2,), stride=0)", "windows: stride is 0, but must be at least 1"),
    ("correlate(image, image[:2, :2], stride=(1, -1))", "correlate: stride on axis 1 is -1"),
    ("conv(batch, kernel, stride=0)", "conv: stride is 0, but must be at least 1"),
    ("conv(batch, kernel, dilation=(0, 1))", "conv: dilation on axis 0 is 0, but must be at least 1"),
    ("pool(image, (2, 0), 'max')", "pool: window on axis 1 is 0, but must be at least 1"),
    ("windows(image, (2, 0))", "windows: size on axis 1 is 0, but must be at least 1"),
    ("conv(batch, kernel[..., :0])", "on axis 1 is 0, but must be at least 1"),
    ("fold(jnp.ones((2, 1)), (-1,), padding=2)", "fold: spatial on axis 0 is -1, but must be at least 0"),
    ("output_size(-3, 1)", "output_size: size is -3, but must be at least 0"),
    # As many entries as axes.
    ("windows(image, (2, 2), stride=(1, 1, 1))", "windows: stride has 3 entries, but there are 2 spatial axes"),
    ("conv(batch, kernel, stride=(1,))", "conv: stride has 1 entries, but there are 2"),
    ("conv(batch, kernel, padding=(1, 1, 1))", "conv: padding has 3 entries, but there are 2"),
    ("conv(batch, kernel, padding=((1, 1), (1, 1, 1)))", "padding on axis 1 is (1, 1, 1)"),
    ("conv(batch, kernel, padding=((1, 1), 1))", "padding on axis 1 is 1, but the other axes have pairs"),
    ("windows(line, (2,), padding=(1, 2))", "for low and high write ((1, 2),)"),
    ("windows(image, (2, 2), padding_mode=('reflect',))", "windows: padding_mode has 1 entries, but there are 2"),
    ("output_size((3, 4), (1, 1, 1))", "output_size: window has 3 entries, but there are 2"),
    # Unknown words.
    ("conv(batch, kernel, padding='same')", "conv: padding 'same' is unknown; use one of 'VALID', 'SAME'"),
    ("windows(line, (2,), padding_mode='wrap')", "padding_mode 'wrap' is unknown; use one of 'constant', 'reflect'"),
    ("windows(line, (2,), padding_mode=None)", "windows: padding_mode None is unknown"),
    ("pool(image, (2, 2), 'average')", "pool: mode 'average' is unknown; use one of 'max', 'min'"),
    ("pool(image, (2, 2), 'max', method='fft')", "pool: method 'fft' is unknown; use one of 'auto'"),
    ("conv_transpose(batch, kernel[:4], method='best')", "conv_transpose: method 'best' is unknown; use one of 'auto'"),
    # A transform of what is exact otherwise.
    ("correlate(ints, ints[:2], method='fft')", "correlate: method 'fft' would round int32, which is exact otherwise"),
    ("convolve(ints, ints[:2], method='fft')", "use another method, or convert to float32"),
    ("conv(batch > 0, kernel > 0, method='fft')", "conv: method 'fft' would round bool"),
    (
        "conv_transpose(ints[None, None], ints[None, None], method='fft')",
        "conv_transpose: method 'fft' would round int",
    ),
    # Options that mean nothing with the others.
    ("pool(image, (2, 2), 'max', divisor=3)", "pool: divisor means nothing for 'max'"),
    ("pool(image, (2, 2), 'sum', count_include_pad=False)", "count_include_pad means nothing for 'sum'"),
    ("pool(image, (2, 2), 'mean', divisor=0)", "pool: divisor is 0"),
    ("pool(image, (2, 2), 'mean', divisor=3, count_include_pad=False)", "pool: count_include_pad means nothing"),
    ("pool(image, (2, 2), 'mean', padding=1, fill=1.0, count_include_pad=False)", "pool: fill means nothing"),
    ("pool(image, (2, 2), 'max', padding=1, padding_mode='reflect', fill=0)", "pool: fill is given, but padding_mode"),
    ("windows(line, (2,), padding=1, padding_mode='circular', fill=1.0)", "windows: fill is given, but padding_mode"),
    ("conv(batch, kernel, padding=1, padding_mode='reflect', fill=1.0)", "conv: fill is given, but padding_mode"),
    ("windows(line, (2,), padding=((-9, 9),), padding_mode='reflect')", "leaves none of the 9 cells"),
    # Fill.
    ("windows(line, (2,), padding=1, fill=line)", "windows: fill has shape (9,), but must be a scalar"),
]

TYPE_ERRORS = [
    ("pool2d(image, 2)", "pool2d: missing a required argument: 'mode'"),
    ("lenet.init(jax.random.key(0), spatial=28)", "lenet.init: spatial is 28, which does not say how many axes"),
    ("adaptive_pool(image > 0, (2, 2), 'sum')", "adaptive_pool: x is bool, whose sums do not fit in a bool"),
    ("conv(batch, kernel, preferred_element_type='foo')", "conv: preferred_element_type is 'foo', which is no dtype"),
    ("conv(batch, kernel, preferred_element_type=jnp.int8)", "is int8, which does not hold sums of float32"),
    ("pool(image, (2, 2), None)", "pool: mode must be a string or a callable f(w, axis=-1), not NoneType"),
    # Ranks and shapes.
    ("pool(image, 2, 'max')", "pool: window is 2, which does not say how many axes"),
    ("pool(line, 2, 'max')", "pool1d, pool2d or pool3d"),
    ("windows(image, 2)", "windows: size is 2, which does not say how many axes"),
    ("fold(image, 5)", "fold: spatial is 5, which does not say how many axes"),
    # Types.
    ("windows(line, (2,), stride=2.0)", "windows: stride must be an int, not float 2.0"),
    ("conv(batch, kernel, stride=(1, 2.0))", "conv: stride on axis 1 must be an int, not float 2.0"),
    ("conv(batch, kernel, padding=0.5)", "conv: padding must be an int, not float 0.5"),
    ("conv(batch, kernel, padding=((0, 1), (0, 0.5)))", "conv: padding on axis 1 must be an int, not float 0.5"),
    ("conv(batch, kernel, padding=None)", "conv: padding must be an int, not a NoneType"),
    ("conv(batch, kernel, groups=2.0)", "conv: groups must be an int, not float 2.0"),
    ("windows(line, (2.0,))", "windows: size on axis 0 must be an int, not float 2.0"),
    ("pool(image, (2, 2.0), 'max')", "pool: window on axis 1 must be an int, not float 2.0"),
    ("pool(image, (2, 2), 'mean', divisor=2.5)", "pool: divisor must be an int, not float 2.5"),
    ("fold(jnp.ones((2, 2)), (3.0,))", "fold: spatial on axis 0 must be an int, not float 3.0"),
    ("output_size(3.0, 1)", "output_size: size must be an int, not float 3.0"),
    ("windows(line, (2,), stride=True)", "windows: stride must be an int, not bool True"),
    ("pool2d(image, True, 'max')", "pool2d: window must be an int, not bool True"),
    ("conv(batch, kernel, stride='2')", "conv: stride must be an int, not str '2'"),
    ("windows(None, (2,))", "windows: x must be an array, not NoneType"),
    ("pool('x', (2,), 'max')", "pool: x must be an array, not str"),
    ("conv(batch, None)", "conv: kernel must be an array, not NoneType"),
    ("conv2d(batch, None)", "conv2d: kernel must be an array, not NoneType"),
    ("conv(batch, kernel, 'bias')", "conv: bias must be an array, not str"),
    ("windows(ints, (2,), padding=1, fill=0.5)", "windows: fill is float32, which x (int32) cannot hold"),
    ("windows(line, (2,), padding=1, fill=1j)", "windows: fill is complex64, which x (float32) cannot hold"),
    ("windows(ints.astype('uint8'), (2,), padding=1, fill=300)", "windows: fill is 300, which x (uint8) cannot hold"),
    ("windows(line, (2,), padding=1, fill='zero')", "windows: fill must be an array, not str"),
    ("pool(ints == 1, (2,), 'sum')", "pool: x is bool, whose sums do not fit in a bool"),
]

LENET_ERRORS = [
    ("lenet.init(jax.random.key(0), spatial=(8, 28))", "spans 5 cells, but the padded map has 4"),
    ("lenet.apply(params, jnp.ones((2, 1, 32, 32)))", "lenet.apply: images give 576 features, but the dense kernel"),
    ("lenet.apply(params, jnp.ones((2, 1, 28, 24)))", "spatial="),
    ("lenet.apply(params, jnp.ones((2, 3, 28, 28)))", "kernel has 1 input channels, but x has 3"),
    ("lenet.apply(params, jnp.ones((28, 28)))", "x has shape (28, 28)"),
]


def called(code, arrays):
    return eval(code, {**{name: getattr(jc, name) for name in jc.__all__}, "jax": jax, "jnp": jnp, **arrays})


def assert_traced_refused(code, arrays, error, message):
    with pytest.raises(error, match=re.escape(message)):
        jax.eval_shape(lambda arrays: called(code, arrays), arrays)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [(*row, ValueError) for row in VALUE_ERRORS] + [(*row, TypeError) for row in TYPE_ERRORS],
    ids=[code for code, _ in (*VALUE_ERRORS, *TYPE_ERRORS)],
)
def test_refused(code, message, error):
    with pytest.raises(error, match=re.escape(message)):
        called(code, ARRAYS)
    assert_traced_refused(code, ARRAYS, error, message)


@pytest.mark.parametrize(("code", "message"), LENET_ERRORS, ids=[code for code, _ in LENET_ERRORS])
def test_lenet_refuses(code, message):
    params = jax.eval_shape(jc.lenet.init, jax.random.key(0))
    assert_traced_refused(code, {"params": params}, ValueError, message)


def test_an_unknown_method_is_answered_with_every_name():
    names = ", ".join(map(repr, ("auto", *methods())))
    with pytest.raises(ValueError, match=f"^conv: method 'best' is unknown; use one of {names}"):
        called("conv(batch, kernel, method='best')", ARRAYS)


TRACED = {
    "stride": lambda n: jc.windows(ARRAYS["image"], (2, 2), stride=n),
    "stride on axis 1": lambda n: jc.conv(ARRAYS["batch"], ARRAYS["kernel"], stride=(1, n)),
    "padding": lambda n: jc.conv(ARRAYS["batch"], ARRAYS["kernel"], padding=n),
    "padding on axis 0": lambda n: jc.conv(ARRAYS["batch"], ARRAYS["kernel"], padding=((0, n), (1, 1))),
    "dilation": lambda n: jc.correlate(ARRAYS["line"], jnp.ones(2), dilation=n),
    "groups": lambda n: jc.conv(ARRAYS["batch"], ARRAYS["kernel"], groups=n),
    "window": lambda n: jc.pool2d(ARRAYS["image"], n, "max"),
    "window on axis 0": lambda n: jc.pool(ARRAYS["image"], (n, 2), "max"),
    "size on axis 1": lambda n: jc.windows(ARRAYS["image"], (2, n)),
    "spatial on axis 0": lambda n: jc.fold(jnp.ones((2, 2)), (n,)),
    "divisor": lambda n: jc.pool(ARRAYS["image"], (2, 2), "mean", divisor=n),
}


@pytest.mark.parametrize("argument", TRACED)
def test_traced_numbers_are_refused_in_our_voice(argument):
    with pytest.raises(TypeError, match=rf"^\w+: {argument} must be an int, not .*Tracer; .*static_argnames"):
        jax.jit(TRACED[argument])(1)


def test_a_concrete_array_is_an_int_where_it_is_one():
    """What `operator.index` takes is an int: NumPy's integers and JAX's concrete ones."""
    assert jc.windows(ARRAYS["line"], (jnp.array(2),), stride=jnp.int32(3)).shape == (3, 2)
