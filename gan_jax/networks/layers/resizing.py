"""Feature maps of twice and of half the size, without a filter of several taps."""

import chex
import jax
import jax.numpy as jnp


def upsample_nearest(x: chex.Array) -> jax.Array:
    """Doubles height and width by repetition: [b, h, w, c] to [b, 2h, 2w, c]."""
    batch, height, width, channels = x.shape
    wide = jnp.broadcast_to(x[:, :, None, :, None], (batch, height, 2, width, 2, channels))
    return wide.reshape(batch, 2 * height, 2 * width, channels)


def downsample_mean(x: chex.Array) -> jax.Array:
    """The means of 2x2 pixels: [b, 2h, 2w, c] to [b, h, w, c]."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))
