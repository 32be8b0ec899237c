"""PacGAN's small convolutional networks for stacked MNIST, three digits in the colours of an image.

Source: PacGAN: The Power of Two Samples in Generative Adversarial Networks (Lin et al., 2018),
section 4.2, after Unrolled Generative Adversarial Networks (Metz et al., 2017), appendix. All
kernels are 3x3 and change the size by 2, rounded up: 28, 14, 7, 4. As in TensorFlow's 'SAME', a
convolution from 28 to 14 or 14 to 7 pads 0 before and 1 after, one from 7 to 4 pads 1 and 1; the
generator's transposed convolutions are their adjoints. Images of other sizes than the paper's 28
pixels are halved three times too. Kernels are from N(0, 0.02), as in DCGAN.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

NORMS = ('batch', 'none')

KERNEL_INIT = nn.initializers.normal(0.02)


def _sizes(shape: Sequence[int]) -> list[int]:
    """The sizes of the feature maps, the image's first: [28, 14, 7, 4]."""
    height, width = shape[:2]
    if height != width or height < 8:
        raise ValueError(
            f'stacked_mnist makes square images of at least 8 pixels, not {height}x{width}: set '
            f'image_size to 28'
        )
    sizes = [height]
    for _ in range(3):
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def _batch_norm(network: Any, train: bool) -> nn.BatchNorm:
    return layers.BatchNorm(
        use_running_average=not train, axis_name=network.axis_name, output_dtype=network.dtype
    )


class Generator(nn.Module):
    """latent -> 4x4 feature map -> transposed convolutions to 7, 14 and 28 -> 3x3 -> tanh.

    BatchNorm and ReLU follow every layer but the last.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels at the image's size; twice as many at each halving of the size.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 8
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to images [batch, *shape] in [-1, 1].

        Raises:
          ValueError: if images of this shape cannot be made.
        """
        *sizes, start = _sizes(self.shape)
        settings: dict[str, Any] = {'kernel_init': KERNEL_INIT, 'dtype': self.dtype}
        width = 8 * self.width
        x = layers.Dense(start * start * width, use_bias=False, **settings)(latent)
        x = nn.relu(_batch_norm(self, train)(x.reshape(-1, start, start, width)))
        for level, size in reversed([*enumerate(sizes)]):
            x = layers.ConvTranspose(
                self.width * 2**level,
                (3, 3),
                (2, 2),
                padding=(size % 2, 1),
                use_bias=False,
                **settings,
            )(x)
            x = nn.relu(_batch_norm(self, train)(x))
        x = layers.Conv(self.shape[-1], (3, 3), padding=1, **settings)(x)
        return jnp.tanh(x).astype(latent.dtype)


class Discriminator(nn.Module):
    """image -> three strided 3x3 convolutions, each with BatchNorm, leaky ReLU 0.3 -> logit.

    Attributes:
      shape: (height, width, channels) of an image; one with more channels, as when several are
        packed, is judged as well.
      width: the channels after the first convolution, doubled by each of the others. With 2 the
        channels are a quarter of a generator's of width 8, with 4 half.
      norm: 'batch' or 'none'. With a gradient penalty per example, examples must not meet: 'none',
        with a bias in every layer.
      minibatch: what of the batch is appended to the last features: '', 'stddev' or
        'discrimination'.
      axis_name: the axis over which the batch and its statistics are spread.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 2
    norm: str = 'batch'
    minibatch: str = ''
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch].

        Raises:
          ValueError: if images of this shape cannot be judged, or there is no such kind of `norm`
            or `minibatch`.
        """
        if self.norm not in NORMS:
            raise ValueError(f'norm={self.norm!r} is none of {", ".join(map(repr, NORMS))}')
        sizes = _sizes(self.shape)
        batch_norm = self.norm == 'batch'
        x = image
        for level, size in enumerate(sizes[:-1]):
            x = layers.Conv(
                self.width * 2**level,
                (3, 3),
                strides=(2, 2),
                padding=[(size % 2, 1)] * 2,
                use_bias=not batch_norm,
                kernel_init=KERNEL_INIT,
                dtype=self.dtype,
            )(x)
            x = nn.leaky_relu(_batch_norm(self, train)(x) if batch_norm else x, 0.3)
        x = x.reshape(x.shape[0], -1)
        x = layers.append_minibatch(x, self.minibatch, self.axis_name if train else None)
        return layers.Dense(1, kernel_init=KERNEL_INIT, dtype=image.dtype)(x)[:, 0]
