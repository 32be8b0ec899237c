"""The residual networks of SNGAN, for images of 16, 28, 32 and 64 pixels.

Source: Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018), table 4
(32 pixels), and the authors' code for what it leaves out: Glorot uniform kernels, sqrt(2) times
larger in the 3x3 convolutions of the blocks, and no bias at the logit. Other sizes have one block
that changes the size less or more; 28 pixels have a 7x7 feature map in place of 4x4 or 8x8. All
layers of the discriminator are spectrally normalised and there is no BatchNorm in it.

With labels they are those of cGANs with Projection Discriminator (Miyato & Koyama, 2018), section
3, and the authors' code: each class has its own scales and shifts in the generator's blocks, at
first 1 and 0 as without classes, and the discriminator's logit has a projection.

Without spectral normalisation the discriminator is the residual critic of WGAN-GP: Improved
Training of Wasserstein GANs (Gulrajani et al., 2017), appendix F and the authors' code, which takes
the mean over the pixels where SNGAN takes the sum, and has a bias at the logit.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

# image size -> (size of the generator's first feature map, its doublings, the discriminator's
# halvings)
SIZES = {16: (4, 2, 1), 28: (7, 2, 2), 32: (4, 3, 2), 64: (4, 4, 3)}

KERNEL_INIT = nn.initializers.glorot_uniform()
BLOCK_INIT = nn.initializers.variance_scaling(2.0, 'fan_avg', 'uniform')
TOLD_INIT = nn.initializers.zeros_init()


def _scales(shape: Sequence[int]) -> tuple[int, int, int]:
    height, width, _ = shape
    if height != width or height not in SIZES:
        raise ValueError(
            f'SNGAN makes images of {", ".join(map(str, SIZES))} pixels, not {height}x{width}: '
            f'set image_size to one of these'
        )
    return SIZES[height]


class UpBlock(nn.Module):
    """BN, ReLU, upsample, conv 3x3, BN, ReLU, conv 3x3; beside it upsample, conv 1x1.

    Attributes:
      width: the channels of all convolutions.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    width: int
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, condition: chex.Array | None, train: bool) -> jax.Array:
        """Maps [batch, h, w, in] to [batch, 2h, 2w, width].

        Args:
          x: feature maps.
          condition: what norms depend on [batch, size]; None for a scale and a bias of their own.
          train: whether batch statistics are the batch's own.
        """
        y = x
        for doubled in (True, False):
            y = layers.batch_norm(
                y, condition, train, self.axis_name, self.dtype, kernel_init=TOLD_INIT
            )
            y = layers.upsample_nearest(nn.relu(y)) if doubled else nn.relu(y)
            y = layers.Conv(
                self.width, (3, 3), padding=1, kernel_init=BLOCK_INIT, dtype=self.dtype
            )(y)
        # A 1x1 convolution and repetition commute; in this order it is four times cheaper.
        return y + layers.upsample_nearest(
            layers.Conv(self.width, (1, 1), kernel_init=KERNEL_INIT, dtype=self.dtype)(x)
        )


class DownBlock(nn.Module):
    """ReLU, conv 3x3, ReLU, conv 3x3, and beside it a conv 1x1 or nothing; then the mean of 2x2.

    Attributes:
      width: the channels of all convolutions.
      halve: whether to halve the size; if not, the input is added as it is.
      first: whether the input is an image, which passes no ReLU.
      spectral: whether kernels are divided by their spectral norms.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    width: int
    halve: bool = True
    first: bool = False
    spectral: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, h, w, in] to [batch, h/2, w/2, width], or [batch, h, w, width]."""
        y = x if self.first else nn.relu(x)
        y = self._conv(y, 3, train)
        y = self._conv(nn.relu(y), 3, train)
        if not self.halve:
            return x + y
        # A 1x1 convolution and the mean commute; in this order it is four times cheaper.
        return layers.downsample_mean(y) + self._conv(layers.downsample_mean(x), 1, train)

    def _conv(self, x: jax.Array, size: int, train: bool) -> jax.Array:
        settings: dict[str, Any] = {
            'padding': size // 2,
            'kernel_init': KERNEL_INIT if size == 1 else BLOCK_INIT,
            'dtype': self.dtype,
        }
        if self.spectral:
            return layers.SpectralConv(self.width, (size, size), **settings)(x, train)
        return layers.Conv(self.width, (size, size), **settings)(x)


class Generator(nn.Module):
    """latent -> 4x4 (or 7x7) feature map -> residual blocks, each doubling the size -> tanh.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels before the image.
      conditional: whether it takes labels.
      classes: how many classes there are.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 256
    conditional: bool = False
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
        """Maps latents [batch, size] to images [batch, *shape] in [-1, 1].

        Args:
          latent: z.
          train: whether batch statistics are the batch's own.
          label: class numbers [batch] or floats [batch, k]; ignored unless `conditional`.

        Raises:
          ValueError: if images of this shape cannot be made, or labels are missing.
        """
        size, doublings, _ = _scales(self.shape)
        features = size * size * self.width
        x = layers.Dense(features, kernel_init=KERNEL_INIT, dtype=self.dtype)(latent)
        x = x.reshape(-1, size, size, self.width)
        told = layers.one_hot(label, self.classes) if self.conditional else None
        for _ in range(doublings):
            x = UpBlock(self.width, self.axis_name, self.dtype)(x, told, train)
        x = layers.BatchNorm(
            use_running_average=not train, axis_name=self.axis_name, output_dtype=self.dtype
        )(x)
        x = layers.Conv(
            self.shape[-1], (3, 3), padding=1, kernel_init=KERNEL_INIT, dtype=self.dtype
        )(nn.relu(x))
        return jnp.tanh(x).astype(latent.dtype)


class Discriminator(nn.Module):
    """image -> residual blocks down to 8x8 (or 7x7), two more -> sum over the pixels -> logit.

    With labels and h that sum, the logit is w . h + <e_label, h>.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels of all convolutions.
      conditional: whether it takes labels; if not, the logit has no projection.
      classes: how many classes there are.
      spectral: whether kernels are divided by their spectral norms; if not, this is WGAN-GP's
        critic, with the mean over the pixels and a bias at the logit.
      axis_name: unused, since there are no batch statistics.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 128
    conditional: bool = False
    classes: int | None = None
    spectral: bool = True
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
        """Maps images [batch, *shape] to logits [batch].

        Args:
          image: in [-1, 1].
          train: whether spectral norms are iterated.
          label: class numbers [batch] or floats [batch, k]; ignored unless `conditional`.

        Raises:
          ValueError: if images of this shape cannot be judged, or labels are missing.
        """
        _, _, halvings = _scales(self.shape)
        x = image
        for level in range(halvings + 2):
            halve, first = level < halvings, level == 0
            x = DownBlock(self.width, halve, first, self.spectral, self.dtype)(x, train)
        x = nn.relu(x).astype(image.dtype)
        h = x.sum((1, 2)) if self.spectral else x.mean((1, 2))
        logits = self._dense(1, h, train, use_bias=not self.spectral)[:, 0]
        if not self.conditional:
            return logits
        told = layers.one_hot(label, self.classes).astype(h.dtype)
        rows = self._dense(h.shape[-1], told, train, use_bias=False, name='projection')
        return logits + jnp.sum(rows * h, axis=-1)

    def _dense(self, features: int, x: jax.Array, train: bool, **settings: Any) -> jax.Array:
        settings['kernel_init'] = KERNEL_INIT
        if self.spectral:
            return layers.SpectralDense(features, **settings)(x, train)
        return layers.Dense(features, **settings)(x)
