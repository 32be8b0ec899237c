"""A vocoder that makes spectra, and the inverse transform the sound: cheap enough for a CPU.

Source: Vocos: Closing the Gap between Time-Domain and Fourier-Based Neural Vocoders for
High-Quality Audio Synthesis (Siuzdak, 2023): ConvNeXt blocks, all at the rate of the mel frames.
With the defaults, 100 mels and transforms of 1,024 samples there are 13,531,650 parameters.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax import spectra
from gan_jax.networks import layers

LOUDEST = 1e2  # of a spectrum's magnitudes
KERNEL_INIT = nn.initializers.truncated_normal(0.02)
KERNEL = 7


class Generator(nn.Module):
    """mel frames -> ConvNeXt blocks -> magnitudes and phases -> the inverse transform.

    Attributes:
      shape: (samples, channels) of a sound.
      width: the channels of the frames.
      hidden: those within a block.
      blocks: how many there are.
      size: samples of a transform.
      hop: samples of a frame, a divisor of `size`.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 512
    hidden: int = 1536
    blocks: int = 8
    size: int = 1024
    hop: int = 256
    dtype: Any = None

    @nn.compact
    def __call__(self, source: chex.Array, train: bool) -> jax.Array:
        """Maps mel spectrograms [batch, frames, mels] to sounds [batch, hop * frames, 1].

        Raises:
          ValueError: if the hop is no divisor of the transform's samples.
        """
        x = layers.TimeConv(self.width, KERNEL, 1, KERNEL_INIT, self.dtype)(source)
        x = self._norm()(x)
        for _ in range(self.blocks):
            x = Block(self.width, self.hidden, 1 / self.blocks, self.dtype)(x)
        x = self._norm()(x)
        x = layers.Dense(self.size + 2, kernel_init=KERNEL_INIT, dtype=self.dtype)(x)
        magnitudes, phases = jnp.split(x.astype(jnp.float32), 2, axis=-1)
        magnitudes = jnp.minimum(jnp.exp(magnitudes), LOUDEST)
        spectrum = jax.lax.complex(magnitudes * jnp.cos(phases), magnitudes * jnp.sin(phases))
        sound = spectra.istft(spectrum, self.hop, padding=(self.size - self.hop) // 2)
        return sound[..., None].astype(source.dtype)

    def _norm(self) -> layers.LayerNorm:
        return layers.LayerNorm(output_dtype=self.dtype)


class Block(nn.Module):
    """x + gamma * Dense(gelu(Dense(norm(each channel convolved by itself)))).

    Source: A ConvNet for the 2020s (Liu et al., 2022).

    Attributes:
      width: the channels.
      hidden: those between the dense layers.
      scale: what gamma begins at.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    width: int
    hidden: int
    scale: float
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, frames, width] to the same shape."""
        kernel = self.param('kernel', KERNEL_INIT, (KERNEL, self.width))
        bias = self.param('bias', nn.initializers.zeros_init(), (self.width,))
        half, frames = KERNEL // 2, x.shape[1]
        padded = jnp.pad(x, ((0, 0), (half, half), (0, 0)))
        shifted = [padded[:, k : k + frames] * kernel[k][None, None] for k in range(KERNEL)]
        y = sum(shifted[1:], shifted[0]) + bias[None, None]
        y = layers.LayerNorm(output_dtype=self.dtype)(y)
        y = layers.Dense(self.hidden, kernel_init=KERNEL_INIT, dtype=self.dtype)(y)
        y = nn.gelu(y, approximate=False)
        y = layers.Dense(self.width, kernel_init=KERNEL_INIT, dtype=self.dtype)(y)
        gamma = self.param('gamma', nn.initializers.constant(self.scale), (self.width,))
        return x + gamma[None, None] * y
