"""Normalisation layers."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp


def normal_around_one(stddev: float) -> nn.initializers.Initializer:
    """N(1, stddev^2), the initializer DCGAN's code gives to BatchNorm's scale."""
    normal = nn.initializers.normal(stddev)
    return lambda key, shape, dtype: 1.0 + normal(key, shape, dtype)


class BatchNorm(nn.BatchNorm):
    """flax's, with PyTorch's defaults; statistics and the normalisation itself in float32.

    The fast variance, E[x^2] - E[x]^2, loses all digits where the mean is large.

    Attributes:
      output_dtype: the result's type; None is x's.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    use_fast_variance: bool = False
    output_dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, *args: Any, **kwargs: Any) -> jax.Array:
        """Maps [batch, ..., features] to the same shape, of type `output_dtype`."""
        wide = x.astype(jnp.float32 if x.dtype.itemsize < 4 else x.dtype)
        return super().__call__(wide, *args, **kwargs).astype(self.output_dtype or x.dtype)


class LayerNorm(nn.Module):
    """Each example normalised by its own mean and variance, over all axes but the batch's.

    scale * (x - mean) / sqrt(var + epsilon) + bias, a scale and a bias per feature; in float32.
    Examples stay apart, as a gradient penalty asks.

    Source: Layer Normalization (Ba et al., 2016), section 3; in a critic, Improved Training of
    Wasserstein GANs (Gulrajani et al., 2017), section 4.

    Attributes:
      epsilon: what is added to the variance.
      output_dtype: the result's type; None is x's.
    """

    epsilon: float = 1e-5
    output_dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, ..., features] to the same shape, of type `output_dtype`."""
        wide = x.astype(jnp.float32 if x.dtype.itemsize < 4 else x.dtype)
        axes, features = tuple(range(1, x.ndim)), (1,) * (x.ndim - 1) + x.shape[-1:]
        scale = self.param('scale', nn.initializers.ones_init(), x.shape[-1:])
        bias = self.param('bias', nn.initializers.zeros_init(), x.shape[-1:])
        centred = wide - jnp.mean(wide, axes, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axes, keepdims=True)
        y = centred * jax.lax.rsqrt(variance + self.epsilon)
        y = y * scale.reshape(features).astype(y.dtype) + bias.reshape(features).astype(y.dtype)
        return y.astype(self.output_dtype or x.dtype)
