"""The perceptrons of PacGAN for mixtures of Gaussians in the plane.

Source: PacGAN: The Power of Two Samples in Generative Adversarial Networks (Lin et al., 2018),
section 4.1 (the rings and grids of VEEGAN). Kernels are from N(0, 0.02), biases begin at zero.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax

from gan_jax.networks import layers

NORMS = ('batch', 'none')
INITIALIZERS = {'normal': nn.initializers.normal(0.02), 'he': nn.initializers.he_normal()}


def _initializer(name: str) -> nn.initializers.Initializer:
    if name not in INITIALIZERS:
        raise ValueError(f'weights must be one of {", ".join(INITIALIZERS)}, not {name!r}')
    return INITIALIZERS[name]


class Generator(nn.Module):
    """latent -> dense, BatchNorm, ReLU, `depth` times -> linear: points anywhere, not squashed.

    Attributes:
      shape: the shape of an example, (2,) for points of the plane.
      width: the width of the hidden layers, which have no bias.
      depth: the number of hidden layers.
      norm: 'batch' or 'none'.
      weights: 'normal', N(0, 0.02), or 'he', whose scale does not shrink with the width.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 400
    depth: int = 4
    norm: str = 'batch'
    weights: str = 'normal'
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, latent: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] to samples [batch, *shape], of any size.

        Raises:
          ValueError: if there is no such `norm` or `weights`.
        """
        if self.norm not in NORMS:
            raise ValueError(f'norm must be one of {", ".join(NORMS)}, not {self.norm!r}')
        normed, kernel_init = self.norm == 'batch', _initializer(self.weights)
        x = latent
        for _ in range(self.depth):
            x = layers.Dense(
                self.width, use_bias=not normed, kernel_init=kernel_init, dtype=self.dtype
            )(x)
            if normed:
                x = layers.BatchNorm(
                    use_running_average=not train, axis_name=self.axis_name, output_dtype=self.dtype
                )(x)
            x = nn.relu(x)
        size = math.prod(self.shape)
        x = layers.Dense(size, kernel_init=kernel_init, dtype=self.dtype)(x)
        return x.reshape(-1, *self.shape).astype(latent.dtype)


class Discriminator(nn.Module):
    """example -> maxout, `depth` times -> logit.

    Attributes:
      shape: the shape of an example; a packed one, whose last axis is longer, is judged as well.
      width: the width of the hidden layers.
      depth: the number of hidden layers.
      pieces: of how many linear functions a hidden unit is the maximum.
      weights: 'normal', N(0, 0.02), or 'he', whose scale does not shrink with the width.
      minibatch: what of the batch is appended to the last features: '', 'stddev' or
        'discrimination'.
      axis_name: the axis over which the batch is spread.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 200
    depth: int = 3
    pieces: int = 5
    weights: str = 'normal'
    minibatch: str = ''
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> jax.Array:
        """Maps examples [batch, ...] to logits [batch].

        Raises:
          ValueError: if there is no such kind of `minibatch` or `weights`.
        """
        kernel_init = _initializer(self.weights)
        x = image.reshape(image.shape[0], -1)
        for _ in range(self.depth):
            x = layers.LinearMaxout(self.width, self.pieces, kernel_init, self.dtype)(x)
        x = layers.append_minibatch(x, self.minibatch, self.axis_name if train else None)
        return layers.Dense(1, kernel_init=kernel_init, dtype=image.dtype)(x)[:, 0]
