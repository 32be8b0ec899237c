"""DRAGAN on handwritten digits: a gradient penalty around the data.

Paper: On Convergence and Stability of GANs (Kodali et al., 2017): the penalty's weight is 10.

    python launch.py --config=configs/dragan.py

Hardware and time: one CPU core, 12 minutes for three seeds as one program.
Score: it fails: after 2,000 steps each of three seeds makes one image only, no digit. With a weight
of 1, with LayerNorm in the discriminator, or with five of its steps to one at 4e-4 and beta1 0
(600 to 800 steps, one seed each) it does so too; with BatchNorm there it makes noise. Not solved.

Deviations: DCGAN's networks at a quarter of their width, the discriminator without normalisation,
so that the penalty is one per example; samples come from running averages of the generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 2000
    config.steps_per_dispatch = 5
    config.penalties.dragan = ml_collections.ConfigDict({'weight': 10.0})
    config.generator = ml_collections.ConfigDict(
        {'name': 'dcgan.Generator', 'width': 16, 'hidden': 256}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'dcgan.Discriminator', 'width': 16, 'hidden': 256, 'norm': 'none'}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 64})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 500
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
