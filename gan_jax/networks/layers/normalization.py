"""Normalisation layers."""

from functools import partial

import flax.linen as nn


def normal_around_one(stddev: float) -> nn.initializers.Initializer:
    """N(1, stddev^2), the initializer DCGAN's code gives to BatchNorm's scale."""
    normal = nn.initializers.normal(stddev)
    return lambda key, shape, dtype: 1.0 + normal(key, shape, dtype)


# The fast variance, E[x^2] - E[x]^2, loses all digits where the mean is large.
BatchNorm = partial(nn.BatchNorm, momentum=0.9, epsilon=1e-5, use_fast_variance=False)
