"""CycleGAN on drawings: two makers' emoji, never shown as pairs.

Paper: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (Zhu et al.,
2017).

    python -m benchmarks.emoji data/emoji
    python launch.py --config=configs/cyclegan_emoji.py

Aim, stated before the first run: on the 372 test pairs, which serve for evaluation only, a PSNR
above that of the drawing itself (12.43 dB at 32 pixels) and a cycle error below 0.1 in [-1, 1].

Hardware and time: one CPU core that other work shared, 16 minutes.
Score, one seed, last checkpoint: PSNR 13.25 +- 0.15 dB (standard error), L1 0.286 (the drawing
itself: 0.311); cycle errors 0.119 from a and 0.129 from b, not below 0.1 and still falling (of
images in [0, 1] they are half of that).

Deviations: narrower networks for 32 pixels, batches of 2, a running average of the generator.

The rates fall from the middle of the steps on, however many there are.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 9000
    config.batch_size = 2
    config.dataset = 'unpaired:data/emoji'
    config.evaluation.dataset = 'paired:data/emoji'
    config.image_size = 32
    config.data.channels = 3
    config.baseline = ml_collections.ConfigDict({'name': 'identity', 'channels': 3})
    config.game = 'cyclegan'
    config.objective = 'least_squares'
    config.distance = 'l1'
    config.adversarial_weight = 2.0  # least_squares has LSGAN's 1/2, the authors' loss has not
    config.cycle_weight = 10.0
    config.identity_weight = 0.5
    config.pool_size = 50
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'resnet.Generator', 'width': 16, 'blocks': 4}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'patchgan.Discriminator', 'width': 16, 'layers': 2, 'norm': 'instance'}
    )
    for player in ('generator', 'discriminator'):
        # Constant for the first half, then falling to 0 along a line.
        rate = ml_collections.ConfigDict(
            {
                'name': 'linear_schedule',
                'init_value': 3e-4,
                'end_value': 0.0,
                'transition_begin': 0.5,
                'transition_steps': 0.5,
                'of_steps': True,
            }
        )
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=rate, b1=0.5)
    config.ema.generator = ml_collections.ConfigDict({'half_life': 5000, 'ramp_up': 0.05})
    config.evaluation.metrics = ('psnr', 'l1', 'cycle_error', 'sliced_wasserstein')
    config.evaluation.best = 'sliced_wasserstein'  # which needs no pairs
    config.num_samples = 32
    config.log_every = 50
    config.sample_every = 1500
    config.checkpoint_every = 1500
    config.eval_every = 1500
    return config
