"""Networks from examples to latents, for images of 16, 28, 32, 64 and 128 pixels.

Source: f-AnoGAN (Schlegl et al., 2019), whose encoder is built as its critic is and ends in a tanh;
GANomaly (Akcay et al., 2018), whose encoder is DCGAN's discriminator with latents for a logit.
"""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers
from gan_jax.networks.conditional import Features


class Encoder(nn.Module):
    """image -> strided convolutions -> a dense layer -> latent; without a norm.

    Attributes:
      size: the latent's.
      width: the channels after the first convolution; twice as many at each halving of the size.
      hidden: the width of the dense layer before the latent.
      bounded: whether the latent ends in a tanh, and so is within [-1, 1].
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    size: int
    width: int = 64
    hidden: int = 256
    bounded: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> jax.Array:
        """Maps images [batch, h, w, c] to latents [batch, size].

        Raises:
          ValueError: if images of this shape cannot be encoded.
        """
        h = Features(self.width, self.hidden, self.dtype)(image)
        latent = layers.Dense(self.size)(h)
        return jnp.tanh(latent) if self.bounded else latent
