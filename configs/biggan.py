"""BigGAN on ImageNet at 128 pixels, the paper's settings.

Paper: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019):
hinge losses, batches of 2,048, two steps of the discriminator at 2e-4 to one of the generator at
5e-5, Adam with beta1 0 and beta2 0.999, averages of 0.9999, 96 channels, a latent of 120 numbers in
6 chunks, a shared embedding of 128, attention at 64 pixels, orthogonal regularisation of the
generator, truncation in samples.

    python launch.py --config=configs/biggan.py --config.dataset=folder:PATH
    python launch.py --workdir=runs/biggan --mode=sample --label=207 --truncation=0.5

Hardware and time: not trained; a TPU pod's or many GPUs' work for days.
Score: not measured.

A folder has one folder a class; images are resized to --config.image_size. On fewer devices take a
batch in parts: --config.micro_batches=8, each with batch statistics of its own. At 256 pixels:
--config.image_size=256 --config.latent.size=140 --config.generator.attention=128. With
--config.precision=bfloat16 activations take half the memory.
BigGAN-deep is these settings with other networks: docs/conditional.md.

Deviations: each step of the discriminator has its own batch of 2,048 and new latents; the length of
the run is ours, the authors' ends where theirs collapses; the running average begins at once, and
short; the authors' statistics of samples are of a pass with the averaged generator, here running
averages.
"""

import ml_collections

from gan_jax import config as config_lib

BATCH = 2048


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 300_000
    config.batch_size = BATCH
    config.dataset = 'folder:data/imagenet'
    config.image_size = 128
    config.data.channels = 3
    config.objective = 'hinge'
    networks = {'width': 96, 'attention': 64, 'conditional': True}
    config.generator = ml_collections.ConfigDict(
        {'name': 'biggan.Generator', 'shared': 128, 'hierarchical': True, **networks}
    )
    config.discriminator = ml_collections.ConfigDict({'name': 'biggan.Discriminator', **networks})
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 120})
    config.cures.orthogonal = 1e-4
    for player, rate in (('generator', 5e-5), ('discriminator', 2e-4)):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=rate, b1=0.0, b2=0.999
        )
    config.generator_every = 2
    # 0.9999 an update of the generator, which is every second step.
    half_life = 2 * BATCH * 6931
    config.ema.generator = ml_collections.ConfigDict({'half_life': half_life, 'ramp_up': 0.05})
    config.sample_every = 2000
    config.checkpoint_every = 2000
    config.eval_every = 10_000
    return config
