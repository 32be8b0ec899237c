"""Colours for grey photographs: CIFAR-10.

Paper: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
section 4.2.

    python launch.py --config=configs/colorization.py
    python launch.py --workdir=runs/colorization --mode=evaluate

Hardware and time: one CPU core, 5 minutes.
Score, one seed, last checkpoint, the test set: Frechet distance in the features of CIFAR-10's
classifier 1.49 +- 0.07 (standard error), of the grey images 8.87, of real ones 0.13. PSNR
23.6 dB, of the grey images 24.9: a colour that may be wrong costs more than none.

Deviations: RGB in place of Lab, small networks for 32 pixels, a running average of the generator.
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
    config.corruption = ml_collections.ConfigDict({'name': 'greyscale'})
    config.baseline = ml_collections.ConfigDict({'name': 'grey', 'channels': 3})
    config.game = 'pix2pix'
    config.output = 'residual'
    config.reconstruction = ml_collections.ConfigDict({'l1': 100.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'unet.Generator', 'width': 32, 'depth': 4, 'dropout': 0.0}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'patchgan.Discriminator', 'width': 16, 'layers': 2}
    )
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=5e-4, b1=0.5, b2=0.999
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 5000, 'ramp_up': 0.05})
    config.evaluation.metrics = ('psnr', 'ssim', 'l1', 'frechet_distance')
    config.evaluation.best = 'psnr'
    config.num_samples = 32
    config.log_every = 50
    config.sample_every = 500
    config.checkpoint_every = 500
    config.eval_every = 500
    return config
