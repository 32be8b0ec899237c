"""BigGAN's conditional residual networks, for images of 16, 32, 64, 128 and 256 pixels.

Source: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019),
section 3 and appendix B, and the authors' PyTorch code for what it leaves out; 16 pixels are our
own. Without the shared embedding and the hierarchical latents the generator is, but for its
initialisation, that of Self-Attention Generative Adversarial Networks (Zhang et al., 2019) in the
same code.

* Every convolution and dense layer of both players has a kernel of spectral norm one. Exceptions
  are the shared embedding, and one-hot labels' scales and shifts, which are embeddings, too.
* Every kernel begins as an orthogonal matrix.
* The chunks of a latent are of equal size, and what is left over goes to the first.

Where this differs: the vector with which the projection's spectral norm is iterated is as long as
the features, there as the classes. At 256 pixels the discriminator's block of equal channels has a
shortcut of its own, 590,592 numbers, which another published count leaves out.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

SMALLEST = 4  # the side of the generator's first feature map

# image size -> (the generator's channels over `width` from the first map on, the discriminator's of
# each block, in how many of these the size is halved)
SIZES: dict[int, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    16: ((4, 4, 4), (4, 4, 4), 1),
    32: ((4, 4, 4, 4), (4, 4, 4, 4), 2),
    64: ((16, 16, 8, 4, 2), (1, 2, 4, 8, 16), 4),
    128: ((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5),
    256: ((16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16, 16), 6),
}

KERNEL_INIT = nn.initializers.orthogonal()


def scales(shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The row of `SIZES` for images of a shape.

    Raises:
      ValueError: if there is none.
    """
    height, width, _ = shape
    if height != width or height not in SIZES:
        raise ValueError(
            f'BigGAN makes images of {", ".join(map(str, SIZES))} pixels, not {height}x{width}: '
            f'set image_size to one of these'
        )
    return SIZES[height]


def check_attention(attention: int, sizes: Iterable[int]) -> None:
    """Raises ValueError if attention is asked for at a size that no block's output has."""
    if attention and attention not in (sizes := [*sizes]):
        raise ValueError(
            f'attention={attention} is no size of the feature maps here: use one of '
            f'{", ".join(map(str, sizes))}, or 0 for none'
        )


# What follows is to be called within a network's compact method, as its own layers.
def attention(network: Any) -> layers.SelfAttention:
    """Self-attention with kernels as in all layers here."""
    return layers.SelfAttention(spectral=True, kernel_init=KERNEL_INIT, dtype=network.dtype)


def conv(network: Any, features: int, size: int, x: jax.Array, train: bool) -> jax.Array:
    """A convolution [size, size] that keeps height and width, with kernels as in all layers."""
    layer = layers.SpectralConv(
        features, (size, size), padding=size // 2, kernel_init=KERNEL_INIT, dtype=network.dtype
    )
    return layer(x, train)


def norm(block: Any, x: jax.Array, condition: chex.Array | None, train: bool) -> jax.Array:
    """Batch normalisation as a block's attributes have it; `layers.batch_norm`."""
    return layers.batch_norm(
        x, condition, train, block.axis_name, block.dtype,
        spectral=block.spectral, kernel_init=KERNEL_INIT,
    )  # fmt: skip


def told(generator: Any, label: chex.Array | None) -> list[jax.Array]:
    """[what all blocks of a generator are told of a label, [n, size]], or [] of no labels.

    Raises:
      ValueError: if there are none, and the generator is `conditional`.
    """
    if not generator.conditional:
        return []
    one_hot = layers.one_hot(label, generator.classes)
    if not generator.shared:
        return [one_hot]
    shape = (one_hot.shape[-1], generator.shared)
    return [jnp.dot(one_hot, generator.param('embedding', KERNEL_INIT, shape))]


def first_map(generator: Any, x: jax.Array, channels: int, train: bool) -> jax.Array:
    """A dense layer from [n, size] to feature maps [n, 4, 4, channels]."""
    dense = layers.SpectralDense(
        SMALLEST**2 * channels, kernel_init=KERNEL_INIT, dtype=generator.dtype
    )
    return dense(x, train).reshape(-1, SMALLEST, SMALLEST, channels)


def to_image(generator: Any, x: jax.Array, train: bool) -> jax.Array:
    """Images in [-1, 1] of the last feature maps: norm, ReLU, conv 3x3, tanh."""
    x = layers.batch_norm(x, None, train, generator.axis_name, generator.dtype)
    return jnp.tanh(conv(generator, generator.shape[-1], 3, nn.relu(x), train))


def judged(
    discriminator: Any, x: jax.Array, label: chex.Array | None, dtype: Any, train: bool
) -> jax.Array:
    """The logits [n] of the last feature maps: h their sum over the pixels, w . h + b + <e, h>.

    Raises:
      ValueError: if there are no labels, and the discriminator is `conditional`.
    """
    h = nn.relu(x).astype(dtype).sum((1, 2))
    logits = layers.SpectralDense(1, kernel_init=KERNEL_INIT)(h, train)[:, 0]
    if not discriminator.conditional:
        return logits
    projection = layers.SpectralDense(
        h.shape[-1], use_bias=False, kernel_init=KERNEL_INIT, name='projection'
    )
    one_hot = layers.one_hot(label, discriminator.classes).astype(h.dtype)
    return logits + jnp.sum(projection(one_hot, train) * h, axis=-1)


class UpBlock(nn.Module):
    """norm, ReLU, upsample, conv 3x3, norm, ReLU, conv 3x3; beside it upsample, conv 1x1.

    Attributes:
      features: the channels of all convolutions.
      spectral: whether the kernels of conditional norms are divided by their spectral norms.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    spectral: bool = True
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, condition: chex.Array | None, train: bool) -> jax.Array:
        """Maps [batch, h, w, in] to [batch, 2h, 2w, features].

        Args:
          x: feature maps.
          condition: what norms depend on [batch, size]; None for a scale and a bias of their own.
          train: whether batch statistics are the batch's own.
        """
        y = layers.upsample_nearest(nn.relu(norm(self, x, condition, train)))
        y = conv(self, self.features, 3, y, train)
        y = nn.relu(norm(self, y, condition, train))
        y = conv(self, self.features, 3, y, train)
        # A 1x1 convolution and repetition commute; in this order it is four times cheaper.
        return y + layers.upsample_nearest(conv(self, self.features, 1, x, train))


class DownBlock(nn.Module):
    """ReLU, conv 3x3, ReLU, conv 3x3, mean of 2x2; beside it a conv 1x1 and the mean.

    Attributes:
      features: the channels of all convolutions.
      halve: whether to halve the size; if not, and the channels stay, the input is added as it is.
      first: whether the input is an image, which passes no ReLU.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    halve: bool = True
    first: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, h, w, in] to [batch, h/2, w/2, features], or [batch, h, w, features]."""
        y = x if self.first else nn.relu(x)
        y = conv(self, self.features, 3, y, train)
        y = conv(self, self.features, 3, nn.relu(y), train)
        if self.halve:
            # A 1x1 convolution and the mean commute; in this order it is four times cheaper.
            x, y = layers.downsample_mean(x), layers.downsample_mean(y)
        if self.halve or x.shape[-1] != self.features:
            x = conv(self, self.features, 1, x, train)
        return x + y


class Generator(nn.Module):
    """(latent, label) -> 4x4 feature map -> residual blocks, each doubling the size -> tanh.

    A block's norms depend on its condition: the label's embedding, which all blocks share, and the
    block's own chunk of the latent, joined.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels before an image of 128 or 256 pixels, half of those before one of 64 and a
        quarter of those before one of 16 or 32.
      shared: the size of the labels' embedding; 0 for one-hot labels.
      hierarchical: whether the latent is cut into chunks, the first for the 4x4 map and one for
        each block; if not, the map has all of it.
      attention: the size of the feature maps after which there is self-attention; 0 for none.
      conditional: whether it takes labels.
      classes: how many classes there are.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 96
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
            labels are missing, or the latent is too small to be cut.
        """
        multiples, _, _ = scales(self.shape)
        blocks = len(multiples) - 1
        check_attention(self.attention, (SMALLEST << i for i in range(1, blocks + 1)))
        first, conditions = self._cut(latent, label, blocks)
        x = first_map(self, first, multiples[0] * self.width, train)
        of_labels_alone = not (self.shared or self.hierarchical)
        for condition, multiple in zip(conditions, multiples[1:], strict=True):
            block = UpBlock(multiple * self.width, not of_labels_alone, self.axis_name, self.dtype)
            x = block(x, condition, train)
            if x.shape[1] == self.attention:
                x = attention(self)(x, train)
        return to_image(self, x, train).astype(latent.dtype)

    def _cut(
        self, latent: chex.Array, label: chex.Array | None, blocks: int
    ) -> tuple[jax.Array, list[jax.Array | None]]:
        """What the first layer has, and each block's condition."""
        size = latent.shape[-1] // (blocks + 1) if self.hierarchical else 0
        if self.hierarchical and not size:
            raise ValueError(
                f'a latent of {latent.shape[-1]} numbers cannot be cut into {blocks + 1} chunks: '
                f'set latent.size to a multiple of that, or hierarchical to False'
            )
        own = latent.shape[-1] - size * blocks
        parts = [[latent[:, own + i * size : own + (i + 1) * size]] for i in range(blocks)]
        parts = parts if self.hierarchical else [[] for _ in range(blocks)]
        shared = [x.astype(latent.dtype) for x in told(self, label)]
        parts = [[*shared, *part] for part in parts]
        return latent[:, :own], [jnp.concatenate(x, axis=-1) if x else None for x in parts]


class Discriminator(nn.Module):
    """(image, label) -> residual blocks -> h, summed over the pixels -> w . h + b + <e_label, h>.

    Attributes:
      shape: (height, width, channels) of an image.
      width: the channels of the first block; a quarter of those of all blocks at 16 and 32 pixels.
      attention: the size of the feature maps after which there is self-attention; 0 for none.
      conditional: whether it takes labels; if not, the logit has no projection.
      classes: how many classes there are.
      axis_name: unused, since there are no batch statistics.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 96
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
        _, multiples, halvings = scales(self.shape)
        check_attention(self.attention, (self.shape[0] >> i for i in range(1, halvings + 1)))
        x = image
        for level, multiple in enumerate(multiples):
            halve, first = level < halvings, level == 0
            x = DownBlock(multiple * self.width, halve, first, self.dtype)(x, train)
            if halve and x.shape[1] == self.attention:
                x = attention(self)(x, train)
        return judged(self, x, label, image.dtype, train)
