"""CTGAN on the census: rows of 42 columns, most of them of categories.

WRITE
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.game = 'ctgan'
    config.dataset = 'table:data/census_train.csv,data/census_test.csv'
    config.data.target = 'income'
    config.data.categorical = ('industry_code', 'occupation_code')
    config.data.by_condition = True
    config.batch_size = 500
    config.steps = 6000
    config.steps_per_dispatch = 20
    config.objective = 'wasserstein'
    config.penalties.gradient_penalty = ml_collections.ConfigDict({'weight': 10.0})
    config.cures.packing = 10
    config.generator = ml_collections.ConfigDict(
        {'name': 'ctgan.Generator', 'features': (256, 256), 'temperature': 0.2}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'ctgan.Discriminator', 'features': (256, 256), 'dropout': 0.5}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 128})
    config.condition_weight = 1.0
    config.generator_every = 1
    for player, decay in (('generator', 1e-6), ('discriminator', 0.0)):
        config.optimizers[player] = config_lib.optimizer(
            'adamw', learning_rate=2e-4, b1=0.5, b2=0.9, weight_decay=decay
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 50_000, 'ramp_up': 0.05})
    config.evaluation.metrics = ('column_shapes', 'pair_trends')
    config.evaluation.best = 'column_shapes'
    config.num_samples = 2000
    config.eval_samples = 5000
    config.log_every = 200
    config.sample_every = 2000
    config.checkpoint_every = 2000
    config.eval_every = 2000
    return config
