"""Batch normalisation whose scale and shift are functions of a condition."""

from typing import Any

import chex
import flax.linen as nn
import jax
from flax.linen.initializers import Initializer

from gan_jax.networks.layers.linear import Dense
from gan_jax.networks.layers.normalization import BatchNorm
from gan_jax.networks.layers.promotion import wide
from gan_jax.networks.layers.spectral import SpectralDense


class ConditionalBatchNorm(nn.Module):
    """(1 + W y) * norm(x) + V y, norm the batch's without scale and bias, y the condition.

    W and V have no biases. Of one-hot labels y they hold a scale, less one, and a shift per class.
    All is in float32.

    Source: A Learned Representation for Artistic Style (Dumoulin et al., 2017), section 2.2; in
    this form Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al.,
    2019), section 3 and appendix B.

    Attributes:
      use_running_average: whether statistics are the running ones, as after training.
      spectral: whether W and V are divided by their spectral norms.
      kernel_init: the initializer of W and V.
      epsilon: what is added to the variance.
      axis_name: the axis over which batch statistics are averaged.
      output_dtype: the result's type; None is x's.
    """

    use_running_average: bool
    spectral: bool = False
    kernel_init: Initializer = nn.initializers.normal(0.02)
    epsilon: float = 1e-5
    axis_name: str | None = None
    output_dtype: Any = None

    @nn.compact
    def __call__(self, x: chex.Array, condition: chex.Array) -> jax.Array:
        """Maps [batch, ..., features], with conditions [batch, size], to the same shape.

        Raises:
          AssertionError: if there is not one condition per example.
        """
        chex.assert_shape(condition, (x.shape[0], None))
        y = BatchNorm(
            use_running_average=self.use_running_average,
            epsilon=self.epsilon,
            axis_name=self.axis_name,
            use_scale=False,
            use_bias=False,
        )(wide(x))
        shape = (x.shape[0],) + (1,) * (x.ndim - 2) + (x.shape[-1],)
        scale, shift = (
            self._linear(name, x.shape[-1], wide(condition)).reshape(shape).astype(y.dtype)
            for name in ('scale', 'shift')
        )
        return ((1.0 + scale) * y + shift).astype(self.output_dtype or x.dtype)

    def _linear(self, name: str, features: int, y: jax.Array) -> jax.Array:
        settings: dict[str, Any] = {
            'use_bias': False,
            'kernel_init': self.kernel_init,
            'name': name,
        }
        if self.spectral:
            return SpectralDense(features, **settings)(y, not self.use_running_average)
        return Dense(features, **settings)(y)


def batch_norm(
    x: chex.Array,
    condition: chex.Array | None,
    train: bool,
    axis_name: str | None = None,
    dtype: Any = None,
    **of_condition: Any,
) -> jax.Array:
    """x normalised over the batch, with a scale and a shift of its own or as a condition says.

    To be called within a module's compact method: its parameters are the module's.

    Args:
      x: features [batch, ..., features].
      condition: [batch, size]; None for `BatchNorm`.
      train: whether batch statistics are the batch's own.
      axis_name: the axis over which they are averaged.
      dtype: the result's type; None is x's.
      **of_condition: further attributes of `ConditionalBatchNorm`.

    Returns:
      The same shape.
    """
    settings: dict[str, Any] = {
        'use_running_average': not train,
        'axis_name': axis_name,
        'output_dtype': dtype,
    }
    if condition is None:
        return BatchNorm(**settings)(x)
    return ConditionalBatchNorm(**settings, **of_condition)(x, condition)
