"""DCGAN's networks with codes: told to the generator, read off of the discriminator's features.

Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets (Chen et al., 2016), appendix C.1.
"""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import dcgan, layers
from gan_jax.networks.verdict import Verdict


def _known(categories: int | None) -> int:
    if not categories:
        raise ValueError("these networks are told codes: give config.latent the name 'coded'")
    return categories


class Generator(dcgan.Generator):
    """(latent, category, continuous) -> image: DCGAN's, the codes beside the noise.

    Attributes:
      categories: how many there are.
    """

    categories: int = 0

    @nn.compact
    def __call__(  # type: ignore[override]
        self, latent: chex.Array, category: chex.Array, continuous: chex.Array, train: bool
    ) -> jax.Array:
        """Maps latents [batch, size], categories [batch] and codes [batch, d] to images.

        Raises:
          ValueError: if images of this shape cannot be made, or there are no codes.
        """
        one_hot = jax.nn.one_hot(category, _known(self.categories), dtype=latent.dtype)
        return super().__call__(jnp.concatenate([latent, one_hot, continuous], axis=-1), train)


class Discriminator(dcgan.Discriminator):
    """image -> DCGAN's logit and the features that it is read off of."""

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> Verdict:  # type: ignore[override]
        """Maps images [batch, *shape] to logits [batch] and features [batch, d].

        Raises:
          ValueError: as DCGAN's.
        """
        features = self._features(image, train)
        return Verdict(self._logits(features, image.dtype), features)


class Recognizer(nn.Module):
    """A discriminator's features -> which codes an image was made of.

    Attributes:
      categories: how many there are.
      continuous: how many codes are numbers.
      hidden: the width of the layer between.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    categories: int
    continuous: int
    hidden: int = 128
    axis_name: str | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, features: chex.Array, train: bool) -> dict[str, jax.Array]:
        """Maps features [batch, d] to logits of categories and means of the continuous codes.

        Returns:
          {'category': [batch, categories], 'continuous': [batch, continuous]}, float32.

        Raises:
          ValueError: if there are no codes.
        """
        categories = _known(self.categories)
        x = layers.Dense(self.hidden, use_bias=False, dtype=self.dtype)(features)
        norm = layers.BatchNorm(
            use_running_average=not train, axis_name=self.axis_name, output_dtype=self.dtype
        )
        x = nn.leaky_relu(norm(x), 0.2).astype(jnp.float32)
        read = layers.Dense(categories + self.continuous)(x)
        return {'category': read[:, :categories], 'continuous': read[:, categories:]}
