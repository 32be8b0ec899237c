"""RCGAN on sines: a recurrent generator and a recurrent discriminator that judges every step.

Paper: Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (Esteban et al.,
2017), section 3, without a condition: what they call RGAN.

    python launch.py --config=configs/rcgan.py
"""

import ml_collections

from gan_jax import config as config_lib

LENGTH, NOISE = 24, 5


def get_config() -> ml_collections.ConfigDict:
    """The default run; of other data config.latent.size is the steps times the noise of each."""
    config = config_lib.default()
    config.dataset = 'sines'
    config.batch_size = 128
    config.steps = 6000
    config.steps_per_dispatch = 10
    config.generator = ml_collections.ConfigDict(
        {'name': 'recurrent.Generator', 'width': 64, 'layers': 1, 'cell': 'lstm'}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'recurrent.Discriminator', 'width': 64, 'layers': 1, 'cell': 'lstm'}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': LENGTH * NOISE})
    config.generator_every = 1
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-3, b1=0.5)
    config.ema.generator = ml_collections.ConfigDict({'half_life': 50_000, 'ramp_up': 0.05})
    config.eval_samples = 10_000
    config.log_every = 100
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
