"""WaveGAN's networks: one-dimensional convolutions of 25 samples, a factor of 4 a layer.

Source: Adversarial Audio Synthesis (Donahue et al., 2019), tables 3 and 4: DCGAN made one-
dimensional and without batch norm, with phase shuffle in the discriminator. With width 64 and
16,384 samples there are 19,065,345 and 17,427,969 parameters.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers

INNERMOST, FACTOR, KERNEL = 16, 4, 25
# What a convolution of 25 samples and stride 4 pads, so that lengths are divided by 4.
PADDING = 10, 11
KERNEL_INIT = nn.initializers.glorot_uniform()
SLOPE = 0.2


def scalings(shape: Sequence[int]) -> int:
    """How many layers there are between 16 samples and a sound's length.

    Raises:
      ValueError: if that is no power of 4 times 16.
    """
    if len(shape) != 2:
        raise ValueError(f'WaveGAN makes sounds [samples, channels], not {tuple(shape)}')
    layers = round(math.log(shape[0] / INNERMOST, FACTOR))
    if layers < 1 or INNERMOST * FACTOR**layers != shape[0]:
        raise ValueError(
            f'WaveGAN makes sounds of 64, 256, 1024, 4096, 16384 or 65536 samples, not {shape[0]}: '
            f'set data.length to one of these'
        )
    return layers


class Generator(nn.Module):
    """latent -> 16 samples -> transposed convolutions, each four times as long -> tanh.

    Attributes:
      shape: (samples, channels) of a sound.
      width: the channels before the sound; twice as many at each quarter of the length.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to sounds [batch, *shape] in [-1, 1].

        Raises:
          ValueError: if sounds of this shape cannot be made.
        """
        levels = scalings(self.shape)
        width = self.width * 2 ** (levels - 1)
        x = layers.Dense(INNERMOST * width, kernel_init=KERNEL_INIT, dtype=self.dtype)(latent)
        x = nn.relu(x.reshape(-1, INNERMOST, 1, width))
        for level in reversed(range(levels)):
            features = self.width * 2 ** (level - 1) if level else self.shape[-1]
            x = layers.ConvTranspose(
                features,
                (KERNEL, 1),
                (FACTOR, 1),
                padding=(PADDING, (0, 0)),
                kernel_init=KERNEL_INIT,
                dtype=self.dtype,
            )(x)
            x = nn.relu(x) if level else jnp.tanh(x)
        return x[:, :, 0].astype(latent.dtype)


class Discriminator(nn.Module):
    """sound -> strided convolutions, phases shuffled between them -> logit.

    Attributes:
      shape: (samples, channels) of a sound.
      width: the channels after the first convolution; twice as many at each quarter of the length.
      phase_shuffle: by how many samples activations are shifted at most; 0 for none.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 64
    phase_shuffle: int = 2
    dtype: Any = None

    @nn.compact
    def __call__(
        self, sound: chex.Array, train: bool, rng: chex.PRNGKey | None = None
    ) -> jax.Array:
        """Maps sounds [batch, *shape] to logits [batch].

        Args:
          sound: in [-1, 1].
          train: whether phases are shuffled.
          rng: keys [batch] of the shifts; None for none.

        Raises:
          ValueError: if sounds of this shape cannot be judged.
        """
        levels = scalings(self.shape)
        x = sound[:, :, None]
        for level in range(levels):
            x = layers.Conv(
                self.width * 2**level,
                (KERNEL, 1),
                strides=(FACTOR, 1),
                padding=(PADDING, (0, 0)),
                kernel_init=KERNEL_INIT,
                dtype=self.dtype,
            )(x)
            x = nn.leaky_relu(x, SLOPE)
            if train and rng is not None and level < levels - 1:
                x = phase_shuffle(
                    x, jax.vmap(jax.random.fold_in, (0, None))(rng, level), self.phase_shuffle
                )
        x = x.reshape(x.shape[0], -1)
        return layers.Dense(1, kernel_init=KERNEL_INIT, dtype=self.dtype)(x)[:, 0].astype(
            sound.dtype
        )


def phase_shuffle(x: chex.Array, rng: chex.PRNGKey, most: int) -> jax.Array:
    """Shifts each example's activations by a number of samples from -most to most, all as likely.

    What is missing at one end is the mirror image of what is there. In the authors' code all
    examples of a batch are shifted alike; here each by its own key, so that a batch may be split
    among devices at will.

    Source: Adversarial Audio Synthesis (Donahue et al., 2019), section 3.3.

    Args:
      x: [batch, samples, 1, channels].
      rng: keys [batch].
      most: at least 0, below the number of samples.

    Returns:
      The same shape.

    Raises:
      AssertionError: if there is not one key per example.
    """
    chex.assert_shape(rng, x.shape[:1])
    if not most:
        return x
    padded = jnp.pad(x, ((0, 0), (most, most), (0, 0), (0, 0)), mode='reflect')
    starts = jax.vmap(lambda key: jax.random.randint(key, (), 0, 2 * most + 1))(rng)

    def shifted(example: jax.Array, start: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(example, start, x.shape[1], axis=0)

    return jax.vmap(shifted)(padded, starts)
