"""WGAN on handwritten digits: a critic kept Lipschitz by clipping its weights.

Paper: Wasserstein GAN (Arjovsky et al., 2017), algorithm 1: RMSProp, clipping at 0.01, five steps
of the critic to one of the generator.

    python launch.py --config=configs/wgan.py

Hardware and time: one CPU core; not timed (the measured run was paused).
Score: 44.5 +- 3.3% of 1,000 samples named with confidence over 0.9, seeds 0 to 2
(python -m benchmarks.legibility); smallest class 3.7 to 5.8%.

Deviations: the learning rate is 5e-4, not 5e-5, since the run is short; DCGAN's networks at a
quarter of their width; samples come from running averages of the generator. Steps are the
critic's: the generator plays at every fifth.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 6000
    config.steps_per_dispatch = 5
    config.objective = 'wasserstein'
    config.generator = ml_collections.ConfigDict(
        {'name': 'dcgan.Generator', 'width': 16, 'hidden': 256}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'dcgan.Discriminator', 'width': 16, 'hidden': 256}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 64})
    config.optimizers.generator = config_lib.optimizer('rmsprop', learning_rate=5e-4)
    config.optimizers.discriminator = config_lib.optimizer('rmsprop', learning_rate=5e-4)
    config.optimizers.discriminator.clip_weights = 0.01
    config.generator_every = 5
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 3000
    config.checkpoint_every = 3000
    config.eval_every = 3000
    return config
