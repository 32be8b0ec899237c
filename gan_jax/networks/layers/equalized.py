"""Layers with an equalised learning rate, and convolutions whose kernels a style modulates.

Parameters are stored at unit scale and multiplied by a constant at run time, so that an optimizer
that takes steps of one size moves all layers alike:

    kernel ~ N(0, 1) / lr_multiplier, used as kernel * lr_multiplier / sqrt(fan_in);
    bias, used as bias * lr_multiplier.

Sources: Progressive Growing of GANs for Improved Quality, Stability, and Variation (Karras et al.,
2018), section 4.1; Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020),
section 2 and appendix B, for the rest. What these leave out is as in the authors' code.
"""

import math
from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.networks.layers.convolution import LAYOUT, convolve
from gan_jax.networks.layers.promotion import wide
from gan_jax.networks.layers.upfirdn import downsample, pads, setup_filter, upfirdn2d, upsample

SLOPE, GAIN = 0.2, math.sqrt(2)
EPSILON = 1e-8
FILTER = (1, 3, 3, 1)

Activation = Callable[[jax.Array], jax.Array]


def leaky_relu(x: chex.Array, gain: float = 1, clamp: float | None = None) -> jax.Array:
    """gain * sqrt(2) * leaky ReLU of slope 0.2, kept within +-gain * clamp.

    Args:
      x: any shape.
      gain: what the result is multiplied by beside sqrt(2), which keeps its variance.
      clamp: the bound for a gain of 1, or None.
    """
    # Written so that the derivative is one product and one choice.
    y = x * jnp.where(x >= 0, GAIN * gain, SLOPE * GAIN * gain).astype(x.dtype)
    if clamp is None:
        return y
    bound = jnp.asarray(clamp * gain, y.dtype)
    return jax.lax.clamp(-bound, y, bound)


def normalize_moment(x: chex.Array) -> jax.Array:
    """x / sqrt(mean of x^2 over the last axis + 1e-8)."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + EPSILON)


def _bias(module: nn.Module, features: int, init: float = 0.0) -> jax.Array:
    return module.param('bias', nn.initializers.constant(init), (features,))


def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    """x [..., c] + bias [c], in x's type."""
    return x + bias.astype(x.dtype).reshape((1,) * (x.ndim - 1) + (-1,))


class EqualizedDense(nn.Module):
    """A linear layer with an equalised learning rate, then an activation.

    Attributes:
      features: the number of outputs.
      lr_multiplier: how much slower it learns than others.
      bias_init: the biases' first value.
      activation: what is made of the sum; None for the sum itself.
    """

    features: int
    lr_multiplier: float = 1.0
    bias_init: float = 0.0
    activation: Activation | None = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [n, in] to [n, features]."""
        init = nn.initializers.normal(1 / self.lr_multiplier)
        kernel = self.param('kernel', init, (x.shape[-1], self.features))
        bias = _bias(self, self.features, self.bias_init)
        gain = self.lr_multiplier / math.sqrt(x.shape[-1])
        y = add_bias(x @ (kernel * gain).astype(x.dtype), bias * self.lr_multiplier)
        return y if self.activation is None else self.activation(y)


def _convolve_same(x: jax.Array, kernel: jax.Array) -> jax.Array:
    side = [(k // 2, k // 2) for k in kernel.shape[:2]]
    return convolve(x, kernel, (1, 1), side, dimension_numbers=LAYOUT)


def resampled_conv2d(
    x: chex.Array, kernel: chex.Array, up: int = 1, down: int = 1, filter: Any = FILTER
) -> jax.Array:
    """A convolution of "same" size that also resamples, with the filter where it belongs.

    Upsampling is a transposed convolution of stride `up`, y[up * i + a] += x[i] k[a], and then the
    filter; downsampling the filter and then a convolution of stride `down`. A 1x1 kernel stands
    where the image is smallest.

    Args:
      x: [n, h, w, in].
      kernel: [k, k, in, out], k odd; of a convolution as networks have it, a correlation, unless
        it upsamples.
      up: what height and width are multiplied by.
      down: what they are divided by; one of the two is 1.
      filter: the taps.

    Returns:
      [n, h * up / down, w * up / down, out].
    """
    size, taps = kernel.shape[0], setup_filter(filter)
    if up == down == 1:
        return _convolve_same(x, kernel)
    if size == 1:
        y = x if up > 1 else downsample(x, taps, down)
        y = _convolve_same(y, kernel)
        return upsample(y, taps, up) if up > 1 else y
    half = size // 2
    if up > 1:
        y = convolve(
            x,
            kernel[::-1, ::-1],
            (1, 1),
            [(size - 1, size - 1)] * 2,
            lhs_dilation=(up, up),
            dimension_numbers=LAYOUT,
        )
        around = pads(taps, up=up, more=(half - (size - 1), half - (size - up)))
        return upfirdn2d(y, taps, padding=around, gain=up**2)
    y = upfirdn2d(x, taps, padding=pads(taps, down=down, more=(half, half)))
    return convolve(y, kernel, (down, down), 'VALID', dimension_numbers=LAYOUT)


class EqualizedConv(nn.Module):
    """A convolution of "same" size with an equalised learning rate, then an activation.

    Attributes:
      features: the number of output channels.
      kernel_size: the kernel's height and width, odd.
      up: what height and width are multiplied by.
      down: what they are divided by; one of the two is 1.
      filter: the taps of the filter with which it resamples.
      use_bias: whether to add a bias [out].
      activation: what is made of the sum; None for the sum itself.
    """

    features: int
    kernel_size: int
    up: int = 1
    down: int = 1
    filter: Any = FILTER
    use_bias: bool = True
    activation: Activation | None = None

    @nn.compact
    def __call__(self, x: chex.Array) -> jax.Array:
        """Maps [n, h, w, in] to [n, h', w', features], computed in x's type."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param('kernel', nn.initializers.normal(1.0), shape)
        kernel = (kernel / math.sqrt(np.prod(shape[:3]))).astype(x.dtype)
        y = resampled_conv2d(x, kernel, self.up, self.down, self.filter)
        if self.use_bias:
            y = add_bias(y, _bias(self, self.features))
        return y if self.activation is None else self.activation(y)


def modulated_conv2d(
    x: chex.Array,
    kernel: chex.Array,
    styles: chex.Array,
    noise: chex.Array | None = None,
    up: int = 1,
    filter: Any = FILTER,
    demodulate: bool = True,
    fused: bool = False,
) -> jax.Array:
    """A convolution whose kernel each example's style scales, input channel by input channel.

    Example n has the kernel w'_aio = s_ni w_aio, with demodulation

        w''_aio = w'_aio / sqrt(sum over a and i of w'_aio^2 + 1e-8),

    a over the kernel's places; noise is added to what comes out.

    `fused` convolves each example with its own kernel; otherwise x is scaled by the style, all are
    convolved with one kernel, and the result is scaled by the demodulation's factors. In half
    precision, with demodulation, kernel and styles are first divided by their largest entries (per
    output channel, times sqrt(fan_in), and per example), which change nothing else.

    Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), section
    2.2, equations 1 and 3.

    Args:
      x: [n, h, w, in].
      kernel: [k, k, in, out], k odd.
      styles: [n, in].
      noise: [n, h', w'] or [h', w'], or None.
      up: what height and width are multiplied by, as `resampled_conv2d` does it.
      filter: the taps.
      demodulate: whether output channels are scaled to unit variance.
      fused: which of the two forms computes it.

    Returns:
      [n, h * up, w * up, out], of x's type.

    Raises:
      AssertionError: if shapes do not fit.
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_shape(styles, (x.shape[0], x.shape[3]))
    chex.assert_axis_dimension(kernel, 2, x.shape[3])
    kernel, styles = wide(kernel), wide(styles)
    if x.dtype.itemsize < 4 and demodulate:
        largest = jnp.max(jnp.abs(kernel), (0, 1, 2), keepdims=True)
        kernel = kernel / (largest * math.sqrt(np.prod(kernel.shape[:3])))
        styles = styles / jnp.max(jnp.abs(styles), 1, keepdims=True)
    factors = None
    if demodulate:
        power = jnp.square(styles) @ jnp.sum(jnp.square(kernel), (0, 1))
        factors = jax.lax.rsqrt(power + EPSILON)
    if fused:
        kernels = kernel[None] * styles[:, None, None, :, None]
        if factors is not None:
            kernels = kernels * factors[:, None, None, None]

        def one(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return resampled_conv2d(x[None], kernel, up, filter=filter)[0]

        y = jax.vmap(one)(x, kernels.astype(x.dtype))
    else:
        x = x * styles.astype(x.dtype)[:, None, None]
        y = resampled_conv2d(x, kernel.astype(x.dtype), up, filter=filter)
        if factors is not None:
            y = y * factors.astype(y.dtype)[:, None, None]
    if noise is not None:
        noise = noise if noise.ndim == 3 else noise[None]
        y = y + noise.astype(y.dtype)[..., None]
    return y
