"""StyleGAN2 with adaptive augmentation on CIFAR-10, the authors' settings.

Paper: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020),
as its code's settings `cifar`: neither style mixing nor a path length, a
discriminator without residual connections, R1's gamma 0.01, a mapping network of 2 layers, 512
channels throughout, 100 million images in batches of 64, averages with a half-life of 500,000
images.

    python launch.py --config=configs/stylegan2_cifar10.py
    python launch.py --config=configs/stylegan2_cifar10.py --config.generator.conditional=True
        --config.discriminator.conditional=True

Hardware and time: not run; a GPU's work for days.
Score: not measured.

The generator's rate is 4/5 of 0.0025, and its beta2 0.99^(4/5): that code corrects its optimizer
for a path length, whose turn does nothing here.

Deviations: the minibatch's standard deviation compares groups of 32 of the whole batch, there of
the 32 images of one of two GPUs; float32 by default, half precision in the highest four resolutions
as theirs by --config.precision=bfloat16. See gan_jax/games/stylegan2.py for the order of the turns
and what is drawn.
"""

import ml_collections

from gan_jax import config as config_lib

BATCH = 64


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 100_000_000 // BATCH
    config.batch_size = BATCH
    config.dataset = 'cifar10'
    config.data.channels = 3
    config.game = 'stylegan2'
    networks = {'channel_base': 32768, 'channel_max': 512, 'conditional': False}
    config.generator = ml_collections.ConfigDict(
        {'name': 'stylegan2.Generator', 'mapping_layers': 2, 'architecture': 'skip', **networks}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'stylegan2.Discriminator', 'group_size': 32, 'architecture': 'orig', **networks}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 512})
    config.style_mixing = 0.0
    config.path_length = ml_collections.ConfigDict()
    config.penalties.r1 = ml_collections.ConfigDict({'weight': 0.005, 'every': 16})
    config.cures.augmentation = ml_collections.ConfigDict({'name': 'ada'})
    for player, share in (('generator', 4 / 5), ('discriminator', 1.0)):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=2.5e-3 * share, b1=0.0, b2=0.99**share
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 500_000, 'ramp_up': 0.05})
    config.sample_every = 3125
    config.checkpoint_every = 3125
    config.eval_every = 3125
    return config
