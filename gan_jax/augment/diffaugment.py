"""Differentiable augmentation of all that a discriminator is shown.

Source: Differentiable Augmentation for Data-Efficient GAN Training (Zhao et al., 2020). Each is a
pure function of (rng, images): images are floats [n, h, w, c] in [-1, 1], `rng` one key or keys
[n], one per example, and every example is changed. Nothing is clipped, so gradients pass.
"""

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys

SHIFT, HOLE = 1 / 8, 1 / 2  # shares of the image's sides


def _check_images(images: jax.Array) -> None:
    chex.assert_rank(images, 4)
    chex.assert_type(images, float)


def _uniform(rng: jax.Array, name: str, num: int) -> jax.Array:
    """U(0, 1), [n, 1, 1, 1], each example's from its own key."""
    drawn = jax.vmap(jax.random.uniform)(keys.of_name(keys.per_example(rng, num), name))
    return drawn[:, None, None, None]


def _whole(rng: jax.Array, name: str, num: int, least: int, most: int) -> jax.Array:
    """Whole numbers, uniform on {least, ..., most}, [n]."""
    drawn = keys.of_name(keys.per_example(rng, num), name)
    return jax.vmap(lambda key: jax.random.randint(key, (), least, most + 1))(drawn)


def color(rng: jax.Array, images: jax.Array) -> jax.Array:
    """Brightness, saturation and contrast, in this order, with u ~ U(0, 1) drawn anew for each.

    x + u - 1/2; then 2 u (x - m) + m, m the mean over channels; then (u + 1/2) (x - m) + m, m the
    mean over the whole image.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
    """
    _check_images(images)
    num, dtype = images.shape[0], images.dtype
    x = images + (_uniform(rng, 'brightness', num) - 0.5).astype(dtype)
    mean = jnp.mean(x, axis=3, keepdims=True)
    x = (x - mean) * (2 * _uniform(rng, 'saturation', num)).astype(dtype) + mean
    mean = jnp.mean(x, axis=(1, 2, 3), keepdims=True)
    return (x - mean) * (_uniform(rng, 'contrast', num) + 0.5).astype(dtype) + mean


def translation(rng: jax.Array, images: jax.Array) -> jax.Array:
    """Moves by whole pixels, uniform up to 1/8 of each side either way; zeros come in.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
    """
    _check_images(images)
    num = images.shape[0]
    for axis, name in ((1, 'down'), (2, 'right')):
        side = images.shape[axis]
        most = int(side * SHIFT + 0.5)
        places = jnp.arange(side)[None, :] - _whole(rng, name, num, -most, most)[:, None]
        shape = [num, 1, 1, 1]
        shape[axis] = side
        inside = ((places >= 0) & (places < side)).reshape(shape)
        moved = jnp.take_along_axis(images, jnp.clip(places, 0, side - 1).reshape(shape), axis)
        images = jnp.where(inside, moved, jnp.zeros_like(moved))
    return images


def cutout(rng: jax.Array, images: jax.Array) -> jax.Array:
    """Sets a rectangle of half of each side to zero, about a pixel that is drawn uniformly.

    What of the rectangle lies outside the image is lost, so that the hole is smaller there.

    Args:
      rng: one key or keys [n].
      images: [n, h, w, c].

    Returns:
      Images of the same shape and type.

    Raises:
      AssertionError: if the images are not floating point of rank 4.
    """
    _check_images(images)
    num = images.shape[0]
    hole = jnp.ones((num, 1, 1, 1), bool)
    for axis, name in ((1, 'row'), (2, 'column')):
        side = images.shape[axis]
        size = int(side * HOLE + 0.5)
        # Of an even size no pixel is the middle, so one more place is possible.
        first = _whole(rng, name, num, 0, side - size % 2)[:, None] - size // 2
        places = jnp.arange(side)[None, :]
        shape = [num, 1, 1, 1]
        shape[axis] = side
        hole = hole & ((places >= first) & (places < first + size)).reshape(shape)
    return jnp.where(hole, jnp.zeros_like(images), images)


_POLICIES: dict[str, Callable[..., jax.Array]] = {
    'color': color,
    'translation': translation,
    'cutout': cutout,
}


def compose(policy: Sequence[str]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The named augmentations, one after the other: color, translation, cutout.

    Args:
      policy: their names, in any order.

    Returns:
      (rng, images) -> images.

    Raises:
      ValueError: if a name is unknown, or there is none.
    """
    for name in policy:
        if name not in _POLICIES:
            raise ValueError(f'{name!r} is not one of {", ".join(_POLICIES)}')
    chosen = [name for name in _POLICIES if name in policy]
    if not chosen:
        raise ValueError(f'give one of {", ".join(_POLICIES)}')

    def apply(rng: jax.Array, images: jax.Array) -> jax.Array:
        rngs = keys.per_example(rng, images.shape[0])
        for name in chosen:
            images = _POLICIES[name](keys.of_name(rngs, name), images)
        return images

    return apply
