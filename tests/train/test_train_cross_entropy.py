"""Cross-entropy equals that of log-softmax in float64 by NumPy, also where the textbook form overflows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.train import cross_entropy, entropy


def oracle(logits, targets, reduction):
    """Cross-entropy of float64 logits, row by row, with the largest logit taken out first."""
    losses = []
    for row, target in zip(np.asarray(logits, np.float64), np.asarray(targets), strict=True):
        log_sum = row.max() + np.log(np.exp(row - row.max()).sum())
        weights = np.eye(len(row))[target] if target.ndim == 0 else target.astype(np.float64)
        losses.append(sum(w * (log_sum - x) for w, x in zip(weights, row, strict=True) if w))
    return np.mean(losses) if reduction == "mean" else np.sum(losses)


def soft(random, samples, classes):
    weights = np.exp(random.standard_normal((samples, classes)))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3, 1e30])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_equals_float64(kind, scale, reduction):
    random = np.random.default_rng(0)
    logits = (random.standard_normal((7, 5)) * scale).astype(np.float32)
    targets = random.integers(5, size=7, dtype=np.int32) if kind == "indices" else soft(random, 7, 5)
    ours = jax.jit(cross_entropy, static_argnames="reduction")(logits, targets, reduction=reduction)
    np.testing.assert_allclose(ours, oracle(logits, targets, reduction), rtol=1e-5, atol=1e-6)


def test_the_textbook_form_overflows_where_ours_does_not():
    logits, target = jnp.array([[100.0, 0.0]]), jnp.array([1])
    textbook = -jnp.log(jnp.exp(logits) / jnp.exp(logits).sum())[0, 1]
    assert not np.isfinite(textbook)
    assert cross_entropy(logits, target) == 100.0
    gradient = jax.grad(cross_entropy)(logits, target)
    np.testing.assert_allclose(gradient, [[1.0, -1.0]], rtol=1e-6)


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_gradient_is_softmax_minus_target(kind):
    random = np.random.default_rng(1)
    logits = random.standard_normal((4, 6)).astype(np.float32)
    indices = random.integers(6, size=4, dtype=np.int32)
    rows = np.eye(6, dtype=np.float32)[indices] if kind == "indices" else soft(random, 4, 6)
    gradient = jax.grad(cross_entropy)(logits, indices if kind == "indices" else rows, reduction="sum")
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gradient, softmax - rows, atol=1e-6)


def test_a_logit_of_minus_infinity_costs_nothing_where_its_target_is_zero():
    logits, target = jnp.array([[0.0, -jnp.inf]]), jnp.array([[1.0, 0.0]])
    loss, gradient = jax.value_and_grad(cross_entropy)(logits, target)
    assert loss == 0
    assert gradient.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_low_precision_is_reduced_in_float32(dtype):
    logits = jnp.zeros((1000, 10), dtype)
    loss = cross_entropy(logits, jnp.zeros(1000, jnp.uint8), reduction="sum")
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, 1000 * np.log(10), rtol=1e-5)


@pytest.mark.parametrize("index", [-1, 3, 255])
def test_an_index_outside_the_classes_is_nan(index):
    assert np.isnan(cross_entropy(jnp.zeros((1, 3)), jnp.array([index])))


def test_entropy_is_the_least_cross_entropy():
    random = np.random.default_rng(2)
    rows = soft(random, 8, 5)
    least = entropy(rows, reduction="sum")
    np.testing.assert_allclose(cross_entropy(np.log(rows), rows, reduction="sum"), least, rtol=1e-5)
    for _ in range(20):
        logits = np.log(rows) + 0.3 * random.standard_normal(rows.shape).astype(np.float32)
        assert cross_entropy(logits, rows, reduction="sum") > least
    assert entropy(jnp.eye(3)) == 0


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (jnp.zeros((4, 1), jnp.int32), r"class indices of shape \(4, 1\).*ask for \(4,\)"),
        (jnp.zeros(3, jnp.int32), r"class indices of shape \(3,\).*ask for \(4,\)"),
        (jnp.zeros((4, 2)), r"rows of probabilities of shape \(4, 2\).*ask for \(4, 3\)"),
    ],
)
def test_refuses_targets_of_another_shape(targets, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(jnp.zeros((4, 3)), targets)


def test_refuses_other_dtypes_and_reductions():
    with pytest.raises(TypeError, match="logits: int32 is not floating"):
        cross_entropy(jnp.zeros((4, 3), jnp.int32), jnp.zeros(4, jnp.int32))
    with pytest.raises(TypeError, match="targets: bool is neither"):
        cross_entropy(jnp.zeros((4, 3)), jnp.zeros(4, bool))
    with pytest.raises(ValueError, match="reduction: 'max' is unknown"):
        cross_entropy(jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32), reduction="max")
