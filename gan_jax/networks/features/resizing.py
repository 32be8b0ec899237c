"""How images are brought to the size that a feature network takes."""

import chex
import jax
import jax.numpy as jnp
import numpy as np


def _lerp(x: jax.Array, axis: int, size: int) -> jax.Array:
    """One axis resized linearly: place i of the result is place i * old / new of x."""
    old = x.shape[axis]
    places = np.arange(size, dtype=np.float32) * np.float32(old / size)
    low = places.astype(np.int32)
    share = (places - low).astype(np.float32)
    share = share.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    first = jnp.take(x, low, axis)
    second = jnp.take(x, np.minimum(low + 1, old - 1), axis)
    return first + (second - first) * jnp.broadcast_to(share, first.shape)


def bilinear_tensorflow1(images: chex.Array, size: int) -> jax.Array:
    """Images resized as TensorFlow 1 did by default, `tf.image.resize_bilinear`.

    Place i of the result is place i * old / new of the image, between whose two neighbours it is
    linear; beyond the last pixel is the last pixel. Nothing is smoothed when an image shrinks.

    Args:
      images: [n, h, w, channels].
      size: the result's height and width.

    Returns:
      [n, size, size, channels], float32.
    """
    chex.assert_rank(images, 4)
    return _lerp(_lerp(jnp.asarray(images, jnp.float32), 2, size), 1, size)
