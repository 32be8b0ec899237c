"""Holes in photographs filled: the middle of CIFAR-10 images.

Paper: Context Encoders: Feature Learning by Inpainting (Pathak et al., 2016): squared error with a
weight of 0.999, adversarial loss with 0.001, the known pixels kept.

    python launch.py --config=configs/inpainting.py
    python launch.py --workdir=runs/inpainting --mode=evaluate

Hardware and time: one CPU core that other work shared, 8 minutes.
Score, one seed, last checkpoint, the first 2,500 test images: PSNR 22.32 +- 0.05 dB (standard
error), SSIM 0.586; harmonic fill: 22.12 dB and 0.563.

Deviations: a U-Net, a conditional PatchGAN, a running average of the generator; the squared error
is over the whole image, of which the hole is a fourth.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 3000
    config.batch_size = 16
    config.dataset = 'cifar10'
    config.data.channels = 3
    config.augment.horizontal_flip = True
    config.corruption = ml_collections.ConfigDict({'name': 'center_mask', 'fraction': 0.5})
    config.baseline = ml_collections.ConfigDict({'name': 'harmonic_fill'})
    config.game = 'pix2pix'
    config.output = 'composite'
    config.reconstruction = ml_collections.ConfigDict({'l2': 999.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'unet.Generator', 'width': 32, 'depth': 5, 'dropout': 0.0}
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
