"""Eager or compiled with the users' options, on NumPy or JAX arrays, the result is the same."""

import cases
import jax
import numpy as np
import oracles
import pytest
from checks import AS_USERS, assert_close

import jaxcnn as jc

ROWS = {
    "conv": cases.PICKED_CONVS[4:7],
    "pool": cases.PICKED_POOLS[3:6],
    "windows": cases.PICKED_WINDOWS[2:4],
}


@pytest.mark.parametrize(("name", "row"), [(name, row) for name in ROWS for row in ROWS[name]], ids=str)
def test_each_way_of_calling(name, row):
    args = row.arguments("float32")
    ours = lambda args: getattr(jc, name)(**args, **row.options)
    oracle = getattr(oracles, name)(**args, **row.options)
    for call in (ours, jax.jit(ours, compiler_options=AS_USERS)):
        for arrays in (args, jax.device_put(args)):
            assert_close(np.asarray(call(arrays)), oracle)
