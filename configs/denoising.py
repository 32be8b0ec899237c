"""Noise taken off photographs: CIFAR-10.

Paper: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017), whose
recipe it is, with a residual as in Beyond a Gaussian Denoiser (Zhang et al., 2017).

    python launch.py --config=configs/denoising.py
    python launch.py --workdir=runs/denoising --mode=evaluate

Hardware and time: one CPU core that other work shared, 16 minutes.
Score, one seed, last checkpoint, the first 2,500 test images: PSNR 27.29 +- 0.03 dB (standard
error), SSIM 0.832; median of 3x3: 23.71 dB and 0.704.

Deviations: noise of a standard deviation of 0.2 in [-1, 1], 25 grey levels; small networks, a
running average of the generator.
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
    config.corruption = ml_collections.ConfigDict({'name': 'noise', 'stddev': 0.2})
    config.baseline = ml_collections.ConfigDict({'name': 'median', 'size': 3})
    config.game = 'pix2pix'
    config.output = 'residual'
    config.reconstruction = ml_collections.ConfigDict({'l1': 1000.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'srresnet.SRResNet', 'width': 16, 'blocks': 5, 'factor': 1, 'norm': 'none'}
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
