"""Dense layers whose kernels have a length of their own."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype


class WeightNormDense(nn.Module):
    """y = x W + b, each column of W a direction times a length: w = g v / ||v||.

    Source: Weight Normalization: A Simple Reparameterization to Accelerate Training of Deep Neural
    Networks (Salimans & Kingma, 2016), equation 2. There g and b begin such that y has mean 0 and
    variance 1 over a first batch; here g begins at `gain` and b at 0.

    Attributes:
      features: the number of outputs.
      gain: g at the beginning.
      trained: whether g is a parameter; else it stays, and noise on x keeps its share of y.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    features: int
    gain: float = 1.0
    trained: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, in] to [batch, features]."""
        shape = (x.shape[-1], self.features)
        v = self.param('kernel', nn.initializers.normal(0.1), shape)
        bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
        scale: Any = self.gain
        if self.trained:
            begin = nn.initializers.constant(self.gain)
            scale = self.param('scale', begin, (1, self.features))
        w = v * (scale * jax.lax.rsqrt(jnp.sum(jnp.square(v), axis=0, keepdims=True) + 1e-12))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        return x @ w + bias[None]
