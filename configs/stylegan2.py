"""StyleGAN2 with adaptive augmentation at 256 pixels, the authors' settings for one GPU.

Papers: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020); Training
Generative Adversarial Networks with Limited Data (Karras et al., 2020), whose code's settings
`auto` these are: 25 million images; R1's gamma 0.0002 pixels / batch; a mapping network of 2
layers; Adam 0.0025 with beta1 0 and beta2 0.99; averages with a half-life of 10/32 batches of a
thousand; styles mixed in nine examples of ten; a path length of weight 2 at every fourth step.

    python launch.py --config=configs/stylegan2.py --config.dataset=folder:PATH

Hardware and time: not run; a GPU's work for days.
Score: not measured.

Images are resized to --config.image_size, a power of 2. What else follows from it and from
--config.batch_size is set for 256 pixels and 16 images: R1's weight, which is gamma / 2, the
half-life, and `channel_base`, which is 32768 from 512 pixels on. The learning rate is 0.002 at
1024. More GPUs of 16 images each, up to 64: R1's weight / GPUs, the half-life x GPUs.

The authors' settings `paper256`: --config.batch_size=64 --config.steps=390625
--config.generator.mapping_layers=8 --config.discriminator.group_size=8
--config.penalties.r1.weight=0.5 --config.ema.generator.half_life=20000
--config.ema.generator.ramp_up=None. Half precision in the highest four resolutions, as theirs:
--config.precision=bfloat16. Mirrored images: --config.augment.horizontal_flip=True. Without
adaptive augmentation: --config.cures.augmentation={}. Labels, of a folder with one folder a class:
--config.generator.conditional=True --config.discriminator.conditional=True.

Deviations: float32 by default; see gan_jax/games/stylegan2.py for the order of the turns and what
is drawn.
"""

import ml_collections

from gan_jax import config as config_lib

RESOLUTION, BATCH = 256, 16
GAMMA = 0.0002 * RESOLUTION**2 / BATCH


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 25_000_000 // BATCH
    config.batch_size = BATCH
    config.dataset = 'folder:data/ffhq'
    config.image_size = RESOLUTION
    config.data.channels = 3
    config.game = 'stylegan2'
    networks = {'channel_base': 16384, 'channel_max': 512, 'conditional': False}
    config.generator = ml_collections.ConfigDict(
        {'name': 'stylegan2.Generator', 'mapping_layers': 2, 'architecture': 'skip', **networks}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'stylegan2.Discriminator', 'group_size': 4, 'architecture': 'resnet', **networks}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 512})
    config.style_mixing = 0.9
    config.path_length = ml_collections.ConfigDict(
        {'weight': 2.0, 'every': 4, 'decay': 0.01, 'shrink': 2}
    )
    config.penalties.r1 = ml_collections.ConfigDict({'weight': GAMMA / 2, 'every': 16})
    config.cures.augmentation = ml_collections.ConfigDict({'name': 'ada'})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=2.5e-3, b1=0.0, b2=0.99
        )
    config.ema.generator = ml_collections.ConfigDict(
        {'half_life': BATCH * 10_000 // 32, 'ramp_up': 0.05}
    )
    config.num_samples = 32
    config.sample_every = 12_500
    config.checkpoint_every = 12_500
    config.eval_every = 12_500
    return config
