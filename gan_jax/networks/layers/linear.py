"""Dense and convolution layers: the one place that says how they are computed.

Every convolution of the library, transposed ones too, goes through `convolve`.
"""

import functools
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from flax.linen.initializers import Initializer

from gan_jax.networks.layers.convolution import convolve

Dense = nn.Dense


def _convolve(*args: Any, **kwargs: Any) -> jax.Array:
    return convolve(*args, **kwargs)


class Conv(nn.Conv):
    """flax's convolution layer, computed by `convolve`."""

    conv_general_dilated: Any = _convolve


class ConvTranspose(nn.Module):
    """Transposed 2-D convolution, the adjoint of a strided convolution.

    An image of size n becomes stride * (n - 1) + kernel - before - after, the padding's two sides.

    Attributes:
      features: the number of output channels.
      kernel_size: height and width of the kernel, [height, width, in, out].
      strides: the factors of upsampling.
      padding: how many pixels the forward convolution would pad on each side, or (before, after),
        or that of each axis.
      use_bias: whether to add a bias [out].
      kernel_init: the kernel's initializer.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    kernel_size: Sequence[int]
    strides: Sequence[int]
    padding: int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, height, width, in] to [batch, height', width', features]."""
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        x, kernel = promote_dtype(x, kernel, dtype=self.dtype)
        pads = np.broadcast_to(self.padding, (2, 2)).tolist()
        y = convolve(
            x,
            kernel,
            window_strides=(1, 1),
            padding=[
                (size - 1 - before, size - 1 - after)
                for size, (before, after) in zip(self.kernel_size, pads, strict=True)
            ],
            lhs_dilation=tuple(self.strides),
            dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        )
        if self.use_bias:
            bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
            y = y + jnp.reshape(bias, (1, 1, 1, -1)).astype(y.dtype)
        return y


class GroupedConv(nn.Module):
    """2-D convolution of stride 1 in groups: group i of the outputs sees group i of the inputs.

    It is `convolve` mapped over the groups, since XLA's own grouped convolution is slow on a CPU:
    value and gradients took 7 to 50 times as long, at 64 to 256 channels in groups of 8 or 16. The
    map took about half as long as a dense convolution of as many channels. On a GPU or TPU it is
    lowered to one native convolution with groups.

    Source: Aggregated Residual Transformations for Deep Neural Networks (Xie et al., 2017),
    section 3.

    Attributes:
      features: the number of output channels, a multiple of `groups`.
      kernel_size: height and width of the kernel, [height, width, in / groups, out].
      groups: the number of groups, a divisor of the input's channels too.
      padding: how many zeros are put on each side.
      use_bias: whether to add a bias [out].
      kernel_init: the kernel's initializer.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    kernel_size: Sequence[int]
    groups: int
    padding: int = 0
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, height, width, in] to [batch, height', width', features].

        Raises:
          ValueError: if a number of channels is no multiple of `groups`.
        """
        channels, groups = x.shape[-1], self.groups
        if channels % groups or self.features % groups:
            raise ValueError(
                f'{groups} groups divide {channels} into {self.features} channels unevenly: both '
                f'must be multiples of the number of groups'
            )
        shape = (*self.kernel_size, channels // groups, self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        x, kernel = promote_dtype(x, kernel, dtype=self.dtype)

        def one(x: jax.Array, kernel: jax.Array) -> jax.Array:
            pads = [(self.padding, self.padding)] * 2
            return convolve(x, kernel, (1, 1), pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

        if groups == 1:
            y = one(x, kernel)
        else:
            x = x.reshape(*x.shape[:3], groups, -1)
            y = jax.vmap(one, 3, 3)(x, kernel.reshape(*shape[:3], groups, -1))
            y = y.reshape(*y.shape[:3], -1)
        if self.use_bias:
            bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
            y = y + jnp.reshape(bias, (1, 1, 1, -1)).astype(y.dtype)
        return y


class LinearMaxout(nn.Module):
    """Each feature is the largest of several linear functions of the input.

    y_i = max over j of (x W + b)_ji, with W [in, pieces * features].

    Source: Maxout Networks (Goodfellow et al., 2013), section 3.

    Attributes:
      features: the number of outputs.
      pieces: of how many functions an output is the maximum.
      kernel_init: the initializer of W; b begins at zero.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    pieces: int = 5
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [..., in] to [..., features]."""
        width = self.features * self.pieces
        y = Dense(width, kernel_init=self.kernel_init, dtype=self.dtype)(x)
        # A CPU finds the maximum of whole vectors ten times faster than that along the last axis.
        return functools.reduce(jnp.maximum, jnp.split(y, self.pieces, axis=-1))
