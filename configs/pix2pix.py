"""pix2pix on pairs of 256 pixels, the paper's settings.

Paper: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017): U-Net
of eight halvings with dropout, a conditional PatchGAN of 70x70 pixels, batch norm at a batch size
of 1 (which is instance norm), L1 with a weight of 100, Adam (2e-4, beta1 0.5), random jitter:
resized to 286, cropped to 256, mirrored.

    python launch.py --config=configs/pix2pix.py --config.dataset=paired:PATH

PATH/train and PATH/test hold pictures side by side, as the paper's data sets do, or two folders of
equal names; the first or left one is translated into the other.

Hardware and time: not run; 200 epochs of the 400 facades are the 80,000 steps of the default.
Score: not measured.

Deviations: instance norm without scale and bias, which at a batch of 1 is the paper's batch norm
but for these; translations are made without dropout, so that a picture has one translation;
evaluations take the middle 256 of 286 pixels.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 80_000
    config.batch_size = 1
    config.dataset = 'paired:data/facades'
    config.image_size = 256
    config.data.load_size = 286
    config.data.channels = 3
    config.augment.horizontal_flip = True
    config.game = 'pix2pix'
    config.output = 'plain'
    config.reconstruction = ml_collections.ConfigDict({'l1': 100.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'unet.Generator', 'width': 64, 'depth': 8, 'norm': 'instance'}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'patchgan.Discriminator', 'width': 64, 'layers': 3, 'norm': 'instance'}
    )
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=2e-4, b1=0.5, b2=0.999
        )
    config.evaluation.metrics = ('psnr', 'ssim', 'l1')
    config.evaluation.best = 'psnr'
    config.num_samples = 32
    config.log_every = 50
    config.sample_every = 2000
    config.checkpoint_every = 2000
    config.eval_every = 2000
    return config
