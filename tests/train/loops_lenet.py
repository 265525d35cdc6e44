"""LeNet and its cross-entropy as plain loops in float64 NumPy, forwards and backwards.

Every layer returns its result and a function that takes the gradient back through it. Nothing of jaxcnn is used
except the names of the parameters.
"""

import numpy as np


def conv(x, layer, padding):
    kernel = layer["kernel"]
    window = kernel.shape[2:]
    x = np.pad(x, [(0, 0), (0, 0), *[(padding, padding)] * len(window)])
    out = [size - k + 1 for size, k in zip(x.shape[2:], window, strict=True)]
    seen = {i: (..., *(slice(a, a + k) for a, k in zip(i, window, strict=True))) for i in np.ndindex(*out)}
    within = tuple(range(1, kernel.ndim))
    y = np.empty((len(x), len(kernel), *out))
    for i, at in seen.items():
        y[(..., *i)] = np.tensordot(x[at], kernel, (within, within)) + layer["bias"]

    def back(dy):
        dx, dkernel = np.zeros_like(x), np.zeros_like(kernel)
        for i, at in seen.items():
            dx[at] += np.tensordot(dy[(..., *i)], kernel, (1, 0))
            dkernel += np.tensordot(dy[(..., *i)], x[at], (0, 0))
        unpadded = (..., *(slice(padding, size - padding) for size in x.shape[2:]))
        return dx[unpadded], {"kernel": dkernel, "bias": dy.sum(axis=(0, *range(2, dy.ndim)))}

    return y, back


def pool(x, mode):
    """Windows of two cells on each axis, side by side; cells left over belong to none."""
    n = x.ndim - 2
    y = np.empty((*x.shape[:2], *(size // 2 for size in x.shape[2:])))
    seen = {i: (..., *(slice(2 * a, 2 * a + 2) for a in i)) for i in np.ndindex(*y.shape[2:])}
    cells = lambda at: x[at].reshape(*x.shape[:2], 2**n)
    for i, at in seen.items():
        y[(..., *i)] = cells(at).max(-1) if mode == "max" else cells(at).mean(-1)

    def back(dy):
        dx = np.zeros_like(x)
        for i, at in seen.items():
            first_winner = np.arange(2**n) == cells(at).argmax(-1)[..., None]
            share = first_winner if mode == "max" else np.full(2**n, 1 / 2**n)
            dx[at] += (dy[(..., *i)][..., None] * share).reshape(*x.shape[:2], *(2,) * n)
        return dx

    return y, back


def dense(x, layer):
    y = x @ layer["kernel"] + layer["bias"]
    return y, lambda dy: (dy @ layer["kernel"].T, {"kernel": x.T @ dy, "bias": dy.sum(axis=0)})


def sigmoid(x):
    y = 1 / (1 + np.exp(-x))
    return y, lambda dy: dy * y * (1 - y)


def relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0)


def lenet(params, images, activation, mode):
    """Logits, and the function that takes their gradient to that of the parameters."""
    x, way_back = np.float64(images), []

    def go(layer, name=None):
        nonlocal x
        x, back = layer(x)
        way_back.append((name, back))

    go(lambda x: conv(x, params["conv1"], 2), "conv1")
    go(activation)
    go(lambda x: pool(x, mode))
    go(lambda x: conv(x, params["conv2"], 0), "conv2")
    go(activation)
    go(lambda x: pool(x, mode))
    maps = x.shape
    go(lambda x: (x.reshape(len(x), -1), lambda dy: dy.reshape(maps)))
    for name in ("dense1", "dense2"):
        go(lambda x, name=name: dense(x, params[name]), name)
        go(activation)
    go(lambda x: dense(x, params["dense3"]), "dense3")

    def back(dy):
        gradients = {}
        for name, layer_back in reversed(way_back):
            dy = layer_back(dy)
            if name:
                dy, gradients[name] = dy
        return gradients

    return x, back


def cross_entropy(logits, labels):
    """The mean over samples, for class indices."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    of_label = np.eye(logits.shape[1])[labels]
    loss = -(of_label * log_softmax).sum() / len(logits)
    return loss, (np.exp(log_softmax) - of_label) / len(logits)
