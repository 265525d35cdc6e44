"""A volume taken as its planes has the results of lax, and a NaN reaches only the taps that see it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import assert_close
from jax import lax

import jaxcnn as jc
from jaxcnn._engine.rewrites.planes import planes
from jaxcnn._explain import contractions_in

NUMBERS = ("NDHWC", "DHWIO", "NDHWC")
ROWS = {
    "padding": ((3, 3, 3), (1, 1, 1), "SAME", (1, 1, 1)),
    "dilation": ((3, 2, 1), (1, 1, 1), "VALID", (2, 1, 1)),
    "a stride on the other axes": ((2, 3, 3), (1, 2, 2), "SAME", (1, 1, 1)),
    "one tap on the first axis": ((1, 3, 3), (1, 1, 1), "SAME", (1, 1, 1)),
    "taps on the first axis only": ((3, 1, 1), (1, 1, 1), [(2, 1), (-1, 0), (0, 1)], (1, 1, 2)),
}


def layer(row, conv):
    _, strides, padding, dilation = row
    options = {"rhs_dilation": dilation, "dimension_numbers": NUMBERS}
    return lambda x, kernel: conv(x, kernel, strides, padding, **options)


def arrays(row):
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 5, 6, 7, 16)), rng.normal(size=(*row[0], 16, 12))


def with_gradients(f):
    def all_three(x, kernel):
        y, pull = jax.vjp(f, x, kernel)
        return y, *pull(jnp.sin(y))

    return jax.jit(all_three)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_volume(row):
    with jax.enable_x64(True):
        x, kernel = arrays(row)
        ours = with_gradients(layer(row, jc.conv_general_dilated))
        found = contractions_in(jax.make_jaxpr(ours)(x, kernel), "cpu")
        assert sum(planes.applies(problem, None) for problem, _ in found) >= 2
        assert_close(ours(x, kernel), with_gradients(layer(row, lax.conv_general_dilated))(x, kernel))


def test_a_nan_reaches_only_the_taps_that_see_it():
    row = ROWS["padding"]
    x, kernel = arrays(row)
    x[0, 0, 3, 3, 0] = np.nan  # the last tap sees the first plane from outside of the map only
    gradient = jax.jit(jax.grad(lambda kernel: jnp.sum(layer(row, jc.conv_general_dilated)(x, kernel))))(kernel)
    expected = np.zeros(kernel.shape, bool)
    expected[:2, :, :, 0] = True
    np.testing.assert_array_equal(np.isnan(gradient), expected)
