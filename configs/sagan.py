"""SAGAN on ImageNet at 128 pixels: self-attention and spectral norms in both players.

Paper: Self-Attention Generative Adversarial Networks (Zhang et al., 2019): hinge losses, batches of
256, Adam with beta1 0 and beta2 0.9, the discriminator at 4e-4 and the generator at 1e-4 in turn,
labels in the generator's batch normalisation and the discriminator's projection.

    python launch.py --config=configs/sagan.py --config.dataset=folder:PATH

Hardware and time: not trained; several GPUs' work for weeks.
Score: not measured.

A folder has one folder a class; images are resized to --config.image_size. Attention on other maps:
--config.generator.attention=32 --config.discriminator.attention=32, or 0 for none.

Deviations: the networks are those to which BigGAN's PyTorch code sets its own for this method: 64
channels, the latent in the first layer alone, one-hot labels in the norms, sum pooling and wide
blocks in the discriminator; kernels begin orthogonal, there as Glorot's. Samples come from running
averages of the generator, of 0.9999 an update, as there.
"""

import ml_collections

from gan_jax import config as config_lib

BATCH = 256


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 1_000_000
    config.batch_size = BATCH
    config.dataset = 'folder:data/imagenet'
    config.image_size = 128
    config.data.channels = 3
    config.objective = 'hinge'
    networks = {'width': 64, 'attention': 64, 'conditional': True}
    config.generator = ml_collections.ConfigDict(
        {'name': 'biggan.Generator', 'shared': 0, 'hierarchical': False, **networks}
    )
    config.discriminator = ml_collections.ConfigDict({'name': 'biggan.Discriminator', **networks})
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 128})
    for player, rate in (('generator', 1e-4), ('discriminator', 4e-4)):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=rate, b1=0.0, b2=0.9)
    config.generator_every = 1
    # 0.9999 an update
    config.ema.generator = ml_collections.ConfigDict({'half_life': BATCH * 6931, 'ramp_up': 0.05})
    config.sample_every = 10_000
    config.checkpoint_every = 10_000
    config.eval_every = 10_000
    return config
