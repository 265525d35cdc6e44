"""Called eagerly or compiled, from the host or from the device: one result.

This is also where XLA compiles with all its might, as it does for a user; elsewhere `checks.quick_jit` spares it that.
"""

import cases
import chex
import numpy as np
import oracles
from absl.testing import parameterized
from checks import assert_close

import jaxcnn as jc


def named(rows):
    return [(str(row), row) for row in rows]


class TestJitChangesNothing(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True, without_device=True)
    @parameterized.named_parameters(named(cases.PICKED_CONVS[4:7]))
    def test_conv(self, row):
        f = self.variant(lambda args: jc.conv(**args, **row.options))
        args = row.arguments("float32")
        assert_close(np.asarray(f(args)), oracles.conv(**args, **row.options))

    @chex.variants(with_jit=True, without_jit=True, with_device=True, without_device=True)
    @parameterized.named_parameters(named(cases.PICKED_POOLS[3:6]))
    def test_pool(self, row):
        f = self.variant(lambda args: jc.pool(**args, **row.options))
        args = row.arguments("float32")
        assert_close(np.asarray(f(args)), oracles.pool(**args, **row.options))

    @chex.variants(with_jit=True, without_jit=True, with_device=True, without_device=True)
    @parameterized.named_parameters(named(cases.PICKED_WINDOWS[2:4]))
    def test_windows(self, row):
        f = self.variant(lambda args: jc.windows(**args, **row.options))
        args = row.arguments("float32")
        np.testing.assert_array_equal(f(args), oracles.windows(**args, **row.options))
