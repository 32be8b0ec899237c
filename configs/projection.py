"""A projection discriminator on handwritten digits.

Paper: cGANs with Projection Discriminator (Miyato and Koyama, 2018).

    python launch.py --config=configs/projection.py
    python launch.py --config=configs/projection.py --config.dataset=fashion_mnist

Hardware, time and score: not trained yet. Frechet distance alone does not pass such a run, since it
does not see whether a sample has the class that was asked for.

Deviations: the paper has residual networks with spectral norm, hinge losses and conditional batch
norm; these are DCGAN's at half their width with the class embedded beside the latent, and R1 in
place of spectral norm. The paper's networks are those of configs/sngan.py with labels.
docs/conditional.md has figures of networks like these. Samples come from running averages of the
generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 4000
    config.steps_per_dispatch = 5
    config.generator = ml_collections.ConfigDict(
        {'name': 'conditional.Generator', 'width': 32, 'hidden': 256}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'conditional.Projection', 'width': 32, 'hidden': 256}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 100})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.penalties.r1 = ml_collections.ConfigDict({'weight': 1.0})
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 500
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
