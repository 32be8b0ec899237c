"""Self-attention between the places of a feature map."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.initializers import Initializer

from gan_jax.networks.layers.linear import Conv
from gan_jax.networks.layers.promotion import wide
from gan_jax.networks.layers.spectral import SpectralConv

REDUCTION = 8  # channels of the input to one of a query or a key


def _pooled(x: jax.Array) -> jax.Array:
    """The maxima of 2x2 pixels, the pixels in one axis: [b, 2h, 2w, c] to [b, h * w, c]."""
    batch, height, width, channels = x.shape
    pairs = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return pairs.max((2, 4)).reshape(batch, -1, channels)


class SelfAttention(nn.Module):
    """x + gamma * out(sum_j softmax_j(theta(x)_i . phi(x)_j) g(x)_j), gamma a number, 0 at first.

    theta, phi, g and out are 1x1 convolutions without biases: theta and phi to an eighth of the
    channels, g to half of them, out back to all. phi and g are pooled to the maxima of 2x2 pixels,
    so that each place i looks at a quarter of as many places j. The softmax is in float32.

    Source: Self-Attention Generative Adversarial Networks (Zhang et al., 2019), section 3, and the
    authors' code, which has the pooling and no eighth for g.

    Attributes:
      spectral: whether kernels are divided by their spectral norms.
      kernel_init: the kernels' initializer.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    spectral: bool = False
    kernel_init: Initializer = nn.initializers.glorot_uniform()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> jax.Array:
        """Maps [batch, height, width, channels] to the same shape; at first it is the identity.

        Raises:
          ValueError: if there are fewer than 8 channels, or height or width is odd.
        """
        height, width, channels = x.shape[1:]
        if channels < REDUCTION or height % 2 or width % 2:
            raise ValueError(
                f'self-attention takes maps of even height and width with {REDUCTION} channels or '
                f'more, not {height}x{width}x{channels}: widen the network, or attend elsewhere'
            )
        theta = self._conv('theta', channels // REDUCTION, x, train)
        phi = _pooled(self._conv('phi', channels // REDUCTION, x, train))
        values = _pooled(self._conv('g', channels // 2, x, train))
        logits = jnp.einsum('bhwc,bkc->bhwk', theta, phi)
        weights = jax.nn.softmax(wide(logits), axis=-1).astype(values.dtype)
        y = self._conv('out', channels, jnp.einsum('bhwk,bkc->bhwc', weights, values), train)
        gamma = self.param('gamma', nn.initializers.zeros_init(), ())
        return x + (gamma.astype(y.dtype) * y).astype(x.dtype)

    def _conv(self, name: str, features: int, x: jax.Array, train: bool) -> jax.Array:
        settings: dict[str, Any] = {
            'use_bias': False,
            'kernel_init': self.kernel_init,
            'dtype': self.dtype,
            'name': name,
        }
        if self.spectral:
            return SpectralConv(features, (1, 1), **settings)(x, train)
        return Conv(features, (1, 1), **settings)(x)
