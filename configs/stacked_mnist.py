"""Stacked MNIST: three digits in the colours of an image, a thousand modes to lose.

Paper: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
section 4.2, after Unrolled Generative Adversarial Networks (Metz et al., 2017): small networks,
the discriminator a quarter of the generator.

    python launch.py --config=configs/stacked_mnist.py
    python -m benchmarks.stacked_mnist

The paper trains for 500,000 steps, on --config.dataset=stacked:mnist (TFDS).

Hardware and time: one shared CPU core, some 15 minutes for three seeds as one program.
Score: 198 +- 177 modes (seeds 0 to 2: 9, 33, 551), with packs of two 324 +- 181 (634, 333, 6),
standard errors; the paper has 78.5 +- 17.6 and 484.5.

Deviations: 5,000 steps of batch 64, not 500,000 of 128, at 2e-3, not 1e-4 and 2e-4; the 5,000
digits that come with a dependency; samples come from running averages of the generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The plain DCGAN; --config.cures.packing=2 for PacGAN."""
    config = config_lib.default()
    config.dataset = 'stacked:mnist_5k'
    config.batch_size = 64
    config.steps = 5000
    config.steps_per_dispatch = 10
    config.generator = ml_collections.ConfigDict({'name': 'stacked_mnist.Generator', 'width': 8})
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'stacked_mnist.Discriminator', 'width': 2, 'norm': 'batch', 'minibatch': ''}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 256})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=2e-3, b1=0.5, b2=0.99
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.generator_every = 1
    config.sample_every = 1000
    config.checkpoint_every = 2500
    config.eval_every = 0
    return config
