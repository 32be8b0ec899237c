"""How good samples are: pure functions of arrays."""

from gan_jax.metrics.sliced_wasserstein import sliced_wasserstein

__all__ = ['sliced_wasserstein']
