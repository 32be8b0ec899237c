"""BigGAN on handwritten digits of 32 pixels: the method small enough for a CPU.

Paper: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019):
hierarchical latents, a shared embedding of the labels, spectral norms in both players, a projection
discriminator, orthogonal regularisation of the generator, truncation in samples.

    python launch.py --config=configs/biggan_digits.py
    python launch.py --workdir=runs/biggan_digits --mode=sample --label=3 --truncation=0.7

Hardware and time: not trained.
Score: not measured.

With attention: --config.generator.attention=16 --config.discriminator.attention=16.

Deviations, so that a CPU can do it: 64 channels in the generator and 32 in the discriminator, a
latent of 80 numbers in 4 chunks, batches of 64, one step of the discriminator at 4e-4 to one of
the generator at 2e-4, no attention; running averages with a half-life of 10,000 images.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 8000
    config.batch_size = 64
    config.image_size = 32
    config.steps_per_dispatch = 5
    config.objective = 'hinge'
    networks = {'attention': 0, 'conditional': True}
    config.generator = ml_collections.ConfigDict(
        {'name': 'biggan.Generator', 'width': 16, 'shared': 128, 'hierarchical': True, **networks}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'biggan.Discriminator', 'width': 8, **networks}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 80})
    config.cures.orthogonal = 1e-4
    for player, rate in (('generator', 2e-4), ('discriminator', 4e-4)):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=rate, b1=0.0, b2=0.999
        )
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
