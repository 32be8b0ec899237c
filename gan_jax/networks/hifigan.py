"""HiFi-GAN's networks: mel spectrograms to waveforms, which are judged at many periods.

Source: HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis
(Kong et al., 2020), section 2 and appendix A. The generators V1, V2 and V3 have 13,926,017, 925,985
and 1,462,273 parameters, the discriminators of periods 41,092,165 and of scales 29,610,627.

Deviation: kernels have no weight norm.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax import spectra
from gan_jax.networks import layers
from gan_jax.networks.verdict import Verdict

SLOPE = 0.1
DILATIONS = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
KERNEL_INIT = nn.initializers.normal(0.01)
JUDGE_INIT = nn.initializers.lecun_normal()
PERIODS = (2, 3, 5, 7, 11)
SIZES = (2048, 1024, 512)
# Channels, samples of the kernel, stride and groups of a scale's convolutions.
SCALE = (
    (128, 15, 1, 1), (128, 41, 2, 4), (256, 41, 2, 16), (512, 41, 4, 16), (1024, 41, 4, 16),
    (1024, 41, 1, 16), (1024, 5, 1, 1),
)  # fmt: skip


class Generator(nn.Module):
    """mel frames -> transposed convolutions, each followed by the mean of residual blocks -> tanh.

    The defaults are V1. V2 has the width 128; V3 the width 256, factors (8, 8, 4), upsampling (16,
    16, 8), kernels (3, 5, 7), dilations ((1, 2), (2, 6), (3, 12)) and `pairs` False.

    Attributes:
      shape: (samples, channels) of a sound.
      width: the channels of the frames after the first convolution; halved at each factor.
      factors: of the length; their product is the hop of the frames.
      upsampling: samples of the transposed convolutions' kernels.
      kernels: samples of the kernels of the residual blocks beside one another.
      dilations: of the convolutions in each of them, one after the other.
      pairs: whether each of these is followed by one without dilation.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    width: int = 512
    factors: Sequence[int] = (8, 8, 2, 2)
    upsampling: Sequence[int] = (16, 16, 4, 4)
    kernels: Sequence[int] = (3, 7, 11)
    dilations: Sequence[Sequence[int]] = DILATIONS
    pairs: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, source: chex.Array, train: bool) -> jax.Array:
        """Maps mel spectrograms [batch, frames, mels] to sounds [batch, hop * frames, channels].

        Raises:
          ValueError: if the fields do not fit one another.
        """
        if len(self.factors) != len(self.upsampling) or len(self.kernels) != len(self.dilations):
            raise ValueError(
                'there must be as many factors as upsampling, and kernels as dilations'
            )
        x = self._conv(self.width, 7)(source)
        for level, (factor, size) in enumerate(zip(self.factors, self.upsampling, strict=True)):
            width = self.width // 2 ** (level + 1)
            x = nn.leaky_relu(x, SLOPE)
            x = layers.TimeUpsample(width, size, factor, KERNEL_INIT, self.dtype)(x)
            blocks = zip(self.kernels, self.dilations, strict=True)
            made = [self._block(x, width, kernel, steps) for kernel, steps in blocks]
            x = sum(made[1:], made[0]) / len(made)
        x = self._conv(self.shape[-1], 7)(nn.leaky_relu(x, 0.01))
        return jnp.tanh(x).astype(source.dtype)

    def _block(self, x: jax.Array, width: int, kernel: int, dilations: Sequence[int]) -> jax.Array:
        for dilation in dilations:
            y = self._conv(width, kernel, dilation)(nn.leaky_relu(x, SLOPE))
            if self.pairs:
                y = self._conv(width, kernel)(nn.leaky_relu(y, SLOPE))
            x = x + y
        return x

    def _conv(self, features: int, size: int, dilation: int = 1) -> layers.TimeConv:
        return layers.TimeConv(features, size, dilation, KERNEL_INIT, self.dtype)


def _conv(
    features: int, size: Sequence[int], stride: Sequence[int], dtype: Any, groups: int = 1
) -> layers.Conv:
    """A judge's convolution, padded by half of its kernel."""
    return layers.Conv(
        features, size, strides=stride, padding=[(x // 2, x // 2) for x in size],
        feature_group_count=groups, kernel_init=JUDGE_INIT, dtype=dtype,
    )  # fmt: skip


def _judged(x: jax.Array, convs: Sequence[nn.Module], last: nn.Module) -> Verdict:
    """What convolutions with leaky ReLUs and a last one without make of x, and all activations."""
    features = []
    for conv in convs:
        x = nn.leaky_relu(conv(x), SLOPE)
        features.append(x)
    return Verdict(last(x)[..., 0].astype(jnp.float32), features)


def _together(made: Sequence[Verdict]) -> Verdict:
    """Verdicts as the scales of one."""
    return Verdict(tuple(x.logits for x in made), [x.features for x in made])


class Periods(nn.Module):
    """A discriminator for each period p: a sound as an image of p columns, each convolved alone.

    Attributes:
      shape: (samples, channels) of a sound; not used, sounds may have any length.
      periods: in samples.
      width: the channels after the first convolution, multiplied by 4, 16, 32 and 32.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    periods: Sequence[int] = PERIODS
    width: int = 32
    dtype: Any = None

    @nn.compact
    def __call__(self, sound: chex.Array, train: bool) -> Verdict:
        """Maps sounds [batch, samples, channels] to logits of each period, and features."""
        made = [self._judge(layers.in_rows(sound, period)) for period in self.periods]
        return _together(made)

    def _judge(self, x: jax.Array) -> Verdict:
        widths = [self.width * times for times in (1, 4, 16, 32, 32)]
        strides = (3, 3, 3, 3, 1)
        convs = [_conv(w, (5, 1), (s, 1), self.dtype) for w, s in zip(widths, strides, strict=True)]
        return _judged(x, convs, _conv(1, (3, 1), (1, 1), self.dtype))


class Resolutions(nn.Module):
    """A discriminator for each resolution of a sound's spectrum: 2-D convolutions of magnitudes.

    Source: UnivNet: A Neural Vocoder with Multi-Resolution Spectrogram Discriminators for
    High-Fidelity Waveform Generation (Jang et al., 2021), section 2.3.

    Attributes:
      shape: (samples, channels) of a sound; not used, sounds may have any length.
      sizes: samples of the transforms, whose hops are a quarter of them.
      width: the channels of all convolutions.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    sizes: Sequence[int] = SIZES
    width: int = 32
    dtype: Any = None

    @nn.compact
    def __call__(self, sound: chex.Array, train: bool) -> Verdict:
        """Maps sounds [batch, samples, 1] to logits of each resolution, and features."""
        wave = sound[..., 0].astype(jnp.float32)
        spectrums = [jnp.abs(spectra.stft(wave, size, size // 4)) for size in self.sizes]
        made = [self._judge(x[..., None].astype(sound.dtype)) for x in spectrums]
        return _together(made)

    def _judge(self, x: jax.Array) -> Verdict:
        sizes = (9, 1), (9, 2), (9, 2), (9, 2), (3, 1)
        convs = [_conv(self.width, (3, size), (1, stride), self.dtype) for size, stride in sizes]
        return _judged(x, convs, _conv(1, (3, 3), (1, 1), self.dtype))


class Discriminator(nn.Module):
    """Discriminators of periods and of resolutions side by side.

    Attributes:
      shape: (samples, channels) of a sound; not used, sounds may have any length.
      periods, width: of `Periods`.
      sizes, resolution_width: of `Resolutions`.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    periods: Sequence[int] = PERIODS
    width: int = 32
    sizes: Sequence[int] = SIZES
    resolution_width: int = 32
    dtype: Any = None

    @nn.compact
    def __call__(self, sound: chex.Array, train: bool) -> Verdict:
        """Maps sounds [batch, samples, 1] to logits of each period and resolution, and features."""
        of_periods = Periods(self.shape, self.periods, self.width, self.dtype)(sound, train)
        spectral = Resolutions(self.shape, self.sizes, self.resolution_width, self.dtype)
        of_spectra = spectral(sound, train)
        return Verdict(
            of_periods.logits + of_spectra.logits, of_periods.features + of_spectra.features
        )


class Scales(nn.Module):
    """Discriminators of a sound, of its means of two samples, and of these' means.

    Attributes:
      shape: (samples, channels) of a sound; not used, sounds may have any length.
      scales: how many there are, at least 1.
      narrower: what the paper's channels are divided by.
      dtype: what is computed in; None is the type of the inputs and the parameters.
    """

    shape: Sequence[int]
    scales: int = 3
    narrower: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, sound: chex.Array, train: bool) -> Verdict:
        """Maps sounds [batch, samples, channels] to logits of each scale, and features."""
        made = []
        for scale in range(self.scales):
            if scale:
                sound = nn.pool(sound, 0.0, jax.lax.add, (4,), (2,), ((2, 2),)) / 4.0
            made.append(self._judge(sound[:, :, None]))
        return _together(made)

    def _judge(self, x: jax.Array) -> Verdict:
        convs, before = [], x.shape[-1]
        for channels, size, stride, groups in SCALE:
            width = channels // self.narrower
            together = math.gcd(groups, width, before)
            convs.append(_conv(width, (size, 1), (stride, 1), self.dtype, together))
            before = width
        return _judged(x, convs, _conv(1, (3, 1), (1, 1), self.dtype))
