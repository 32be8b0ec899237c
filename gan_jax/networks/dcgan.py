"""The networks of DCGAN, for images of 16, 28, 32, 64 and 128 pixels.

Source: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks (Radford et al., 2016). Strided and transposed convolutions in place of pooling,
BatchNorm except at the images, ReLU in the generator, leaky ReLU in the discriminator, kernels
from N(0, 0.02). Kernels are 4x4 as in the authors' Torch code; figure 1 of the paper draws 5x5.
The paper has no hidden dense layer; the authors' code for MNIST has one in each network, which
small images need: with two convolutions and a linear readout no unit sees the whole digit.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

# image size -> (size of the innermost feature map, number of doublings)
SIZES = {16: (4, 2), 28: (7, 2), 32: (4, 3), 64: (4, 4), 128: (4, 5)}

KERNEL_INIT = nn.initializers.normal(0.02)

NORMS = ('batch', 'layer', 'none')


def _scales(shape: Sequence[int]) -> tuple[int, int]:
    height, width, _ = shape
    if height != width or height not in SIZES:
        raise ValueError(
            f'DCGAN makes images of {", ".join(map(str, SIZES))} pixels, not {height}x{width}: '
            f'set image_size to one of these'
        )
    return SIZES[height]


def doublings(shape: Sequence[int]) -> int:
    """How often the innermost feature map of an image's networks is doubled to its size.

    Raises:
      ValueError: if there are no networks for images of this shape.
    """
    return _scales(shape)[1]


def _batch_norm(network: Any, train: bool) -> nn.BatchNorm:
    return layers.BatchNorm(
        use_running_average=not train,
        axis_name=network.axis_name,
        output_dtype=network.dtype,
        scale_init=layers.normal_around_one(0.02),
    )


class Generator(nn.Module):
    """latent -> 4x4 (or 7x7) feature map -> transposed convolutions -> tanh.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels before the image; twice as many at each halving of the size.
      hidden: the width of a dense layer before the feature map; 0 for none.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
      norm: 'batch' or 'none'. Without a norm every layer has a bias, and kernels are drawn as He et
        al. (2015) do, since nothing brings what N(0, 0.02) makes back to scale.
    """

    shape: Sequence[int]
    width: int = 64
    hidden: int = 0
    axis_name: str | None = None
    dtype: Any = None
    norm: str = 'batch'

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to images [batch, *shape] in [-1, 1].

        Raises:
          ValueError: if images of this shape cannot be made, or there is no such kind of `norm`.
        """
        if self.norm not in ('batch', 'none'):
            raise ValueError(f"norm={self.norm!r} is neither 'batch' nor 'none'")
        size, doublings = _scales(self.shape)
        width = self.width * 2 ** (doublings - 1)
        x = latent
        if self.hidden:
            x = self._dense(self.hidden)(x)
            x = nn.relu(self._normalized(x, train))
        x = self._dense(size * size * width)(x)
        x = nn.relu(self._normalized(x.reshape(-1, size, size, width), train))
        for level in reversed(range(doublings - 1)):
            x = self._up(self.width * 2**level, use_bias=self.norm == 'none')(x)
            x = nn.relu(self._normalized(x, train))
        return jnp.tanh(self._up(self.shape[-1])(x)).astype(latent.dtype)

    def _normalized(self, x: jax.Array, train: bool) -> jax.Array:
        return _batch_norm(self, train)(x) if self.norm == 'batch' else x

    def _kernel_init(self) -> Any:
        return KERNEL_INIT if self.norm == 'batch' else nn.initializers.he_normal()

    def _dense(self, features: int) -> nn.Dense:
        return layers.Dense(
            features,
            use_bias=self.norm == 'none',
            kernel_init=self._kernel_init(),
            dtype=self.dtype,
        )

    def _up(self, features: int, use_bias: bool = True) -> layers.ConvTranspose:
        return layers.ConvTranspose(
            features,
            (4, 4),
            (2, 2),
            padding=1,
            use_bias=use_bias,
            kernel_init=self._kernel_init(),
            dtype=self.dtype,
        )


class Discriminator(nn.Module):
    """image -> strided convolutions -> logit.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels after the first convolution; twice as many at each halving of the size.
      hidden: the width of a dense layer after the feature map; 0 for none.
      norm: 'batch', 'layer' or 'none'. With a gradient penalty per example, as WGAN-GP's, examples
        must not meet: 'layer' or 'none'. Without a norm every layer has a bias.
      minibatch: what of the batch is appended to the last features: '', 'stddev' or
        'discrimination'.
      axis_name: the axis over which the batch and its statistics are spread.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    hidden: int = 0
    norm: str = 'batch'
    minibatch: str = ''
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> jax.Array:
        """Maps images [batch, *shape] to logits [batch].

        Raises:
          ValueError: if images of this shape cannot be judged, or there is no such kind of `norm`
            or `minibatch`.
        """
        return self._logits(self._features(image, train), image.dtype)

    def _features(self, image: chex.Array, train: bool) -> jax.Array:
        """What the logits are read off of, [batch, features]."""
        if self.norm not in NORMS:
            raise ValueError(f'norm={self.norm!r} is none of {", ".join(map(repr, NORMS))}')
        _, doublings = _scales(self.shape)
        x = image
        for level in range(doublings):
            first = level == 0
            x = layers.Conv(
                self.width * 2**level,
                (4, 4),
                strides=(2, 2),
                padding=1,
                use_bias=first or self.norm == 'none',
                kernel_init=KERNEL_INIT,
                dtype=self.dtype,
            )(x)
            x = nn.leaky_relu(x if first else self._normalized(x, train), 0.2)
        x = x.reshape(x.shape[0], -1)
        if self.hidden:
            x = self._dense(self.hidden)(x)
            x = nn.leaky_relu(self._normalized(x, train), 0.2)
        return layers.append_minibatch(x, self.minibatch, self.axis_name if train else None)

    def _logits(self, features: jax.Array, dtype: Any) -> jax.Array:
        return layers.Dense(1, kernel_init=KERNEL_INIT, dtype=dtype)(features)[:, 0]

    def _normalized(self, x: jax.Array, train: bool) -> jax.Array:
        if self.norm == 'batch':
            return _batch_norm(self, train)(x)
        return layers.LayerNorm(output_dtype=self.dtype)(x) if self.norm == 'layer' else x

    def _dense(self, features: int) -> nn.Dense:
        return layers.Dense(
            features, use_bias=self.norm == 'none', kernel_init=KERNEL_INIT, dtype=self.dtype
        )
