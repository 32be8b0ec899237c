"""The synthesis network: a constant through layers that styles modulate, to an image."""

import functools
import math
from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks.layers.equalized import (
    FILTER,
    EqualizedConv,
    EqualizedDense,
    add_bias,
    leaky_relu,
    modulated_conv2d,
)
from gan_jax.networks.layers.promotion import wide
from gan_jax.networks.layers.upfirdn import setup_filter, upsample
from gan_jax.networks.stylegan2.common import BUFFERS, HALF_POWER, SMALLEST

NOISES = ('random', 'constant', 'none')

# A name of NOISES, or maps as the buffers of 'synthesis' are.
Noise = str | Table[str, Any]


def _map_of(noise: Noise, block: str, layer: str) -> Any:
    """A layer's own noise map; the name, or constant noise, where none is given."""
    if isinstance(noise, str):
        return noise
    return noise.get(block, {}).get(layer, {}).get('noise_const', 'constant')


class SynthesisLayer(nn.Module):
    """A modulated 3x3 convolution, noise, a bias, leaky ReLU.

    Attributes:
      features: the number of output channels.
      up: what height and width are multiplied by.
      filter: the taps of the filter with which it upsamples.
      gain: what the activation is multiplied by.
      clamp: the activations' bound for a gain of 1, or None.
    """

    features: int
    up: int = 1
    filter: Sequence[int] = FILTER
    gain: float = 1.0
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: chex.Array, w: chex.Array, noise: Any, rng: Any) -> jax.Array:
        """Maps [n, h, w, in] to [n, up * h, up * w, features].

        Args:
          x: the features.
          w: [n, style_size].
          noise: a name of NOISES, or a map [h', w'] or [n, h', w'].
          rng: keys [n] of this layer, for random noise.
        """
        styles = EqualizedDense(x.shape[-1], bias_init=1.0, name='affine')(w)
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param('kernel', nn.initializers.normal(1.0), shape)
        bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
        strength = self.param('noise_strength', nn.initializers.zeros_init(), ())
        size = (self.up * x.shape[1], self.up * x.shape[2])
        constant = self.variable(
            BUFFERS, 'noise_const', lambda: jax.random.normal(self.make_rng('params'), size)
        )
        if isinstance(noise, str) and noise == 'random':
            noise = jax.vmap(lambda key: jax.random.normal(key, size))(rng)
        elif isinstance(noise, str):
            noise = constant.value if noise == 'constant' else None
        if noise is not None:
            noise = noise * strength
        x = modulated_conv2d(x, kernel, styles, noise, self.up, self.filter)
        return leaky_relu(add_bias(x, bias), self.gain, self.clamp)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to the image's channels, without demodulation or activation.

    Attributes:
      features: the image's channels.
      clamp: the bound of what comes out, or None.
    """

    features: int
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: chex.Array, w: chex.Array) -> jax.Array:
        """Maps [n, h, w, in] to [n, h, w, features]."""
        width = x.shape[-1]
        styles = EqualizedDense(width, bias_init=1.0, name='affine')(w) / math.sqrt(width)
        kernel = self.param('kernel', nn.initializers.normal(1.0), (1, 1, width, self.features))
        bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
        y = add_bias(modulated_conv2d(x, kernel, styles, demodulate=False), bias)
        return y if self.clamp is None else jnp.clip(y, -self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """One resolution: two layers, of which the first doubles the size, and what makes an image.

    Attributes:
      resolution: its height and width; at 4 it begins with a constant and has one layer.
      features: the number of its channels.
      image_channels: the image's.
      architecture: 'orig', 'skip' or 'resnet'.
      last: whether it is the one of the image's size.
      filter: the taps of the filter with which it upsamples.
      clamp: the activations' bound, or None.
      dtype: what is computed in.
    """

    resolution: int
    features: int
    image_channels: int
    architecture: str
    last: bool
    filter: Sequence[int]
    clamp: float | None
    dtype: Any

    @nn.compact
    def __call__(self, x: Any, image: Any, styles: chex.Array, noise: Noise, rngs: Any) -> Any:
        """The features and the image of this resolution, of those of half of it (or None).

        Args:
          x: [n, h / 2, w / 2, in], or None.
          image: [n, h / 2, w / 2, image_channels], or None.
          styles: [n, layers, style_size], of its convolutions and then of the image.
          noise: a name, or maps of all blocks.
          rngs: keys [layers][n], or None.
        """
        block, resnet = f'b{self.resolution}', self.architecture == 'resnet' and x is not None
        layer = functools.partial(SynthesisLayer, self.features, filter=self.filter)
        layer = functools.partial(layer, clamp=self.clamp)

        def convolved(x: jax.Array, place: int, name: str, **settings: Any) -> jax.Array:
            own = _map_of(noise, block, name)
            rng = None if rngs is None else rngs[place]
            return layer(name=name, **settings)(x, styles[:, place], own, rng)

        if x is None:
            shape = (self.resolution, self.resolution, self.features)
            const = self.param('const', nn.initializers.normal(1.0), shape)
            x = jnp.broadcast_to(const.astype(self.dtype)[None], (styles.shape[0], *shape))
            x, count = convolved(x, 0, 'conv1'), 1
        else:
            x, count = x.astype(self.dtype), 2
            y = convolved(x, 0, 'conv0', up=2)
            y = convolved(y, 1, 'conv1', gain=HALF_POWER if resnet else 1.0)
            if resnet:
                scaled = functools.partial(jnp.multiply, HALF_POWER)
                skip = EqualizedConv(
                    self.features, 1, 2, 1, self.filter, False, scaled, name='skip'
                )
                y = y + skip(x)
            x = y
        if image is not None:
            image = upsample(image, setup_filter(self.filter))
        if self.last or self.architecture == 'skip':
            y = wide(ToRGB(self.image_channels, self.clamp, name='torgb')(x, styles[:, count]))
            image = y if image is None else image + y
        return x, image


class Synthesis(nn.Module):
    """The blocks of all resolutions, from 4 on.

    Attributes:
      image_channels: the image's channels.
      widths: the channels of each block.
      types: what each computes in; None for the styles' type.
      architecture: 'orig', 'skip' or 'resnet'.
      filter: the taps of the filter with which they upsample.
      clamp: the activations' bound, or None.
    """

    image_channels: int
    widths: Sequence[int]
    types: Sequence[Any]
    architecture: str
    filter: Sequence[int]
    clamp: float | None

    @nn.compact
    def __call__(self, styles: chex.Array, noise: Noise, rng: Any) -> jax.Array:
        """Maps styles [n, layers, style_size] to images [n, h, w, image_channels]."""
        x: Any = None
        image: Any = None
        first, resolution = 0, SMALLEST
        for width, dtype in zip(self.widths, self.types, strict=True):
            count = 1 if resolution == SMALLEST else 2
            places = range(first, first + count)
            rngs = None if rng is None else [_fold(rng, place) for place in places]
            block = SynthesisBlock(
                resolution=resolution,
                features=width,
                image_channels=self.image_channels,
                architecture=self.architecture,
                last=first + count + 1 == styles.shape[1],
                filter=self.filter,
                clamp=self.clamp,
                dtype=dtype or styles.dtype,
                name=f'b{resolution}',
            )
            x, image = block(x, image, styles[:, first : first + count + 1], noise, rngs)
            first, resolution = first + count, 2 * resolution
        return image


def _fold(rng: chex.PRNGKey, number: int) -> chex.PRNGKey:
    return jax.vmap(jax.random.fold_in, (0, None))(rng, number)
