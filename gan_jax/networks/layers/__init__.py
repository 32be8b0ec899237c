"""Layers that several architecture families share."""

from gan_jax.networks.layers.dropout import dropout
from gan_jax.networks.layers.linear import Conv, ConvTranspose, Dense, GroupedConv, LinearMaxout
from gan_jax.networks.layers.minibatch import (
    MinibatchDiscrimination,
    append_minibatch,
    minibatch_stddev,
)
from gan_jax.networks.layers.normalization import (
    NORMS,
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    needs_bias,
    normal_around_one,
    normalize,
)
from gan_jax.networks.layers.padding import reflect
from gan_jax.networks.layers.spectral import SpectralConv, SpectralDense

__all__ = [
    'NORMS',
    'BatchNorm',
    'Conv',
    'ConvTranspose',
    'Dense',
    'GroupNorm',
    'GroupedConv',
    'InstanceNorm',
    'LayerNorm',
    'LinearMaxout',
    'MinibatchDiscrimination',
    'SpectralConv',
    'SpectralDense',
    'append_minibatch',
    'dropout',
    'minibatch_stddev',
    'needs_bias',
    'normal_around_one',
    'normalize',
    'reflect',
]
