"""Random shifts and rotations of the training images, inside the compiled step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

Augment = Callable[[jax.Array, jax.Array], jax.Array]


def make_augment(shift: int, rotate: float) -> Augment | None:
    """Random shifts and rotations of a batch of images.

    A cell p of the new image is the old one's at R (p - centre) + centre + shift, interpolated linearly; beyond the
    border lie zeros.

    Args:
      shift: by at most this many cells on each spatial axis.
      rotate: by at most this many degrees, in the plane of the last two axes.

    Returns:
      `(key, images (samples, channels, *spatial)) -> images`, or None if both are 0.

    >>> make_augment(1, 0.0)(jax.random.key(0), jnp.ones((2, 1, 5, 5))).shape
    (2, 1, 5, 5)
    >>> make_augment(0, 0.0) is None
    True
    """
    if not (shift or rotate):
        return None

    def augment(key: jax.Array, images: jax.Array) -> jax.Array:
        samples, _, *spatial = images.shape
        n = len(spatial)
        for_shift, for_angle = jax.random.split(key)
        shifts = jax.random.randint(for_shift, (samples, n), -shift, shift + 1).astype(images.dtype)
        angles = jnp.deg2rad(jax.random.uniform(for_angle, (samples,), images.dtype, -rotate, rotate))
        grid = jnp.stack(jnp.meshgrid(*(jnp.arange(side, dtype=images.dtype) for side in spatial), indexing="ij"))
        centre = (jnp.array(spatial, images.dtype) - 1).reshape(n, *(1,) * n) / 2

        def one(image: jax.Array, move: jax.Array, angle: jax.Array) -> jax.Array:
            turn = jnp.eye(n, dtype=images.dtype)
            if n > 1 and rotate:
                plane = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
                turn = turn.at[n - 2 :, n - 2 :].set(plane)
            at = jnp.tensordot(turn, grid - centre, 1) + centre + move.reshape(n, *(1,) * n)
            moved: jax.Array = jax.vmap(lambda channel: map_coordinates(channel, list(at), order=1))(image)
            return moved

        return jax.vmap(one)(images, shifts, angles)

    return augment
