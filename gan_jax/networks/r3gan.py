"""R3GAN's residual networks without normalisation, for images of 16, 28, 32 and 64 pixels.

Source: The GAN is dead; long live the GAN! A Modern Baseline GAN (Huang et al., 2024), section 4
(config E), and the authors' code for what it leaves out. Both networks are made of stages, one per
size of feature map, and mirror each other:

* A block is x + conv1x1(act(conv3x3(act(conv1x1(x))))), the middle at `expansion` times the width
  and its 3x3 in groups. act adds a bias, then takes leaky ReLU 0.2; no other layer has a bias.
* Initialisation is Fixup's: kernels N(0, gain^2 / fan_in) with gain^2 = 2 / (1 + 0.2^2), times
  L^(-1/2) in the blocks, L the number of blocks of a network; the last kernel of a block is zero,
  so that each block begins as the identity. Linear layers outside the blocks have gain 1.
* The size changes by bilinear interpolation, the filter [1, 3, 3, 1] / 8 per axis with zeros beyond
  the borders; a 1x1 convolution changes the width, where it changes, on the smaller map.
* The generator begins with a learned 4x4 map from N(0, 1), each channel multiplied by a linear
  function of the latent. The discriminator ends with its mirror: a product with a learned map,
  summed over the pixels, and a linear layer.

Where this differs: the paper's networks are wider (768 channels at all maps for CIFAR-10, with 3x3
groups of 16 channels). Here the width doubles from the image's size inwards up to `max_width`;
width = max_width = 768 with the other defaults are the paper's networks for 32 pixels. 28 pixels
begin at 7x7.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

# image size -> (size of the innermost feature map, number of doublings)
SIZES = {16: (4, 2), 28: (7, 2), 32: (4, 3), 64: (4, 4)}

SLOPE = 0.2
GAIN_SQUARED = 2 / (1 + SLOPE**2)

LINEAR_INIT = nn.initializers.variance_scaling(1.0, 'fan_in', 'normal')


def _scales(shape: Sequence[int]) -> tuple[int, int]:
    height, width, _ = shape
    if height != width or height not in SIZES:
        raise ValueError(
            f'R3GAN makes images of {", ".join(map(str, SIZES))} pixels, not {height}x{width}: '
            f'set image_size to one of these'
        )
    return SIZES[height]


def _along(axis: int, x: jax.Array, shift: int) -> jax.Array:
    """x moved by one place along an axis, with a zero where nothing comes from."""
    size = x.shape[axis]
    pads = [(0, 0)] * x.ndim
    pads[axis] = (1, 0) if shift > 0 else (0, 1)
    start = 0 if shift > 0 else 1
    return jax.lax.slice_in_dim(jnp.pad(x, pads), start, start + size, axis=axis)


def upsample(x: chex.Array) -> jax.Array:
    """Doubles height and width by bilinear interpolation: [b, h, w, c] to [b, 2h, 2w, c].

    Per axis y[2i] = (x[i - 1] + 3 x[i]) / 4 and y[2i + 1] = (3 x[i] + x[i + 1]) / 4, zeros outside.
    """
    chex.assert_rank(x, 4)
    for axis in (1, 2):
        even, odd = (0.75 * x + 0.25 * _along(axis, x, shift) for shift in (1, -1))
        pair = jnp.stack([even, odd], axis + 1)
        x = pair.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])
    return x


def downsample(x: chex.Array) -> jax.Array:
    """Halves height and width by the same filter: [b, 2h, 2w, c] to [b, h, w, c].

    A quarter of the adjoint of `upsample`.
    Per axis y[i] = (x[2i - 1] + 3 x[2i] + 3 x[2i + 1] + x[2i + 2]) / 8, zeros outside.
    """
    chex.assert_rank(x, 4)
    for axis in (1, 2):
        pair = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
        even, odd = (jax.lax.index_in_dim(pair, i, axis + 1, keepdims=False) for i in (0, 1))
        x = 0.375 * (even + odd) + 0.125 * (_along(axis, odd, 1) + _along(axis, even, -1))
    return x


class ResidualBlock(nn.Module):
    """x + conv1x1(act(conv3x3(act(conv1x1(x))))), wide in the middle, its 3x3 in groups.

    Attributes:
      blocks: how many blocks the network has.
      group_size: the channels of a group; all are one group where they are no more.
      expansion: how many times wider the middle is.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    blocks: int
    group_size: int = 16
    expansion: int = 2
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, h, w, c] to the same shape.

        Raises:
          ValueError: if groups of this size do not divide the channels.
        """
        wide = self.expansion * x.shape[-1]
        if wide > self.group_size and wide % self.group_size:
            raise ValueError(
                f'group_size={self.group_size} does not divide {wide} channels (width times '
                f'expansion): choose a divisor'
            )
        # Three layers, of which the last is zero: L^(-1 / (2 * 3 - 2)) in each of the others.
        init = nn.initializers.variance_scaling(
            GAIN_SQUARED * self.blocks**-0.5, 'fan_in', 'normal'
        )
        y = layers.Conv(wide, (1, 1), kernel_init=init, dtype=self.dtype)(x)
        y = layers.GroupedConv(
            wide,
            (3, 3),
            groups=max(1, wide // self.group_size),
            padding=1,
            kernel_init=init,
            dtype=self.dtype,
        )(nn.leaky_relu(y, SLOPE))
        y = layers.Conv(
            x.shape[-1],
            (1, 1),
            use_bias=False,
            kernel_init=nn.initializers.zeros_init(),
            dtype=self.dtype,
        )(nn.leaky_relu(y, SLOPE))
        return x + y


def _widths(network: Any, doublings: int) -> list[int]:
    """The channels of each stage, at the image's size first."""
    return [
        min(network.width * 2**level, max(network.width, network.max_width))
        for level in range(doublings + 1)
    ]


def _stage(network: Any, x: jax.Array, stages: int) -> jax.Array:
    for _ in range(network.blocks):
        x = ResidualBlock(
            network.blocks * stages, network.group_size, network.expansion, network.dtype
        )(x)
    return x


def _linear(network: Any, x: jax.Array, width: int) -> jax.Array:
    """A 1x1 convolution to `width` channels, without a bias."""
    return layers.Conv(width, (1, 1), use_bias=False, kernel_init=LINEAR_INIT, dtype=network.dtype)(
        x
    )


class Generator(nn.Module):
    """latent -> modulated 4x4 (or 7x7) map -> stages of residual blocks -> 1x1: no tanh.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels at the image's size; twice as many at each halving of the size.
      max_width: at most so many channels.
      blocks: residual blocks per stage.
      group_size: the channels of a group of the 3x3 convolutions.
      expansion: how many times wider the middle of a block is.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    max_width: int = 256
    blocks: int = 2
    group_size: int = 16
    expansion: int = 2
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to images [batch, *shape], near [-1, 1] but not bounded.

        Raises:
          ValueError: if images of this shape cannot be made, or groups do not divide the channels.
        """
        size, doublings = _scales(self.shape)
        widths = _widths(self, doublings)
        shape = (size, size, widths[-1])
        basis = self.param('basis', nn.initializers.normal(1.0), shape)
        x = layers.Dense(widths[-1], use_bias=False, kernel_init=LINEAR_INIT, dtype=self.dtype)(
            latent
        )
        x = x[:, None, None] * basis[None].astype(x.dtype)
        x = _stage(self, x, len(widths))
        for width in reversed(widths[:-1]):
            x = upsample(_linear(self, x, width) if width != x.shape[-1] else x)
            x = _stage(self, x, len(widths))
        return _linear(self, x, self.shape[-1]).astype(latent.dtype)


class Discriminator(nn.Module):
    """image -> 1x1 -> stages of residual blocks down to 4x4 (or 7x7) -> a vector -> logit.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels at the image's size; twice as many at each halving of the size.
      max_width: at most so many channels.
      blocks: residual blocks per stage.
      group_size: the channels of a group of the 3x3 convolutions.
      expansion: how many times wider the middle of a block is.
      minibatch: what of the batch is appended to the last features: '', 'stddev' or
        'discrimination'.
      axis_name: the axis over which the batch is spread.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    max_width: int = 256
    blocks: int = 2
    group_size: int = 16
    expansion: int = 2
    minibatch: str = ''
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch].

        Raises:
          ValueError: if images of this shape cannot be judged, groups do not divide the channels,
            or there is no such kind of `minibatch`.
        """
        _, doublings = _scales(self.shape)
        widths = _widths(self, doublings)
        x = _linear(self, image, widths[0])
        for width in widths[1:]:
            x = downsample(_stage(self, x, len(widths)))
            x = _linear(self, x, width) if width != x.shape[-1] else x
        x = _stage(self, x, len(widths)).astype(image.dtype)
        init = nn.initializers.normal(1 / math.sqrt(math.prod(x.shape[1:3])))
        x = jnp.sum(x * self.param('basis', init, x.shape[1:])[None], (1, 2))
        x = layers.append_minibatch(x, self.minibatch, self.axis_name if train else None)
        return layers.Dense(1, use_bias=False, kernel_init=LINEAR_INIT)(x)[:, 0]
