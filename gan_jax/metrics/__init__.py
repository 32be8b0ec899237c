"""How good samples are: pure functions of arrays."""

from gan_jax.metrics.modes import (
    high_quality_share,
    mode_histogram,
    modes_captured,
    modes_in_histogram,
    nearest_mode,
    reverse_kl,
)
from gan_jax.metrics.sliced_wasserstein import sliced_wasserstein

__all__ = [
    'high_quality_share',
    'mode_histogram',
    'modes_captured',
    'modes_in_histogram',
    'nearest_mode',
    'reverse_kl',
    'sliced_wasserstein',
]
