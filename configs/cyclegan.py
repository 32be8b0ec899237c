"""CycleGAN at 256 pixels, the paper's settings.

Paper: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (Zhu et al.,
2017): residual generators of 9 blocks with instance norm, PatchGANs of 70x70 pixels, least squares,
cycle weight 10, identity weight 0.5, pools of 50 images, Adam (2e-4, beta1 0.5), constant for half
of the 200 epochs, then falling to 0; images resized to 286, cropped to 256, mirrored.

    python launch.py --config=configs/cyclegan.py --config.dataset=unpaired:PATH

PATH holds trainA, trainB, testA, testB as the paper's data sets do, or train and test with two
folders each. Two data sets or classes: --config.dataset=unpaired:cifar10[horse],cifar10[deer].

Hardware and time: not run; 200 epochs of horse2zebra are the 266,800 steps of the default.
Score: not measured.

The rates fall from the middle of the steps on, however many there are.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 266_800
    config.batch_size = 1
    config.dataset = 'unpaired:data/horse2zebra'
    config.image_size = 256
    config.data.load_size = 286
    config.data.channels = 3
    config.augment.horizontal_flip = True
    config.game = 'cyclegan'
    config.objective = 'least_squares'
    config.distance = 'l1'
    config.adversarial_weight = 2.0  # least_squares has LSGAN's 1/2, the authors' loss has not
    config.cycle_weight = 10.0
    config.identity_weight = 0.5
    config.pool_size = 50
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'resnet.Generator', 'width': 64, 'blocks': 9}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'patchgan.Discriminator', 'width': 64, 'layers': 3, 'norm': 'instance'}
    )
    for player in ('generator', 'discriminator'):
        # Constant for the first half, then falling to 0 along a line.
        rate = ml_collections.ConfigDict(
            {
                'name': 'linear_schedule',
                'init_value': 2e-4,
                'end_value': 0.0,
                'transition_begin': 0.5,
                'transition_steps': 0.5,
                'of_steps': True,
            }
        )
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=rate, b1=0.5)
    config.evaluation.metrics = ('cycle_error', 'sliced_wasserstein')
    config.evaluation.best = 'sliced_wasserstein'
    config.num_samples = 8
    config.log_every = 50
    config.sample_every = 4600
    config.checkpoint_every = 4600
    config.eval_every = 4600
    return config
