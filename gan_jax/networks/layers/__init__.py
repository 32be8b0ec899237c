"""Layers that several architecture families share."""

from gan_jax.networks.layers.linear import Conv, ConvTranspose, Dense, GroupedConv, LinearMaxout
from gan_jax.networks.layers.minibatch import (
    MinibatchDiscrimination,
    append_minibatch,
    minibatch_stddev,
)
from gan_jax.networks.layers.normalization import BatchNorm, LayerNorm, normal_around_one
from gan_jax.networks.layers.spectral import SpectralConv, SpectralDense

__all__ = [
    'BatchNorm',
    'Conv',
    'ConvTranspose',
    'Dense',
    'GroupedConv',
    'LayerNorm',
    'LinearMaxout',
    'MinibatchDiscrimination',
    'SpectralConv',
    'SpectralDense',
    'append_minibatch',
    'minibatch_stddev',
    'normal_around_one',
]
