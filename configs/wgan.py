"""WGAN on handwritten digits: a critic kept Lipschitz by clipping its weights.

Paper: Wasserstein GAN (Arjovsky et al., 2017), algorithm 1: RMSProp, clipping at 0.01, five steps
of the critic to one of the generator.

    python launch.py --config=configs/wgan.py

Hardware and time: not timed.
Score: not measured with these optimizers.

Deviations: the run is short; DCGAN's networks at a quarter of their width; samples come from
running averages of the generator. Steps are the critic's: the generator plays at every fifth.
RMSProp is the authors', torch.optim.RMSprop at 5e-5: a decay of 0.99, and 1e-8 outside the root.
optax by default has it inside, where at a clipped critic's gradients (1e-5) steps are a tenth.
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
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'rmsprop', learning_rate=5e-5, decay=0.99, eps=1e-8, eps_in_sqrt=False
        )
    config.optimizers.discriminator.clip_weights = 0.01
    config.generator_every = 5
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 3000
    config.checkpoint_every = 3000
    config.eval_every = 3000
    return config
