"""Generators of super-resolution: images come out `factor` times as large, or as large for 1.

Both compute at the size of the input and enlarge at the end. The output is linear.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

FACTORS = (1, 2, 4, 8)

# U(-a, a) with a^2 = 1 / fan_in, PyTorch's default and so that of the usual code; in the dense
# blocks a tenth of He et al.'s, N(0, 0.1^2 * 2 / fan_in).
KERNEL_INIT = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')
SMALL_INIT = nn.initializers.variance_scaling(0.1**2 * 2, 'fan_in', 'normal')


def _doublings(factor: int) -> int:
    if factor not in FACTORS:
        raise ValueError(
            f'factor={factor} is none of {", ".join(map(str, FACTORS))}: choose one of these'
        )
    return FACTORS.index(factor)


def _conv(network: Any, features: int, size: int = 3, **settings: Any) -> layers.Conv:
    settings = {'padding': size // 2, 'kernel_init': KERNEL_INIT, **settings}
    return layers.Conv(features, (size, size), dtype=network.dtype, **settings)


def pixel_shuffle(x: chex.Array, factor: int = 2) -> jax.Array:
    """Turns channels into pixels: [b, h, w, factor^2 c] to [b, factor h, factor w, c].

    y[factor i + k, factor j + l, m] = x[i, j, (factor k + l) c + m].

    Source: Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network (Shi et al., 2016), equation 4, up to the order of the channels.

    Args:
      x: [batch, height, width, channels], the channels a multiple of factor^2.
      factor: by how much height and width grow, at least 1.

    Returns:
      [batch, factor height, factor width, channels / factor^2].

    Raises:
      AssertionError: if x has another rank.
      ValueError: if factor^2 does not divide the channels.
    """
    chex.assert_rank(x, 4)
    batch, height, width, channels = x.shape
    if channels % factor**2:
        raise ValueError(f'{channels} channels are no multiple of {factor}^2 = {factor**2}')
    x = x.reshape(batch, height, width, factor, factor, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, factor * height, factor * width, -1)


def _prelu(network: Any, x: jax.Array, name: str) -> jax.Array:
    """max(x, 0) + a min(x, 0), with a slope a per channel that begins at 0.25."""
    slope = network.param(name, nn.initializers.constant(0.25), x.shape[-1:])
    slope = slope.reshape(1, 1, 1, -1).astype(x.dtype)
    return jnp.where(x > 0, x, slope * x)


class ResidualBlock(nn.Module):
    """x + norm(conv3x3(prelu(norm(conv3x3(x))))).

    Attributes:
      norm: 'batch', 'instance', 'group' or 'none'.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    norm: str = 'batch'
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, h, w, c] to the same shape."""
        y = _normed_conv(self, x, x.shape[-1], train)
        return x + _normed_conv(self, _prelu(self, y, 'slope'), x.shape[-1], train)


def _normed_conv(network: Any, x: jax.Array, features: int, train: bool) -> jax.Array:
    x = _conv(network, features, use_bias=layers.needs_bias(network.norm))(x)
    return layers.normalize(x, network.norm, train, network.axis_name, network.dtype)


class SRResNet(nn.Module):
    """image -> conv 9x9 -> residual blocks -> pixel shuffles, each doubling the size -> conv 9x9.

    What the first convolution makes is added to what the blocks make of it. PReLU has a slope per
    channel.

    Source: Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network
    (Ledig et al., 2017), section 2.1.1 and figure 4: the generator of SRGAN.

    Attributes:
      shape: (height, width, channels) of the images it makes; only the channels are used.
      width: the channels of all convolutions, four times as many before a shuffle.
      blocks: residual blocks.
      factor: by how much height and width grow, 1, 2, 4 or 8.
      norm: 'batch', 'instance', 'group' or 'none'; with a bias before 'instance' and 'none'.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    blocks: int = 16
    factor: int = 4
    norm: str = 'batch'
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(
        self, image: chex.Array, train: bool, rng: chex.PRNGKey | None = None
    ) -> jax.Array:
        """Maps images [batch, h, w, c] to [batch, factor h, factor w, shape[-1]], not bounded.

        Args:
          image: images of any size.
          train: whether batch statistics are the batch's own.
          rng: unused, since there is no dropout.

        Raises:
          ValueError: if there is no such `factor` or `norm`.
        """
        doublings = _doublings(self.factor)
        first = x = _prelu(self, _conv(self, self.width, 9)(image), 'slope')
        for _ in range(self.blocks):
            x = ResidualBlock(self.norm, self.axis_name, self.dtype)(x, train)
        x = first + _normed_conv(self, x, self.width, train)
        for step in range(doublings):
            x = _prelu(self, pixel_shuffle(_conv(self, 4 * self.width)(x)), f'slope_{step}')
        return _conv(self, self.shape[-1], 9)(x).astype(image.dtype)


class DenseBlock(nn.Module):
    """x + scaling * conv3x3 of x and all that four convolutions before it made of what was there.

    Attributes:
      growth: the channels that each of the four adds.
      scaling: what the sum is multiplied by.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    growth: int = 32
    scaling: float = 0.2
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, h, w, c] to the same shape."""
        known = x
        for _ in range(4):
            y = nn.leaky_relu(_conv(self, self.growth, kernel_init=SMALL_INIT)(known), 0.2)
            known = jnp.concatenate([known, y], -1)
        return x + self.scaling * _conv(self, x.shape[-1], kernel_init=SMALL_INIT)(known)


class RRDB(nn.Module):
    """image -> conv -> residual-in-residual dense blocks -> repeated pixels and convs -> conv.

    A block is three `DenseBlock`s, whose result times `scaling` is added to its input. What the
    first convolution makes is added to what the blocks make of it. All convolutions are 3x3, leaky
    ReLU has slope 0.2, and there is no norm.

    Source: ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks (Wang et al., 2018),
    section 3.1, and the authors' code: repeated pixels in place of shuffled ones, kernels of the
    dense blocks a tenth as large.

    Attributes:
      shape: (height, width, channels) of the images it makes; only the channels are used.
      width: the channels between the dense blocks.
      growth: the channels that each convolution of a dense block adds.
      blocks: residual-in-residual dense blocks.
      scaling: what residuals are multiplied by.
      factor: by how much height and width grow, 1, 2, 4 or 8.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    growth: int = 32
    blocks: int = 23
    scaling: float = 0.2
    factor: int = 4
    dtype: Any = None

    @nn.compact
    def __call__(
        self, image: chex.Array, train: bool, rng: chex.PRNGKey | None = None
    ) -> jax.Array:
        """Maps images [batch, h, w, c] to [batch, factor h, factor w, shape[-1]], not bounded.

        Args:
          image: images of any size.
          train: unused, since there are no batch statistics.
          rng: unused, since there is no dropout.

        Raises:
          ValueError: if there is no such `factor`.
        """
        doublings = _doublings(self.factor)
        first = x = _conv(self, self.width)(image)
        for _ in range(self.blocks):
            y = x
            for _ in range(3):
                y = DenseBlock(self.growth, self.scaling, self.dtype)(y)
            x = x + self.scaling * y
        x = first + _conv(self, self.width)(x)
        for _ in range(doublings):
            x = nn.leaky_relu(_conv(self, self.width)(layers.upsample_nearest(x)), 0.2)
        x = nn.leaky_relu(_conv(self, self.width)(x), 0.2)
        return _conv(self, self.shape[-1])(x).astype(image.dtype)
