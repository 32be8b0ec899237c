"""pix2pix on drawings: an emoji in one maker's style from another's.

Paper: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017).

    python -m benchmarks.emoji data/emoji
    python launch.py --config=configs/pix2pix_emoji.py

Aim, stated before the first run: on the 372 test pairs, none of whose emoji was trained on, PSNR at
least 0.5 dB above and L1 at least 10% below both (a) the drawing itself (12.06 dB, 0.316 in [-1,
1]) and (b) the drawing with each channel's histogram matched to the true one's (13.15 dB, 0.264).

Hardware and time: one CPU core that other work shared, 8,000 steps, an hour and a quarter.
Score, of the last checkpoint on the 372 test pairs, one seed: PSNR 15.75 +- 0.21 dB (standard
error), SSIM 0.458, L1 0.201; without the running average 15.62 dB and 0.205. After 2,000 steps
14.96 dB, after 4,000 15.35, after 6,000 15.59: what has the source's outline is redrawn, faces and
hair come last, and what another maker draws otherwise is not guessed.

Deviations: narrower networks for 64 pixels, batches of 16, a patch of 34 pixels, translations
without dropout, a running average of the generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 8000
    config.batch_size = 16
    config.dataset = 'paired:data/emoji'
    config.image_size = 64
    config.data.channels = 3
    config.augment.horizontal_flip = True
    config.baseline = ml_collections.ConfigDict({'name': 'identity', 'channels': 3})
    config.game = 'pix2pix'
    config.output = 'plain'
    config.reconstruction = ml_collections.ConfigDict({'l1': 100.0})
    config.perceptual = ml_collections.ConfigDict()  # see docs/translation.md
    config.feature_matching = 0.0
    config.conditional = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'unet.Generator', 'width': 32, 'depth': 6}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'patchgan.Discriminator', 'width': 32, 'layers': 2}
    )
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=2e-4, b1=0.5, b2=0.999
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 5000, 'ramp_up': 0.05})
    config.evaluation.metrics = ('psnr', 'ssim', 'l1')
    config.evaluation.best = 'psnr'
    config.num_samples = 32
    config.log_every = 50
    config.sample_every = 500
    config.checkpoint_every = 500
    config.eval_every = 1000
    return config
