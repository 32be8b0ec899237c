"""Multilayer perceptrons, the networks of the first GAN.

Source: Generative Adversarial Nets (Goodfellow et al., 2014), in the form that most later
introductions draw: leaky ReLU in place of maxout and of the generator's sigmoid units.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers


class Generator(nn.Module):
    """latent -> features (leaky ReLU) -> tanh, shaped as an example.

    Attributes:
      shape: the shape of an example, (height, width, channels) for images.
      features: the widths of the hidden layers.
      slope: leaky ReLU's slope below zero.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    features: Sequence[int] = (256, 512, 1024)
    slope: float = 0.2
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to samples [batch, *shape] in [-1, 1]."""
        x = latent
        for width in self.features:
            x = nn.leaky_relu(layers.Dense(width, dtype=self.dtype)(x), self.slope)
        x = jnp.tanh(layers.Dense(math.prod(self.shape), dtype=self.dtype)(x))
        return x.reshape(-1, *self.shape).astype(latent.dtype)


class Discriminator(nn.Module):
    """example -> features (leaky ReLU) -> logit.

    Attributes:
      shape: the shape of an example.
      features: the widths of the hidden layers.
      slope: leaky ReLU's slope below zero.
      minibatch: what of the batch is appended to the last features: '', 'stddev' or
        'discrimination'.
      axis_name: the axis over which the batch is spread.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    features: Sequence[int] = (1024, 512, 256)
    slope: float = 0.2
    minibatch: str = ''
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> jax.Array:
        """Maps examples [batch, *shape] to logits [batch].

        Raises:
          ValueError: if there is no such kind of `minibatch`.
        """
        x = image.reshape(image.shape[0], -1)
        for width in self.features:
            x = nn.leaky_relu(layers.Dense(width, dtype=self.dtype)(x), self.slope)
        x = layers.append_minibatch(x, self.minibatch, self.axis_name if train else None)
        return layers.Dense(1, dtype=image.dtype)(x)[:, 0]
