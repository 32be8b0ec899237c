"""DCGAN-sized networks that are told a class, for images of 16, 28, 32, 64 and 128 pixels.

The generator is DCGAN's with the class embedded beside the latent. The discriminators share their
convolutions, which have no norm: they are meant for R1 or another penalty of single examples.

Sources: Conditional Generative Adversarial Nets (Mirza and Osindero, 2014), for what is
concatenated; cGANs with Projection Discriminator (Miyato and Koyama, 2018); Conditional Image
Synthesis with Auxiliary Classifier GANs (Odena et al., 2017); Rebooting ACGAN (Kang et al., 2021).
"""

from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks import dcgan, layers
from gan_jax.networks.verdict import Verdict


def _known(classes: int | None) -> int:
    if not classes:
        raise ValueError('these networks are told a class, and the data set has none')
    return classes


def _unit(x: chex.Array) -> jax.Array:
    """Rows of length 1; a row of zeros stays as it is, with a finite gradient."""
    return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-12)


class Generator(nn.Module):
    """(latent, label) -> image: DCGAN's, the class embedded beside the latent.

    Attributes:
      shape: (height, width, channels) of an image.
      classes: how many classes there are.
      embedding: the size of a class's embedding.
      width: the channels before the image; twice as many at each halving of the size.
      hidden: the width of a dense layer before the feature map; 0 for none.
      axis_name: the axis over which batch statistics are averaged.
      dtype: what is computed in; None is the type of the inputs and the parameters.
      norm: 'batch' or 'none'.
    """

    shape: Sequence[int]
    classes: int
    embedding: int = 16
    width: int = 64
    hidden: int = 0
    axis_name: str | None = None
    dtype: Any = None
    norm: str = 'batch'

    @nn.compact
    def __call__(self, latent: chex.Array, label: chex.Array, train: bool) -> jax.Array:
        """Maps latents [batch, size] and labels to images [batch, *shape] in [-1, 1].

        Labels are class numbers [batch] or floats [batch, k].

        Raises:
          ValueError: if images of this shape cannot be made, or there are no classes.
        """
        told = layers.embedded(label, _known(self.classes), self.embedding)
        options = self.shape, self.width, self.hidden, self.axis_name, self.dtype, self.norm
        network = dcgan.Generator(*options)
        return network(jnp.concatenate([latent, told], axis=-1), train)


class Features(nn.Module):
    """image -> strided convolutions -> a dense layer: what the discriminators below read off.

    Attributes:
      width: the channels after the first convolution; twice as many at each halving of the size.
      hidden: how many features there are.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    width: int = 64
    hidden: int = 256
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array) -> jax.Array:
        """Maps images [batch, h, w, c] to features [batch, hidden].

        Raises:
          ValueError: if images of this shape cannot be judged.
        """
        x = image
        for level in range(dcgan.doublings(image.shape[1:])):
            features = self.width * 2**level
            x = layers.Conv(features, (4, 4), strides=(2, 2), padding=1, dtype=self.dtype)(x)
            x = nn.leaky_relu(x, 0.2)
        x = layers.Dense(self.hidden, dtype=self.dtype)(x.reshape(x.shape[0], -1))
        return nn.leaky_relu(x, 0.2).astype(image.dtype)


class Concatenation(nn.Module):
    """(image, label) -> logit: the class is a further channel, an embedding of the image's size.

    Attributes:
      classes: how many classes there are.
      width: the channels after the first convolution.
      hidden: how many features there are.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    classes: int
    width: int = 64
    hidden: int = 256
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, label: chex.Array, train: bool) -> jax.Array:
        """Maps images [batch, h, w, c] and labels to logits [batch].

        Labels are class numbers [batch] or floats [batch, k].

        Raises:
          ValueError: if images of this shape cannot be judged, or there are no classes.
        """
        batch, height, width, _ = image.shape
        told = layers.embedded(label, _known(self.classes), height * width)
        shown = jnp.concatenate([image, told.reshape(batch, height, width, 1)], axis=-1)
        return layers.Dense(1)(Features(self.width, self.hidden, self.dtype)(shown))[:, 0]


class Projection(nn.Module):
    """(image, label) -> w . h + b + <e_label, h>, h the features.

    Attributes:
      classes: how many classes there are.
      width: the channels after the first convolution.
      hidden: how many features there are.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    classes: int
    width: int = 64
    hidden: int = 256
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, label: chex.Array, train: bool) -> jax.Array:
        """Maps images [batch, h, w, c] and labels to logits [batch].

        Labels are class numbers [batch] or floats [batch, k].

        Raises:
          ValueError: if images of this shape cannot be judged, or there are no classes.
        """
        h = Features(self.width, self.hidden, self.dtype)(image)
        told = layers.embedded(label, _known(self.classes), self.hidden)
        return layers.Dense(1)(h)[:, 0] + jnp.sum(told * h, axis=-1)


class Classifier(nn.Module):
    """image -> a logit and logits of classes, for config.class_head.

    Attributes:
      classes: how many classes there are.
      per_class: how many logits each has: 2 for ADC-GAN, where one is real and one generated.
      width: the channels after the first convolution.
      hidden: how many features there are.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    classes: int
    per_class: int = 1
    width: int = 64
    hidden: int = 256
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> Verdict:
        """Maps images [batch, h, w, c] to logits [batch] and classes [batch, classes * per_class].

        Raises:
          ValueError: if images of this shape cannot be judged, or there are no classes.
        """
        h = Features(self.width, self.hidden, self.dtype)(image)
        classes = layers.Dense(_known(self.classes) * self.per_class)(h)
        return Verdict(layers.Dense(1)(h)[:, 0], classes=classes)


class CosineClassifier(nn.Module):
    """image -> a logit, features of length 1, their cosines with a proxy of each class.

    Attributes:
      classes: how many classes there are.
      embedding: the size of the features that are compared with proxies and with each other.
      width: the channels after the first convolution.
      hidden: how many features there are before that.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    classes: int
    embedding: int = 128
    width: int = 64
    hidden: int = 256
    dtype: Any = None

    @nn.compact
    def __call__(self, image: chex.Array, train: bool) -> Verdict:
        """Maps images [batch, h, w, c] to logits [batch], features, and classes [batch, classes].

        Raises:
          ValueError: if images of this shape cannot be judged, or there are no classes.
        """
        h = Features(self.width, self.hidden, self.dtype)(image)
        features = _unit(layers.Dense(self.embedding)(h))
        size = (_known(self.classes), self.embedding)
        proxies = self.param('proxies', nn.initializers.normal(1.0), size)
        return Verdict(layers.Dense(1)(h)[:, 0], features, features @ _unit(proxies).T)
