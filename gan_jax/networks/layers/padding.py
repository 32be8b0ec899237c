"""What is put around an image before a convolution, where it is not zeros."""

import chex
import jax
import jax.numpy as jnp


def reflect(x: chex.Array, pad: int) -> jax.Array:
    """Mirrors an image at its border pixels, which are not repeated.

    Along an axis of size n, y[i] = x[|i - pad|] before and y[i] = x[2 (n - 1) - (i - pad)] after
    it; where the pad is n or more the mirror images are mirrored again, as by np.pad.

    Source: the padding of Perceptual Losses for Real-Time Style Transfer and Super-Resolution
    (Johnson et al., 2016), supplementary material.

    Args:
      x: [batch, height, width, channels].
      pad: how many pixels are put on each side, at least 0.

    Returns:
      [batch, height + 2 pad, width + 2 pad, channels], of x's type.

    Raises:
      AssertionError: if x has another rank.
    """
    chex.assert_rank(x, 4)
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode='reflect')
