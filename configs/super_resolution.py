"""Photographs four times enlarged: CIFAR-10 from 8 to 32 pixels.

Paper: Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network (Ledig
et al., 2017): SRGAN.

    python launch.py --config=configs/super_resolution.py
    python launch.py --workdir=runs/super_resolution --mode=evaluate

Hardware and time: one CPU core that other work shared, 9 minutes.
Score, one seed, last checkpoint, the first 2,500 test images: PSNR 22.04 +- 0.05 dB (standard
error), SSIM 0.615; bicubic enlargement: 21.11 dB and 0.520.

Deviations: pixels in place of features of VGG (config.perceptual takes such features), a smaller
network whose output is added to the bicubic enlargement, a PatchGAN, a running average of the
generator.
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
    config.corruption = ml_collections.ConfigDict({'name': 'downsample', 'factor': 4})
    config.baseline = ml_collections.ConfigDict({'name': 'bicubic', 'factor': 4})
    config.game = 'pix2pix'
    config.output = 'residual'
    config.reconstruction = ml_collections.ConfigDict({'l1': 1000.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = False
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'srresnet.SRResNet', 'width': 32, 'blocks': 6, 'factor': 4, 'norm': 'none'}
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
