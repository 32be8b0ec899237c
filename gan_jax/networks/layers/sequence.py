"""Convolutions along time, on the library's own convolution of images."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.initializers import Initializer

from gan_jax.networks.layers.linear import Conv, ConvTranspose


class TimeConv(nn.Module):
    """y_t = b + sum_k W_k x_{t + dilation (k - (size - 1) / 2)}, zeros outside; as long as x.

    Every dilation-th sample is a row of an image whose columns are the phases, so that a kernel
    without holes does it: XLA's own dilated kernels are slow on a CPU.

    Attributes:
      features: the number of output channels.
      size: samples of the kernel, odd.
      dilation: from one to the next of them.
      kernel_init: the kernel's initializer.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    size: int
    dilation: int = 1
    kernel_init: Initializer = nn.initializers.normal(0.01)
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, samples, in] to [batch, samples, features].

        Raises:
          ValueError: if the kernel's size is even.
        """
        if self.size % 2 == 0:
            raise ValueError(f'size={self.size} must be odd, for y to be as long as x')
        rows = in_rows(x, self.dilation)
        half = self.size // 2
        y = Conv(
            self.features,
            (self.size, 1),
            padding=((half, half), (0, 0)),
            kernel_init=self.kernel_init,
            dtype=self.dtype,
        )(rows)
        return y.reshape(y.shape[0], -1, y.shape[-1])[:, : x.shape[1]]


class TimeUpsample(nn.Module):
    """A transposed convolution: `factor` times as long.

    Attributes:
      features: the number of output channels.
      size: samples of the kernel; it and the factor are both even or both odd.
      factor: of the length.
      kernel_init: the kernel's initializer.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    size: int
    factor: int
    kernel_init: Initializer = nn.initializers.normal(0.01)
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, samples, in] to [batch, factor * samples, features].

        Raises:
          ValueError: if it would have another length.
        """
        pad, odd = divmod(self.size - self.factor, 2)
        if odd or pad < 0:
            raise ValueError(
                f'a kernel of {self.size} samples does not make {self.factor} of one: it must be '
                f'as even or odd, and no smaller'
            )
        y = ConvTranspose(
            self.features,
            (self.size, 1),
            (self.factor, 1),
            padding=((pad, pad), (0, 0)),
            kernel_init=self.kernel_init,
            dtype=self.dtype,
        )(x[:, :, None])
        return y[:, :, 0]


def in_rows(x: chex.Array, columns: int) -> jax.Array:
    """[batch, samples, channels] -> [batch, rows, columns, channels], the end filled with zeros."""
    padded = jnp.pad(x, ((0, 0), (0, -x.shape[1] % columns), (0, 0)))
    return padded.reshape(x.shape[0], -1, columns, x.shape[2])
