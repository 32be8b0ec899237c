"""Layers that several architecture families share."""

from gan_jax.networks.layers.linear import Conv, ConvTranspose, Dense
from gan_jax.networks.layers.normalization import BatchNorm, normal_around_one
from gan_jax.networks.layers.spectral import SpectralConv, SpectralDense

__all__ = [
    'BatchNorm',
    'Conv',
    'ConvTranspose',
    'Dense',
    'SpectralConv',
    'SpectralDense',
    'normal_around_one',
]
