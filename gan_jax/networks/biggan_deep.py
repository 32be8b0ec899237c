"""BigGAN-deep's conditional residual networks, for images of 16, 32, 64, 128 and 256 pixels.

Source: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019),
appendix B and figure 16, and the authors' PyTorch code (BigGANdeep.py); 16 pixels are our own.

Against BigGAN there are two blocks a size, each of four convolutions with a bottleneck of a quarter
of the channels. Shortcuts have no weights but where channels are added: the generator drops those
that are too many, the discriminator appends those that are missing. All norms of the generator, and
its first map, depend on one vector, the labels' embedding and the whole latent. Sizes, kernels,
attention and the projection are BigGAN's.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import biggan, layers

RATIO = 4  # channels of a block to one within it


class UpBlock(nn.Module):
    """norm, ReLU, conv 1x1; upsample and conv 3x3; conv 3x3; conv 1x1, each after norm and ReLU.

    Beside it the first `features` channels of the input, upsampled. Between the 1x1 convolutions
    there is a quarter of the input's channels.

    Attributes:
      features: the channels that come out, no more than go in.
      double: whether to double the size.
      spectral: whether the kernels of conditional norms are divided by their spectral norms.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    double: bool
    spectral: bool = True
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, condition: chex.Array | None, train: bool) -> jax.Array:
        """Maps [batch, h, w, in] to [batch, 2h, 2w, features], or [batch, h, w, features].

        Args:
          x: feature maps.
          condition: what norms depend on [batch, size]; None for a scale and a bias of their own.
          train: whether batch statistics are the batch's own.
        """
        inner, y = max(1, x.shape[-1] // RATIO), x
        for place, (features, size) in enumerate(
            ((inner, 1), (inner, 3), (inner, 3), (self.features, 1))
        ):
            y = nn.relu(biggan.norm(self, y, condition, train))
            y = layers.upsample_nearest(y) if self.double and place == 1 else y
            y = biggan.conv(self, features, size, y, train)
        x = x[..., : self.features]
        return y + (layers.upsample_nearest(x) if self.double else x)


class DownBlock(nn.Module):
    """ReLU, conv 1x1; conv 3x3; conv 3x3; the mean of 2x2 and conv 1x1, each after a ReLU.

    Beside it the mean of the input, with a 1x1 convolution of it for the channels that are missing.
    Between the 1x1 convolutions there is a quarter of the channels that come out.

    Attributes:
      features: the channels that come out, no fewer than go in.
      halve: whether to halve the size.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    halve: bool
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, h, w, in] to [batch, h/2, w/2, features], or [batch, h, w, features]."""
        inner, y = max(1, self.features // RATIO), x
        for size in (1, 3, 3):
            y = biggan.conv(self, inner, size, nn.relu(y), train)
        y = nn.relu(y)
        if self.halve:
            x, y = layers.downsample_mean(x), layers.downsample_mean(y)
        y = biggan.conv(self, self.features, 1, y, train)
        missing = self.features - x.shape[-1]
        if missing:
            x = jnp.concatenate([x, biggan.conv(self, missing, 1, x, train)], axis=-1)
        return x + y


class Generator(nn.Module):
    """(latent, label) -> 4x4 feature map -> pairs of blocks, each doubling the size -> tanh.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels before an image of 128 or 256 pixels, half of those before one of 64 and a
        quarter of those before one of 16 or 32.
      shared: the size of the labels' embedding; 0 for one-hot labels.
      hierarchical: whether the latent reaches all blocks, and labels the first map; if not, that
        has the latent alone, and norms have the labels.
      attention: the size of the feature maps after which there is self-attention; 0 for none.
      conditional: whether it takes labels.
      classes: how many classes there are.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 128
    shared: int = 128
    hierarchical: bool = True
    attention: int = 0
    conditional: bool = True
    classes: int | None = None
    axis_name: str | None = None
    dtype: Any = None

    @property
    def asks(self) -> frozenset[str]:
        """The optional inputs that it takes as it is configured."""
        return frozenset({'label'} if self.conditional else ())

    @nn.compact
    def __call__(
        self, latent: chex.Array, train: bool, label: chex.Array | None = None
    ) -> jax.Array:
        """Maps latents [n, size] to images [n, *shape] in [-1, 1].

        Args:
          latent: z.
          train: whether batch statistics are the batch's own.
          label: class numbers [n] or floats [n, k]; ignored unless `conditional`.

        Raises:
          ValueError: if images of this shape cannot be made, no map is of the size of `attention`,
            or labels are missing.
        """
        multiples, _, _ = biggan.scales(self.shape)
        stages = range(1, len(multiples))
        biggan.check_attention(self.attention, (biggan.SMALLEST << i for i in stages))
        told = [x.astype(latent.dtype) for x in biggan.told(self, label)]
        whole = jnp.concatenate([*told, latent], axis=-1)
        first = whole if self.hierarchical else latent
        condition = whole if self.hierarchical else told[0] if told else None
        x = biggan.first_map(self, first, multiples[0] * self.width, train)
        settings = self.shared > 0 or self.hierarchical, self.axis_name, self.dtype
        for i in stages:
            for multiple, double in ((multiples[i - 1], False), (multiples[i], True)):
                x = UpBlock(multiple * self.width, double, *settings)(x, condition, train)
            if x.shape[1] == self.attention:
                x = biggan.attention(self)(x, train)
        return biggan.to_image(self, x, train).astype(latent.dtype)


class Discriminator(nn.Module):
    """(image, label) -> conv 3x3 -> pairs of blocks -> h, summed over the pixels -> the logit.

    It is w . h + b + <e_label, h>.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels of the first convolution; a quarter of those of all at 16 and 32 pixels.
      attention: the size of the feature maps after which there is self-attention; 0 for none.
      conditional: whether it takes labels; if not, the logit has no projection.
      classes: how many classes there are.
      axis_name: unused, since there are no batch statistics.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 128
    attention: int = 0
    conditional: bool = True
    classes: int | None = None
    axis_name: str | None = None
    dtype: Any = None

    @property
    def asks(self) -> frozenset[str]:
        """The optional inputs that it takes as it is configured."""
        return frozenset({'label'} if self.conditional else ())

    @nn.compact
    def __call__(
        self, image: chex.Array, train: bool, label: chex.Array | None = None
    ) -> jax.Array:
        """Maps images [n, *shape], and labels, to logits [n].

        Args:
          image: in [-1, 1].
          train: whether spectral norms are iterated.
          label: class numbers [n] or floats [n, k]; ignored unless `conditional`.

        Raises:
          ValueError: if images of this shape cannot be judged, no map is of the size of
            `attention`, or labels are missing.
        """
        _, multiples, halvings = biggan.scales(self.shape)
        sizes = (self.shape[0] >> i for i in range(1, halvings + 1))
        biggan.check_attention(self.attention, sizes)
        x = biggan.conv(self, multiples[0] * self.width, 3, image, train)
        for stage, multiple in enumerate(multiples[1:]):
            first = stage < halvings
            for halve in (first, False):
                x = DownBlock(multiple * self.width, halve, self.dtype)(x, train)
            if first and x.shape[1] == self.attention:
                x = biggan.attention(self)(x, train)
        return biggan.judged(self, x, label, image.dtype, train)
