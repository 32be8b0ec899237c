"""The residual translator of CycleGAN, for images of any size that is a multiple of 4.

Source: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (Zhu et al.,
2017), section 4 and appendix 7.2, after Perceptual Losses for Real-Time Style Transfer and
Super-Resolution (Johnson et al., 2016); the authors' code for what they leave out: a bias before
instance normalisation, kernels from N(0, 0.02), zero padding at the two layers that halve the size
and reflection padding at all others.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

KERNEL_INIT = nn.initializers.normal(0.02)
SCALE_INIT = layers.normal_around_one(0.02)


def _conv(network: Any, features: int, size: int, **settings: Any) -> layers.Conv:
    settings = {'padding': 0, 'use_bias': layers.needs_bias(network.norm), **settings}
    return layers.Conv(
        features, (size, size), kernel_init=KERNEL_INIT, dtype=network.dtype, **settings
    )


def _normalized(network: Any, x: jax.Array, train: bool) -> jax.Array:
    return layers.normalize(x, network.norm, train, network.axis_name, network.dtype, SCALE_INIT)


class ResidualBlock(nn.Module):
    """x + norm(conv3x3(relu(norm(conv3x3(x))))), with reflection padding.

    Attributes:
      norm: 'instance', 'batch', 'group' or 'none'.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    norm: str = 'instance'
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, h, w, c] to the same shape."""
        y = _conv(self, x.shape[-1], 3)(layers.reflect(x, 1))
        y = nn.relu(_normalized(self, y, train))
        y = _conv(self, x.shape[-1], 3)(layers.reflect(y, 1))
        return x + _normalized(self, y, train)


class Generator(nn.Module):
    """image -> conv 7x7 -> two halvings -> residual blocks -> two doublings -> conv 7x7 -> tanh.

    c7s1-64, d128, d256, `blocks` times R256, u128, u64, c7s1-3 in the paper's notation, with
    `width` = 64. Each convolution but the last is followed by the norm and ReLU.

    Attributes:
      shape: (height, width, channels) of the images it makes; only the channels are used.
      width: the channels at the images' size; twice as many at each halving.
      blocks: residual blocks; the paper has 6 at 128 pixels and 9 at 256.
      norm: 'instance', 'batch', 'group' or 'none'; with a bias before 'instance' and 'none'.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    blocks: int = 9
    norm: str = 'instance'
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(
        self, image: chex.Array, train: bool, rng: chex.PRNGKey | None = None
    ) -> jax.Array:
        """Maps images [batch, h, w, c] to images [batch, h, w, shape[-1]] in [-1, 1].

        Args:
          image: images whose height and width are multiples of 4.
          train: whether batch statistics are the batch's own.
          rng: unused, since there is no dropout.

        Raises:
          ValueError: if the size is no multiple of 4, or there is no such `norm`.
        """
        height, width = image.shape[1:3]
        if height % 4 or width % 4:
            raise ValueError(
                f'the residual translator halves twice, so height and width must be multiples of '
                f'4, not {height}x{width}: set image_size to a multiple of 4'
            )
        x = self._activated(_conv(self, self.width, 7)(layers.reflect(image, 3)), train)
        for level in (1, 2):
            x = _conv(self, self.width * 2**level, 3, strides=(2, 2), padding=1)(x)
            x = self._activated(x, train)
        for _ in range(self.blocks):
            x = ResidualBlock(self.norm, self.axis_name, self.dtype)(x, train)
        for level in (1, 0):
            # A pixel more on one side only makes 2n of n.
            x = layers.ConvTranspose(
                self.width * 2**level,
                (3, 3),
                (2, 2),
                padding=(1, 0),
                use_bias=layers.needs_bias(self.norm),
                kernel_init=KERNEL_INIT,
                dtype=self.dtype,
            )(x)
            x = self._activated(x, train)
        x = _conv(self, self.shape[-1], 7, use_bias=True)(layers.reflect(x, 3))
        return jnp.tanh(x).astype(image.dtype)

    def _activated(self, x: jax.Array, train: bool) -> jax.Array:
        return nn.relu(_normalized(self, x, train))
