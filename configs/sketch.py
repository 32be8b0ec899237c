"""Sketches coloured and shaded: drawings from their edges.

Paper: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017), edges
to photographs; the edges by XDoG (Winnemoeller et al., 2012).

    python -m benchmarks.emoji data/emoji
    python launch.py --config=configs/sketch.py

Hardware and time: not run.
Score: not measured.

Deviations: drawings of 32 pixels, narrow networks, batches of 16, Adam at 5e-4, translations
without dropout, a running average of the generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 2000
    config.batch_size = 16
    config.dataset = 'folder:data/emoji/train/twitter'
    config.evaluation.dataset = 'folder:data/emoji/test/twitter'
    config.evaluation.split = 'train'
    config.image_size = 32
    config.data.channels = 3
    config.corruption = ml_collections.ConfigDict({'name': 'xdog'})
    config.baseline = ml_collections.ConfigDict({'name': 'grey', 'channels': 3})
    config.game = 'pix2pix'
    config.output = 'plain'
    config.reconstruction = ml_collections.ConfigDict({'l1': 100.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'unet.Generator', 'width': 32, 'depth': 5}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'patchgan.Discriminator', 'width': 16, 'layers': 2}
    )
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=5e-4, b1=0.5, b2=0.999
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 5000, 'ramp_up': 0.05})
    config.evaluation.metrics = ('psnr', 'ssim', 'l1')
    config.evaluation.best = 'psnr'
    config.num_samples = 32
    config.log_every = 50
    config.sample_every = 500
    config.checkpoint_every = 500
    config.eval_every = 500
    return config
