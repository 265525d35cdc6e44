"""The functions that a config names: network, optimizer, learning rate."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from jaxcnn import lenet
from jaxcnn.train.config import Config
from jaxcnn.train.errors import InputError
from jaxcnn.train.step import Apply

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.nn.tanh,
}
OPTIMIZERS: dict[str, Callable[[optax.Schedule], optax.GradientTransformation]] = {
    "adam": optax.adam,
    "momentum": partial(optax.sgd, momentum=0.9),
    "sgd": optax.sgd,
}


def make_schedule(config: Config, steps: int) -> optax.Schedule:
    """The learning rate as a function of the step, from 0, in a run of this many.

    >>> rate = make_schedule(Config(learning_rate=0.5), steps=100)
    >>> round(float(rate(0)), 3), round(float(rate(50)), 3), round(float(rate(100)), 3)
    (0.5, 0.25, 0.0)
    """
    if config.schedule == "constant":
        after = optax.constant_schedule(config.learning_rate)
    else:
        after = optax.cosine_decay_schedule(config.learning_rate, max(steps - config.warmup, 1))
    if not config.warmup:
        return after
    rising = optax.linear_schedule(0.0, config.learning_rate, config.warmup)
    return optax.join_schedules([rising, after], [config.warmup])


def make_optimizer(config: Config, schedule: optax.Schedule) -> optax.GradientTransformation:
    """The optimizer of a config: the gradient is clipped first, then the weight decay of the kernels is added.

    >>> make_optimizer(Config(), make_schedule(Config(), steps=100)).init({})[0].count.item()
    0
    """
    parts = [optax.clip_by_global_norm(config.clip)] if config.clip is not None else []
    if config.optimizer == "adamw":
        parts.append(optax.adamw(schedule, weight_decay=config.weight_decay, mask=_kernels))
    else:
        if config.weight_decay:
            parts.append(optax.add_decayed_weights(config.weight_decay, mask=_kernels))
        parts.append(OPTIMIZERS[config.optimizer](schedule))
    return parts[0] if len(parts) == 1 else optax.chain(*parts)


def _kernels(params: lenet.Params) -> Any:
    """A mask of the leaves that decay: kernels do, biases don't."""
    return {layer: {name: name == "kernel" for name in leaves} for layer, leaves in params.items()}


def make_apply(config: Config) -> Apply:
    """`lenet.apply` with a config's activation, pooling and dtype.

    >>> params = initial_params(Config(), (1, 28, 28))
    >>> make_apply(Config(dtype="bfloat16"))(params, jnp.zeros((2, 1, 28, 28))).dtype
    dtype('float32')
    """
    apply = partial(lenet.apply, activation=ACTIVATIONS[config.activation], pool_mode=config.pool_mode)
    if config.dtype == "float32":
        return apply

    def narrow(params: lenet.Params, images: jax.Array) -> jax.Array:
        params, images = jax.tree.map(lambda a: jnp.asarray(a, config.dtype), (params, images))
        return apply(params, images).astype(jnp.float32)

    return narrow


def initial_params(config: Config, image: Sequence[int], classes: int = 10) -> lenet.Params:
    """LeNet's parameters before the first step.

    Args:
      config: its seed, width, initializer and dense_bias.
      image: shape of one image, (channels, *spatial).
      classes: how many.

    Returns:
      What `lenet.init` returns.

    Raises:
      InputError: images too small for LeNet.

    >>> initial_params(Config(), (1, 28, 28))["dense3"]["kernel"].shape
    (84, 10)
    """
    standard = jax.nn.initializers.normal(1.0) if config.initializer == "normal" else None
    if min(image[1:]) < lenet.LEAST_SIDE:
        enlarge = ", or enlarge them by --image-size 28" if config.data == "folder" else ""
        raise InputError(
            f"images of shape {tuple(image)} don't suit LeNet: each side must be {lenet.LEAST_SIDE} or more: "
            f"give larger images{enlarge}"
        )
    return lenet.init(
        jax.random.key(config.seed),
        channels=image[0],
        spatial=image[1:],
        classes=classes,
        maps=[config.width * maps for maps in lenet.MAPS],
        hidden=[config.width * features for features in lenet.HIDDEN],
        kernel_init=standard,
        bias_init=standard or jax.nn.initializers.zeros,
        dense_bias=config.dense_bias,
    )


def layer_shapes(params: lenet.Params, images: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The output shape of each layer for a batch, without computing it.

    Args:
      params: what `lenet.init` returns.
      images: shape of the batch, (samples, channels, *spatial).

    Returns:
      {"images": ..., "conv1": ..., "pool1": ..., ..., "dense3": ...}, in the order of the network.

    >>> layer_shapes(initial_params(Config(), (1, 28, 28)), (10, 1, 28, 28))
    {'images': (10, 1, 28, 28), 'conv1': (10, 6, 28, 28), 'pool1': (10, 6, 14, 14), 'conv2': (10, 16, 10, 10),
     'pool2': (10, 16, 5, 5), 'dense1': (10, 120), 'dense2': (10, 84), 'dense3': (10, 10)}
    """
    made = jax.eval_shape(lenet.layers, params, jax.ShapeDtypeStruct(images, jnp.float32))
    return {"images": images} | {name: made[name].shape for name in lenet.LAYERS}
