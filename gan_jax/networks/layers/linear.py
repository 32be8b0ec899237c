"""Dense and convolution layers: the one place that says how they are computed.

Every convolution of the library, transposed ones too, goes through `convolve`.
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
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

    An image of size n becomes stride * (n - 1) + kernel - 2 * padding.

    Attributes:
      features: the number of output channels.
      kernel_size: height and width of the kernel, [height, width, in, out].
      strides: the factors of upsampling.
      padding: how many pixels the forward convolution would pad on each side.
      use_bias: whether to add a bias [out].
      kernel_init: the kernel's initializer.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    kernel_size: Sequence[int]
    strides: Sequence[int]
    padding: int
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, height, width, in] to [batch, height', width', features]."""
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        x, kernel = promote_dtype(x, kernel, dtype=self.dtype)
        y = convolve(
            x,
            kernel,
            window_strides=(1, 1),
            padding=[(size - 1 - self.padding,) * 2 for size in self.kernel_size],
            lhs_dilation=tuple(self.strides),
            dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        )
        if self.use_bias:
            bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
            y = y + jnp.reshape(bias, (1, 1, 1, -1)).astype(y.dtype)
        return y
