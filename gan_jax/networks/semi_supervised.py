"""The perceptrons of semi-supervised learning with K + 1 classes, the last that of generated ones.

Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 6.1, as the authors'
code for MNIST has them; pixels are in [0, 1] there and here within the discriminator, so that its
noise is in these units.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import layers
from gan_jax.networks.verdict import Verdict

# Of standardised activations half pass a ReLU; with that and the noise a column of length 1.3
# leaves their variance near 1. Digits' pixels and their noise have a mean square of about 0.2.
FIRST_GAIN, GAIN = 2.5, 1.3


class Generator(nn.Module):
    """latent -> features (batch norm, softplus) -> weight norm, a sigmoid: an example.

    Attributes:
      shape: the shape of an example.
      features: the widths of the hidden layers.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    features: Sequence[int] = (500, 500)
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to examples [batch, *shape] in [-1, 1]."""
        x = latent
        for width in self.features:
            x = layers.Dense(width, use_bias=False, dtype=self.dtype)(x)
            norm = layers.BatchNorm(
                use_running_average=not train,
                axis_name=self.axis_name,
                use_scale=False,
                output_dtype=self.dtype,
            )
            x = nn.softplus(norm(x))
        x = layers.WeightNormDense(math.prod(self.shape), dtype=self.dtype)(x)
        x = jnp.tanh(x / 2)  # 2 sigmoid(x) - 1
        return x.reshape(-1, *self.shape).astype(latent.dtype)


class Classifier(nn.Module):
    """example -> features (noise, weight norm, ReLU) -> logits of classes, and of being real.

    The logit of being real is log sum_k exp(l_k), see class_losses.realness. In training each layer
    but that of the pixels has its noise before it, as the pixels have theirs.

    Attributes:
      classes: how many classes there are.
      features: the widths of the hidden layers.
      pixel_noise: the standard deviation of the noise on pixels in [0, 1].
      noise: that on each layer's activations.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    classes: int
    features: Sequence[int] = (1000, 500, 250, 250, 250)
    pixel_noise: float = 0.3
    noise: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool, rng: chex.PRNGKey | None = None) -> Verdict:
        """Maps examples [batch, ...] to logits [batch], features, and classes [batch, classes].

        Args:
          image: in [-1, 1].
          train: whether there is noise.
          rng: keys [batch] of the noise; None for none.

        Raises:
          ValueError: if there are no classes.
        """
        if not self.classes:
            raise ValueError('this network names classes, and the data set has none')
        x = (image.reshape(image.shape[0], -1) + 1.0) / 2.0
        drawn = rng if train else None
        for i, width in enumerate(self.features):
            x = _noisy(x, drawn, i, self.noise if i else self.pixel_noise)
            gain = GAIN if i else FIRST_GAIN
            x = nn.relu(layers.WeightNormDense(width, gain, False, self.dtype)(x))
        features = x.astype(jnp.float32)
        x = _noisy(features, drawn, len(self.features), self.noise)
        classes = layers.WeightNormDense(self.classes)(x)
        return Verdict(jax.nn.logsumexp(classes, axis=1), features, classes)


def _noisy(x: jax.Array, rng: chex.PRNGKey | None, layer: int, stddev: float) -> jax.Array:
    """With noise of each example's own key; that of a layer is no other layer's."""
    if rng is None or not stddev:
        return x

    def draw(key: chex.PRNGKey) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(key, layer), x.shape[1:])

    return x + (stddev * jax.vmap(draw)(rng)).astype(x.dtype)
