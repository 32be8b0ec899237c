"""StyleGAN2 on handwritten digits of 32 pixels: all of the method, small enough for a CPU.

Paper: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020): styles, mixed in
nine examples of ten, noise, R1 at every 16th step and a path length at every fourth.

    python launch.py --config=configs/stylegan2_digits.py
    python launch.py --workdir=runs/stylegan2_digits --mode=sample --truncation=0.7

Not trained to good digits yet. With channel_base 512, one seed: after 4,000 steps three shapes, a
1, a 3 and an 8, and nothing else; without the path length and with R1's weight at 0.1, after 1,000
steps one shape, a 0. Figures, and the time on a quiet machine: not measured.

Deviations: an eighth of the channels and of the styles' size, a mapping network of 2 layers; R1's
gamma and the average's half-life are those of the authors' settings `auto` (see
configs/stylegan2.py). See gan_jax/games/stylegan2.py for those of the game. Adaptive augmentation,
which 5,000 digits in so short a run do not need: --config.cures.augmentation.name=ada
--config.cures.augmentation.pipeline=g.
"""

import ml_collections

from gan_jax import config as config_lib

RESOLUTION, BATCH = 32, 32


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 8000
    config.batch_size = BATCH
    config.image_size = RESOLUTION
    config.game = 'stylegan2'
    networks = {'channel_base': 1024, 'channel_max': 64}
    config.generator = ml_collections.ConfigDict(
        {'name': 'stylegan2.Generator', 'style_size': 64, 'mapping_layers': 2, **networks}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'stylegan2.Discriminator', 'group_size': 4, **networks}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 64})
    config.style_mixing = 0.9
    config.path_length = ml_collections.ConfigDict({'weight': 2.0, 'every': 4})
    config.penalties.r1 = ml_collections.ConfigDict(
        {'weight': 0.0001 * RESOLUTION**2 / BATCH, 'every': 16}
    )
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=2.5e-3, b1=0.0, b2=0.99
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 500
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
