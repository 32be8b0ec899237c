"""The discriminator: residual blocks that halve the size, down to 4x4."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.networks.layers.equalized import FILTER, EqualizedConv, EqualizedDense, leaky_relu
from gan_jax.networks.layers.minibatch import strided_stddev
from gan_jax.networks.layers.promotion import wide
from gan_jax.networks.layers.upfirdn import downsample, setup_filter
from gan_jax.networks.stylegan2.common import (
    HALF_POWER,
    SMALLEST,
    Mapping,
    channels,
    check_architecture,
    half_type,
    resolutions,
)


class Block(nn.Module):
    """One resolution: two 3x3 convolutions, of which the second halves the size.

    Attributes:
      features: the channels at this resolution.
      out: those at half of it.
      architecture: 'orig', 'skip' or 'resnet'.
      filter: the taps of the filter with which it downsamples.
      clamp: the activations' bound, or None.
    """

    features: int
    out: int
    architecture: str
    filter: Sequence[int]
    clamp: float | None

    @nn.compact
    def __call__(self, x: Any, image: Any) -> Any:
        """The features of half the resolution, and the image where later blocks look at it."""
        act = functools.partial(leaky_relu, clamp=self.clamp)
        if image is not None:
            seen = EqualizedConv(self.features, 1, activation=act, name='fromrgb')(image)
            x = seen if x is None else x + seen
            skips = self.architecture == 'skip'
            image = downsample(image, setup_filter(self.filter)) if skips else None
        resnet = self.architecture == 'resnet'
        gain = HALF_POWER if resnet else 1.0
        y = EqualizedConv(self.features, 3, activation=act, name='conv0')(x)
        y = EqualizedConv(
            self.out, 3, 1, 2, self.filter, True, functools.partial(act, gain=gain), name='conv1'
        )(y)
        if resnet:
            skip = EqualizedConv(
                self.out, 1, 1, 2, self.filter, False, lambda x: x * gain, name='skip'
            )
            y = y + skip(x)
        return y, image


class Epilogue(nn.Module):
    """The end, at 4x4: how much examples differ, a convolution, two dense layers.

    Attributes:
      out: the number of outputs.
      clamp: the activations' bound, or None.
      group_size: how many examples are compared.
      axis_name: the axis of devices over which the batch is spread; None if x is all of it.
    """

    out: int
    clamp: float | None
    group_size: int
    axis_name: str | None

    @nn.compact
    def __call__(self, x: chex.Array, image: Any) -> jax.Array:
        """Maps [n, 4, 4, c], and the image at this size or None, to [n, out]."""
        features, act = x.shape[-1], functools.partial(leaky_relu, clamp=self.clamp)
        if image is not None:
            x = x + EqualizedConv(features, 1, activation=leaky_relu, name='fromrgb')(image)
        x = strided_stddev(x, self.group_size, self.axis_name)
        x = EqualizedConv(features, 3, activation=act, name='conv')(x)
        x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)  # the order of published kernels
        x = EqualizedDense(features, activation=leaky_relu, name='fc')(x)
        return EqualizedDense(self.out, name='out')(x)


class Discriminator(nn.Module):
    """image -> 1x1 -> blocks down to 4x4 -> what the batch's spread is -> logit.

    With labels the last layer's outputs are multiplied by a vector that a mapping network makes of
    the label: the sum over sqrt(their number) is the logit.

    Attributes:
      shape: (height, width, channels) of an image.
      channel_base: the channels at a resolution are this over the resolution,
      channel_max: and at most so many.
      architecture: 'resnet' (residual blocks), 'skip' (each resolution sees the image, too) or
        'orig'.
      filter: the taps of the filter with which features and images are downsampled.
      clamp: activations are kept within +-clamp; None for no bound.
      group_size: how many examples the minibatch's standard deviation compares.
      half_resolutions: in how many of the highest resolutions `dtype` is computed in where it is of
        half precision.
      conditional: whether it takes labels.
      mapping_layers: the labels' mapping network's layers.
      mapping_rate: their learning rates' multiplier.
      classes: how many classes there are.
      axis_name: the axis of devices over which the batch is spread in training.
      dtype: what the highest resolutions are computed in; all else is in float32.
    """

    shape: Sequence[int]
    channel_base: int = 32768
    channel_max: int = 512
    architecture: str = 'resnet'
    filter: Sequence[int] = FILTER
    clamp: float | None = 256.0
    group_size: int = 4
    half_resolutions: int = 4
    conditional: bool = False
    mapping_layers: int = 8
    mapping_rate: float = 0.01
    classes: int | None = None
    axis_name: str | None = None
    dtype: Any = None

    @property
    def asks(self) -> frozenset[str]:
        """The optional inputs that it takes as it is configured."""
        return frozenset({'label'} if self.conditional else ())

    @nn.compact
    def __call__(
        self, image: chex.Array, train: bool, label: chex.Array | None = None
    ) -> jax.Array:
        """Maps images [n, *shape], and labels, to logits [n].

        Args:
          image: in [-1, 1].
          train: whether the batch is spread over the devices of `axis_name`.
          label: class numbers [n] or floats [n, k]; ignored unless `conditional`.

        Raises:
          ValueError: if images of this shape cannot be judged, or labels are missing.
        """
        check_architecture(self.architecture)
        x, full = None, wide(image).dtype
        for resolution in reversed(resolutions(self.shape)[1:]):
            dtype = half_type(self, resolution) or full
            x, image = (y if y is None else y.astype(dtype) for y in (x, image))
            x, image = Block(
                channels(self, resolution),
                channels(self, resolution // 2),
                self.architecture,
                self.filter,
                self.clamp,
                name=f'b{resolution}',
            )(x, image)
        x, image = (y if y is None else y.astype(full) for y in (x, image))
        features = channels(self, SMALLEST)
        epilogue = Epilogue(
            features if self.conditional else 1,
            self.clamp,
            self.group_size,
            self.axis_name if train and not self.is_initializing() else None,
            name=f'b{SMALLEST}',
        )
        outputs = epilogue(x, image)
        if not self.conditional:
            return outputs[:, 0]
        mapping = Mapping(
            features,
            self.mapping_layers,
            self.mapping_rate,
            True,
            self.classes,
            name='mapping',
        )
        return jnp.sum(outputs * mapping(None, label), 1) / math.sqrt(features)
