"""CTGAN on the census: rows of 42 columns, most of them of categories.

Paper: Modeling Tabular Data using Conditional GAN (Xu et al., 2019), section 4.

    python -m benchmarks.prepare_census unpacked data --rows 10000
    python launch.py --config=configs/ctgan_census.py
    python launch.py --workdir=runs/ctgan_census --mode=sample --num=10000
    python launch.py --workdir=runs/ctgan_census --mode=evaluate --num=10000

Of another table, --config.dataset=table:PATH.csv with --config.data.categorical='()' and
--config.data.target=COLUMN: docs/tables.md says what is read, and what becomes of each column.

Hardware, time and score: two CPU cores that did other work, too, 50 minutes. Column shapes .958,
pair trends .915 (real training rows: .990, .976). Classifiers trained on samples have an F1 of .140
on real rows, trained on real rows .490; SDGym's table has .391 and .494, of all 199,523 rows and
300 epochs.

Deviations: 10,000 rows, 200 epochs of them; the likeliest mode of a number, not a drawn one; a
number that a fifth of the rows have is a mode of its own; AdamW's weight decay; running averages.
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
    config.steps = 4000
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
