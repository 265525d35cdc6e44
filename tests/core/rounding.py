"""The rounding errors of a layer or a pool and of its gradients in a dtype, by each method of jaxcnn and by lax.

An error is relative to the largest exact number: max |computed - exact| / max |exact|. The exact result is a loop over
the taps in float64, of the same rounded arrays.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import cases
import jax
import jax.numpy as jnp
import numpy as np
import oracles

import jaxcnn as jc

DTYPES = ("float32", "bfloat16", "float16")
DATA = {"normal": 0.0, "offset 1e3": 1e3}
PARTS = ("value", "gradient in x", "gradient in the kernel")
# Storing the largest number alone costs half a unit in its last place, so no error counts as smaller than that.
UNIT = {dtype: float(jnp.finfo(dtype).eps) / 2 for dtype in DTYPES}


@dataclass(frozen=True)
class Layer:
    """A layer; with a `mode` a pool, for which the kernel only gives the window."""

    x: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    mode: str = ""

    @property
    def methods(self) -> tuple[str, ...]:
        return ("auto", *(cases.REDUCTIONS if self.mode else (*cases.CONTRACTIONS, *cases.TRANSFORMS)))

    @property
    def parts(self) -> tuple[str, ...]:
        return PARTS[:2] if self.mode else PARTS

    def ours(self, x: Any, kernel: Any, *, method: str) -> Any:
        options = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "method": method}
        if self.mode:
            return jc.pool(x, self.kernel[2:], self.mode, **options)
        return jc.conv(x, kernel, groups=self.groups, **options)

    def lax(self, x: Any, kernel: Any) -> Any:
        options = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        if self.mode:
            return oracles.lax_pool(x, self.kernel[2:], self.mode, **options)
        return oracles.lax_conv(x, kernel, groups=self.groups, **options)

    def arrays(self, dtype: str, offset: float) -> list[Any]:
        """x, a kernel and a cotangent whose sums stay near the size of x, also in float16."""
        rng = np.random.default_rng(0)
        out = jax.eval_shape(self.lax, *(jnp.ones(shape) for shape in (self.x, self.kernel))).shape
        terms, places = math.prod(self.kernel[1:]), out[0] * math.prod(out[2:])
        kernel = np.full(self.kernel, 1 / terms if self.mode == "mean" else 1.0)
        if not self.mode:
            kernel = rng.normal(size=self.kernel) / math.sqrt(terms)
        numbers = (offset + rng.normal(size=self.x), kernel, rng.normal(size=out) / math.sqrt(places))
        return [jnp.asarray(each, dtype) for each in numbers]

    def exact(self, x: np.ndarray, kernel: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, ...]:
        """The value and its gradients, a tap at a time."""
        n, groups = kernel.ndim - 2, self.groups
        x = np.pad(x, [(0, 0), (0, 0), *[(self.padding, self.padding)] * n])
        x = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
        kernel = kernel.reshape(groups, -1, *kernel.shape[1:])
        cotangent = cotangent.reshape(cotangent.shape[0], groups, -1, *cotangent.shape[2:])
        y, x_bar, kernel_bar = np.zeros_like(cotangent), np.zeros_like(x), np.zeros_like(kernel)
        for tap in np.ndindex(*kernel.shape[3:]):
            starts = [t * self.dilation for t in tap]
            sides = zip(starts, cotangent.shape[3:], strict=True)
            seen = (..., *(slice(s, s + (out - 1) * self.stride + 1, self.stride) for s, out in sides))
            y += np.einsum("sgi...,goi->sgo...", x[seen], kernel[(..., *tap)], optimize=True)
            x_bar[seen] += np.einsum("sgo...,goi->sgi...", cotangent, kernel[(..., *tap)], optimize=True)
            kernel_bar[(..., *tap)] = np.einsum(
                "sgip,sgop->goi", *(each.reshape(*each.shape[:3], -1) for each in (x[seen], cotangent)), optimize=True
            )
        inner = (..., *(slice(self.padding, side - self.padding) for side in x.shape[3:]))
        return y, x_bar[inner], kernel_bar


LAYERS = {
    "LeNet's first, 5x5": Layer(x=(32, 1, 28, 28), kernel=(6, 1, 5, 5), padding=2),
    "64 channels, 3x3": Layer(x=(2, 64, 20, 20), kernel=(64, 64, 3, 3), padding=1),
    "64 channels, 1x1": Layer(x=(2, 64, 20, 20), kernel=(64, 64, 1, 1)),
    "stem, 7x7, stride 2": Layer(x=(2, 3, 64, 64), kernel=(16, 3, 7, 7), stride=2, padding=3),
    "dilated 3x3": Layer(x=(2, 16, 24, 24), kernel=(16, 16, 3, 3), padding=2, dilation=2),
    "8 groups, 3x3": Layer(x=(2, 32, 24, 24), kernel=(32, 4, 3, 3), padding=1, groups=8),
    "depthwise 3x3": Layer(x=(2, 16, 40, 40), kernel=(16, 1, 3, 3), padding=1, groups=16),
    "depthwise 15x15": Layer(x=(1, 8, 32, 32), kernel=(8, 1, 15, 15), padding=7, groups=8),
    "1-D of 9": Layer(x=(2, 16, 2000), kernel=(16, 16, 9), padding=4),
    "3-D, 3x3x3": Layer(x=(1, 8, 14, 14, 14), kernel=(8, 8, 3, 3, 3), padding=1),
}
POOLS = {
    "mean 2x2": Layer(x=(8, 6, 28, 28), kernel=(6, 1, 2, 2), stride=2, groups=6, mode="mean"),
    "mean 3x3, stride 1": Layer(x=(4, 8, 28, 28), kernel=(8, 1, 3, 3), padding=1, groups=8, mode="mean"),
    "mean 28x28": Layer(x=(4, 8, 28, 28), kernel=(8, 1, 28, 28), groups=8, mode="mean"),
    "sum 3x3, stride 2": Layer(x=(4, 8, 27, 27), kernel=(8, 1, 3, 3), stride=2, groups=8, mode="sum"),
    "sum of 50": Layer(x=(4, 8, 3000), kernel=(8, 1, 50), stride=25, groups=8, mode="sum"),
}


def errors(layer: Layer, dtype: str, offset: float, left_out: tuple[str, ...] = ()) -> dict[str, list[float]]:
    """For lax and for each method the errors of the value and of its gradients."""
    *arrays, cotangent = layer.arrays(dtype, offset)
    exact = layer.exact(*(np.asarray(each, np.float64) for each in (*arrays, cotangent)))

    def measured(f: Any) -> list[float]:
        value, pull = jax.jit(partial(jax.vjp, f))(*arrays)
        computed = (value, *jax.jit(pull)(cotangent))[: len(layer.parts)]
        return [error(*pair) for pair in zip(computed, exact[: len(layer.parts)], strict=True)]

    ways = {method: partial(layer.ours, method=method) for method in layer.methods if method not in left_out}
    with jax.default_matmul_precision("highest"):
        return {name: measured(f) for name, f in {"lax": layer.lax, **ways}.items()}


def error(computed: jax.Array, exact: np.ndarray) -> float:
    computed = np.asarray(computed, np.float64).reshape(exact.shape)
    return float(np.abs(computed - exact).max() / np.abs(exact).max())


def beyond_lax(ours: float, theirs: float, dtype: str) -> float:
    """An error as a multiple of lax's, which counts as half a unit in the last place at least."""
    return ours / max(theirs, UNIT[dtype])
