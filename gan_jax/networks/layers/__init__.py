"""Layers that several architecture families share."""

from gan_jax.networks.layers.attention import SelfAttention
from gan_jax.networks.layers.conditional_norm import ConditionalBatchNorm, batch_norm
from gan_jax.networks.layers.dropout import dropout
from gan_jax.networks.layers.equalized import (
    EqualizedConv,
    EqualizedDense,
    modulated_conv2d,
)
from gan_jax.networks.layers.labels import embedded, one_hot
from gan_jax.networks.layers.linear import Conv, ConvTranspose, Dense, GroupedConv, LinearMaxout
from gan_jax.networks.layers.minibatch import (
    MinibatchDiscrimination,
    append_minibatch,
    minibatch_stddev,
    strided_stddev,
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
from gan_jax.networks.layers.resizing import downsample_mean, upsample_nearest
from gan_jax.networks.layers.sequence import TimeConv, TimeUpsample, in_rows
from gan_jax.networks.layers.spectral import SpectralConv, SpectralDense
from gan_jax.networks.layers.upfirdn import setup_filter, upfirdn2d
from gan_jax.networks.layers.weight_norm import WeightNormDense

__all__ = [
    'NORMS',
    'BatchNorm',
    'ConditionalBatchNorm',
    'Conv',
    'ConvTranspose',
    'Dense',
    'EqualizedConv',
    'EqualizedDense',
    'GroupNorm',
    'GroupedConv',
    'InstanceNorm',
    'LayerNorm',
    'LinearMaxout',
    'MinibatchDiscrimination',
    'SelfAttention',
    'SpectralConv',
    'SpectralDense',
    'TimeConv',
    'TimeUpsample',
    'WeightNormDense',
    'append_minibatch',
    'batch_norm',
    'downsample_mean',
    'dropout',
    'embedded',
    'in_rows',
    'minibatch_stddev',
    'modulated_conv2d',
    'needs_bias',
    'normal_around_one',
    'normalize',
    'one_hot',
    'reflect',
    'setup_filter',
    'strided_stddev',
    'upfirdn2d',
    'upsample_nearest',
]
