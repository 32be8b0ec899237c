"""The U-Net of pix2pix, for images of any size that is a multiple of 2^depth.

Source: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
section 3.2.1 and appendix 6.1, and the authors' PyTorch code for the norms, biases and kernels,
N(0, 0.02). There is no norm after the first convolution and none after the innermost one: its map
may be a single pixel, of which instance normalisation, or batch normalisation of a lone example,
leaves nothing. Dropout is where the paper and its first code have it, in the three innermost
blocks of the decoder; the PyTorch code has it in the next three.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

KERNEL_INIT = nn.initializers.normal(0.02)
SCALE_INIT = layers.normal_around_one(0.02)

# How many blocks of the decoder, from the innermost outwards, drop entries.
DROPPING = 3


def _check_size(size: Sequence[int], depth: int) -> None:
    height, width = size
    if depth < 1:
        raise ValueError(f'depth={depth} must be at least 1')
    if height % 2**depth or width % 2**depth:
        common = math.gcd(height, width)
        most = (common & -common).bit_length() - 1
        remedy = f'set depth to at most {most}, or ' if most else ''
        raise ValueError(
            f'a U-Net of depth={depth} takes multiples of {2**depth} pixels, not {height}x{width}: '
            f'{remedy}set image_size to such a multiple'
        )


class Generator(nn.Module):
    """image -> strided convolutions -> transposed ones, each with the map of its size -> tanh.

    The encoder is C64-C128-C256-C512-... (`width` = 64, no more than 8 times that), 4x4 of stride 2
    and leaky ReLU 0.2; the decoder mirrors it with ReLU, and what it makes at each size is joined
    with what the encoder had there.

    Attributes:
      shape: (height, width, channels) of the images it makes; only the channels are used.
      width: the channels after the first convolution.
      depth: how often the size is halved; 8 makes one pixel of 256, 6 of 64.
      norm: 'batch', 'instance', 'group' or 'none'; with a bias before 'instance' and 'none'.
      dropout: the share of entries dropped in the three innermost blocks of the decoder, from 0 to
        below 1.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    depth: int = 8
    norm: str = 'batch'
    dropout: float = 0.5
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(
        self, image: chex.Array, train: bool, rng: chex.PRNGKey | None = None
    ) -> jax.Array:
        """Maps images [batch, h, w, c] to images [batch, h, w, shape[-1]] in [-1, 1].

        Args:
          image: images whose height and width are multiples of 2^depth.
          train: whether batch statistics are the batch's own.
          rng: keys [batch] of the dropout, or None for none; in the paper it stays on after
            training.

        Raises:
          ValueError: if the size is no such multiple, there is no such `norm`, `depth` is less than
            1, or `dropout` is out of its range.
        """
        _check_size(image.shape[1:3], self.depth)
        widths = [self.width * min(2**level, 8) for level in range(self.depth)]
        x, maps = image, []
        for level, width in enumerate(widths):
            x = self._down(width)(nn.leaky_relu(x, 0.2) if level else x)
            if 0 < level < self.depth - 1:
                x = self._normalized(x, train)
            maps.append(x)
        maps.pop()
        for place, level in enumerate(reversed(range(1, self.depth))):
            x = self._normalized(self._up(widths[level - 1])(nn.relu(x)), train)
            x = self._dropped(x, rng, place)
            x = jnp.concatenate([maps.pop(), x], -1)
        x = self._up(self.shape[-1], use_bias=True)(nn.relu(x))
        return jnp.tanh(x).astype(image.dtype)

    def _dropped(self, x: jax.Array, rng: chex.PRNGKey | None, place: int) -> jax.Array:
        if rng is None or place >= DROPPING:
            return layers.dropout(x, None, self.dropout)
        keys = jax.vmap(jax.random.fold_in, (0, None))(rng, place)
        return layers.dropout(x, keys, self.dropout)

    def _normalized(self, x: jax.Array, train: bool) -> jax.Array:
        return layers.normalize(x, self.norm, train, self.axis_name, self.dtype, SCALE_INIT)

    def _down(self, features: int) -> layers.Conv:
        return layers.Conv(
            features,
            (4, 4),
            strides=(2, 2),
            padding=1,
            use_bias=layers.needs_bias(self.norm),
            kernel_init=KERNEL_INIT,
            dtype=self.dtype,
        )

    def _up(self, features: int, use_bias: bool | None = None) -> layers.ConvTranspose:
        return layers.ConvTranspose(
            features,
            (4, 4),
            (2, 2),
            padding=1,
            use_bias=layers.needs_bias(self.norm) if use_bias is None else use_bias,
            kernel_init=KERNEL_INIT,
            dtype=self.dtype,
        )
