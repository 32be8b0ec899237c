"""Discriminators of patches: a logit for each place of an image, of any size and channels.

Source: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
section 3.2.2 and appendix 6.1.2; High-Resolution Image Synthesis and Semantic Manipulation with
Conditional GANs (Wang et al., 2018), section 3.2, for several scales; kernels from N(0, 0.02) as in
the authors' code.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax

from gan_jax.networks import layers
from gan_jax.networks.verdict import Verdict

KERNEL_INIT = nn.initializers.normal(0.02)
SCALE_INIT = layers.normal_around_one(0.02)


def downsample(x: chex.Array) -> jax.Array:
    """Halves height and width: [b, h, w, c] to [b, ceil(h / 2), ceil(w / 2), c].

    Each pixel is the mean of those of the 3x3 window about every second pixel that are within the
    image.
    """
    pads = ((1, 1), (1, 1))
    return nn.avg_pool(x, (3, 3), strides=(2, 2), padding=pads, count_include_pad=False)


class Discriminator(nn.Module):
    """image -> strided convolutions -> a convolution of stride 1 -> a logit per place.

    With `layers` = n there are n 4x4 convolutions of stride 2 and two of stride 1, all but the last
    followed by leaky ReLU 0.2 and, but for the first and the last, the norm before it; C64-C128-
    C256-C512 for n = 3. A logit sees 16, 34, 70, 142 or 286 pixels a side for n = 1 to 5. n = 0 is
    the PixelGAN: 1x1 convolutions to 64 and 128 channels and to the logits, each of one pixel.

    Attributes:
      shape: (height, width, channels) of an image; not used, images may have any.
      width: the channels after the first convolution; twice as many after each other one, up to 8
        times.
      layers: n, at least 0.
      norm: 'batch', 'instance', 'group' or 'none'; with a bias before 'instance' and 'none'.
      spectral: whether kernels are divided by their spectral norms, mostly with `norm` = 'none'.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    layers: int = 3
    norm: str = 'batch'
    spectral: bool = False
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> Verdict:
        """Maps images [batch, h, w, c] to logits [batch, h', w'] and features.

        h' = floor(h / 2^n) - 2, or h for n = 0.

        Returns:
          The logits, and the activations [batch, ., ., .] of each convolution but the last.

        Raises:
          ValueError: if the images are too small, or there is no such `norm`.
        """
        height, width = image.shape[1:3]
        least = 3 * 2**self.layers if self.layers else 1
        if min(height, width) < least:
            raise ValueError(
                f'patches of layers={self.layers} need images of at least {least} pixels, not '
                f'{height}x{width}: set fewer layers (or scales), or a larger image_size'
            )
        count, size = (self.layers + 1, 4) if self.layers else (2, 1)
        made, x = [], image
        for level in range(count):
            x = self._conv(
                x,
                self.width * min(2**level, 8),
                train,
                size=size,
                stride=2 if level < self.layers else 1,
                use_bias=level == 0 or layers.needs_bias(self.norm),
                dtype=self.dtype,
            )
            if level:
                x = layers.normalize(x, self.norm, train, self.axis_name, self.dtype, SCALE_INIT)
            x = nn.leaky_relu(x, 0.2)
            made.append(x)
        logits = self._conv(x, 1, train, size=size, stride=1, use_bias=True, dtype=image.dtype)
        return Verdict(logits[..., 0], made)

    def _conv(
        self, x: jax.Array, features: int, train: bool, size: int, stride: int, **settings: Any
    ) -> jax.Array:
        settings |= {
            'strides': (stride, stride),
            'padding': 1 if size > 1 else 0,
            'kernel_init': KERNEL_INIT,
        }
        if self.spectral:
            return layers.SpectralConv(features, (size, size), **settings)(x, train)
        return layers.Conv(features, (size, size), **settings)(x)


class MultiScale(nn.Module):
    """Discriminators of patches, each on the image at half the size of the one before it.

    Each has the fields and the convolutions of `Discriminator`, where the authors' code pads by 2
    instead of 1, and its own parameters. The first sees the image as it is.

    Attributes:
      shape: (height, width, channels) of an image; not used, images may have any.
      scales: how many there are, at least 1.
      width: the channels after the first convolution.
      layers: the convolutions of stride 2.
      norm: 'batch', 'instance', 'group' or 'none'.
      spectral: whether kernels are divided by their spectral norms.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    scales: int = 3
    width: int = 64
    layers: int = 3
    norm: str = 'batch'
    spectral: bool = False
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> Verdict:
        """Maps images [batch, h, w, c] to logits [batch, h', w'] and features of each scale.

        Returns:
          A tuple of logits and a list of what each scale's `Discriminator` has as features.

        Raises:
          ValueError: if the images are too small at some scale, there is no such `norm`, or
            `scales` is less than 1.
        """
        if self.scales < 1:
            raise ValueError(f'scales={self.scales} must be at least 1')
        made = []
        for scale in range(self.scales):
            image = downsample(image) if scale else image
            one = Discriminator(
                self.shape,
                self.width,
                self.layers,
                self.norm,
                self.spectral,
                self.axis_name,
                self.dtype,
            )
            made.append(one(image, train))
        return Verdict(tuple(x.logits for x in made), [x.features for x in made])
