"""f-AnoGAN on handwritten digits, the second stage: what is no such digit.

Paper: f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks (Schlegl
et al., 2019), its training izi_f with kappa 1.

    python launch.py --config=configs/wgan_gp.py --config.dataset=mnist \\
        --config.data.only_classes="(8,)" --config.steps=7500 --workdir=runs/f_anogan_first
    python launch.py --config=configs/f_anogan.py --config.data.only_classes="(8,)"
    python launch.py --workdir=runs/f_anogan --mode=score
    python launch.py --workdir=runs/f_anogan --mode=score --input=photos

The first stage, which init_from names, is of the same class; its generator (the running average)
and its critic stay as they are.

Hardware and time: two CPU cores that other work shared; the first stage 5 minutes, this one 3, the
10,000 test images 8 seconds.
Score (python -m benchmarks.anomaly, seed 0): AUROC on MNIST's 10,000 test images with the digit 0,
4 or 8 as normal 0.991, 0.949 and 0.879, mean 0.940. Beside it a one-class SVM has 0.946, the
nearest training image 0.941, an isolation forest 0.856: it does not reach the SVM's mean. Of 8 it
takes the digit 1 for as normal as an 8 (AUROC 0.486): few bright pixels cost little.

Deviations: DCGAN's networks at a quarter of their width on 28 pixels, latents of 64 numbers, not
128; the encoder ends without a tanh and has Adam at 5e-4 for 5,000 steps, not RMSProp at 5e-5 for
50,000; the features are the critic's last ones, of a dense layer.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 5000
    config.dataset = 'mnist'
    config.data.only_classes = (8,)
    config.init_from = 'runs/f_anogan_first'
    config.game = 'f_anogan'
    config.kappa = 1.0
    config.generator = ml_collections.ConfigDict(
        {'name': 'dcgan.Generator', 'width': 16, 'hidden': 256}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'dcgan.Discriminator', 'width': 16, 'hidden': 256, 'norm': 'none'}
    )
    config.encoder = ml_collections.ConfigDict(
        {'name': 'encoders.Encoder', 'size': 64, 'width': 16, 'hidden': 256}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 64})
    config.optimizers.encoder = config_lib.optimizer('adam', learning_rate=5e-4)
    config.num_samples = 32
    config.sample_every = 1000
    config.checkpoint_every = 1000
    return config
