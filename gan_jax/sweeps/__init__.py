"""Sweeps: many runs of one config, each with its own overrides.

A config file says which in `sweep()`, beside get_config(), by the helpers that stand here:

    from gan_jax import sweeps

    def sweep():
        rates = {'optimizers.generator.learning_rate': [1e-4, 2e-4]}
        return sweeps.product(rates, sweeps.seeds(3))
"""

from gan_jax.sweeps.spaces import chained, log_uniform, product, seeds, zipped

__all__ = ['chained', 'log_uniform', 'product', 'seeds', 'zipped']
