"""DCGAN on handwritten digits.

Paper: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks
(Radford et al., 2016).
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 4000
    for player, name in (('generator', 'Generator'), ('discriminator', 'Discriminator')):
        config[player] = ml_collections.ConfigDict(
            {'name': f'dcgan.{name}', 'width': 32, 'hidden': 512}
        )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 100})
    config.penalties = ml_collections.ConfigDict()
    config.generator_every = 1
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 250
    config.checkpoint_every = 500
    config.eval_every = 500
    return config
