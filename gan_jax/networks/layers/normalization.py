"""Normalisation layers.

`BatchNorm` is flax's. The others compute what a flax layer with `use_fast_variance=False` computes,
not to the last bit, so that they are our own: flax multiplies x - mean by the product of 1 / sqrt
and the scale, here the scale comes last. Without a scale values are flax's to the bit, gradients
are not.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import nearest
from gan_jax.networks.layers.promotion import wide

NORMS = ('batch', 'group', 'instance', 'none')


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
        return super().__call__(wide(x), *args, **kwargs).astype(self.output_dtype or x.dtype)


class LayerNorm(nn.Module):
    """Each example normalised by its own mean and variance, over all axes but the batch's.

    scale * (x - mean) / sqrt(var + epsilon) + bias, a scale and a bias per feature; in float32.
    Examples stay apart, as a gradient penalty asks. Nearest is flax's nn.LayerNorm with
    `reduction_axes` all but the first and `feature_axes` -1, but for the order of products.

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
        y = _standardized(wide(x), range(1, x.ndim), self.epsilon)
        y = _scaled(self, y, nn.initializers.ones_init())
        return y.astype(self.output_dtype or x.dtype)


def _standardized(x: jax.Array, axes: Sequence[int], epsilon: float) -> jax.Array:
    """(x - mean) / sqrt(var + epsilon), both over those axes."""
    centred = x - jnp.mean(x, axes, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axes, keepdims=True) + epsilon)


def _scaled(module: Any, y: jax.Array, scale_init: nn.initializers.Initializer) -> jax.Array:
    """scale * y + bias, a scale and a bias per feature that are the module's parameters."""
    features = y.shape[-1:]
    scale = module.param('scale', scale_init, features, jnp.float32)
    bias = module.param('bias', nn.initializers.zeros_init(), features)
    shape = (1,) * (y.ndim - 1) + features
    return y * scale.reshape(shape).astype(y.dtype) + bias.reshape(shape).astype(y.dtype)


class InstanceNorm(nn.Module):
    """Each feature of each example normalised by its own mean and variance over space.

    (x - mean) / sqrt(var + epsilon), then, if `affine`, a scale and a bias per feature; in float32.
    It does the same in training and after it, and a bias before it has no effect. Nearest is flax's
    nn.InstanceNorm, but for the order of products; it also lets a map of one pixel become zero.

    Source: Instance Normalization: The Missing Ingredient for Fast Stylization (Ulyanov et al.,
    2016), equation 2; without scale and bias as in the authors' code of Unpaired Image-to-Image
    Translation using Cycle-Consistent Adversarial Networks (Zhu et al., 2017).

    Attributes:
      affine: whether there are a scale and a bias.
      epsilon: what is added to the variance.
      output_dtype: the result's type; None is x's.
      scale_init: the scale's initializer.
    """

    affine: bool = False
    epsilon: float = 1e-5
    output_dtype: Any = None
    scale_init: nn.initializers.Initializer = nn.initializers.ones_init()

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, ..., features] to the same shape, of type `output_dtype`.

        Raises:
          AssertionError: if x has no axes of space.
          ValueError: if a map is a single pixel, of which nothing would be left.
        """
        chex.assert_rank(x, {3, 4, 5})
        if math.prod(x.shape[1:-1]) == 1:
            raise ValueError(
                'instance normalisation makes a map of one pixel zero: use larger images, fewer '
                'layers that halve them, or another norm'
            )
        y = _standardized(wide(x), range(1, x.ndim - 1), self.epsilon)
        return (_scaled(self, y, self.scale_init) if self.affine else y).astype(
            self.output_dtype or x.dtype
        )


class GroupNorm(nn.Module):
    """Each group of features of each example normalised by its own mean and variance.

    (x - mean) / sqrt(var + epsilon) over space and the features of a group, which are neighbours;
    then, if `affine`, a scale and a bias per feature; in float32. Nearest is flax's nn.GroupNorm,
    but for the order of products.

    Source: Group Normalization (Wu & He, 2018), equations 1 to 6.

    Attributes:
      groups: the number of groups, a divisor of the number of features.
      affine: whether there are a scale and a bias.
      epsilon: what is added to the variance.
      output_dtype: the result's type; None is x's.
      scale_init: the scale's initializer.
    """

    groups: int = 32
    affine: bool = True
    epsilon: float = 1e-5
    output_dtype: Any = None
    scale_init: nn.initializers.Initializer = nn.initializers.ones_init()

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [batch, ..., features] to the same shape, of type `output_dtype`.

        Raises:
          ValueError: if `groups` does not divide the number of features.
        """
        features = x.shape[-1]
        if self.groups < 1 or features % self.groups:
            raise ValueError(
                f'groups={self.groups} does not divide {features} features: choose a divisor'
            )
        split = wide(x).reshape(*x.shape[:-1], self.groups, -1)
        axes = (*range(1, x.ndim - 1), x.ndim)
        y = _standardized(split, axes, self.epsilon).reshape(x.shape)
        return (_scaled(self, y, self.scale_init) if self.affine else y).astype(
            self.output_dtype or x.dtype
        )


def needs_bias(kind: str) -> bool:
    """Whether a layer before this norm has a bias: unless the norm brings one of its own.

    Before 'instance' a bias has no effect; the reference code of CycleGAN has it all the same, and
    so have its numbers of parameters.

    Args:
      kind: 'batch', 'group', 'instance' or 'none'.

    Returns:
      True for 'instance' and 'none'.

    Raises:
      ValueError: if there is no such kind; it names the nearest one.
    """
    if kind not in NORMS:
        raise ValueError(
            f'norm={kind!r} is unknown; the nearest valid name is '
            f'{nearest(str(kind), NORMS)!r} (all: {", ".join(map(repr, NORMS))})'
        )
    return kind in ('instance', 'none')


def normalize(
    x: chex.Array,
    kind: str,
    train: bool,
    axis_name: str | None = None,
    dtype: Any = None,
    scale_init: nn.initializers.Initializer | None = None,
) -> jax.Array:
    """x normalised by the kind of layer that a config names.

    To be called within a module's compact method: a kind may have parameters.

    Args:
      x: features [batch, ..., features].
      kind: 'batch' (`BatchNorm`), 'group' (`GroupNorm`, of 32 groups, or of as many as the greatest
        common divisor of 32 and the features), 'instance' (`InstanceNorm` without scale and bias)
        or 'none'.
      train: whether batch statistics are the batch's own; without effect on the other kinds.
      axis_name: the axis over which batch statistics are averaged.
      dtype: the result's type; None is x's.
      scale_init: the initializer of the scale, where there is one; None is ones.

    Returns:
      The same shape.

    Raises:
      ValueError: if there is no such kind, or instance normalisation meets a map of one pixel.
    """
    needs_bias(kind)
    scale_init = scale_init or nn.initializers.ones_init()
    if kind == 'batch':
        return BatchNorm(
            use_running_average=not train,
            axis_name=axis_name,
            output_dtype=dtype,
            scale_init=scale_init,
        )(x)
    if kind == 'group':
        groups = math.gcd(32, x.shape[-1])
        return GroupNorm(groups, output_dtype=dtype, scale_init=scale_init)(x)
    return InstanceNorm(output_dtype=dtype)(x) if kind == 'instance' else x
