"""The GAN of 2014 on handwritten digits, with the multilayer perceptrons that everyone draws.

Paper: Generative Adversarial Nets (Goodfellow et al., 2014).

    python launch.py --config=configs/gan.py
    python launch.py --config=configs/gan.py --config.objective=minimax --workdir=runs/minimax

Hardware and time: 2 CPU cores, 1 minute for 4,000 steps of 64.
Score: 69.4 +- 1.8% of 1,000 samples named with confidence over 0.9, seeds 0 to 2; with minimax
66.3 +- 1.9% (python -m benchmarks.legibility).
Longer runs collapse: after 10,000 steps with non_saturating more than half of the samples are ones.

Deviations: leaky ReLU in place of maxout and of the generator's sigmoid units, Adam in place of
momentum, no dropout; samples come from running averages of the generator's parameters.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run; --config.objective=minimax for the paper's zero-sum game."""
    config = config_lib.default()
    config.steps = 4000
    config.steps_per_dispatch = 5
    config.image_size = 28
    config.generator = ml_collections.ConfigDict(
        {'name': 'mlp.Generator', 'features': (256, 512, 1024)}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'mlp.Discriminator', 'features': (1024, 512, 256)}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 100})
    config.penalties = ml_collections.ConfigDict()
    config.generator_every = 1
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.eval_every = 1000
    return config
