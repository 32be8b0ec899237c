"""GANomaly on handwritten digits: what is no such digit is not encoded alike twice.

Paper: GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training (Akcay et al., 2018),
with its weights 1, 50 and 1 and its latents of 100 numbers.

    python launch.py --config=configs/ganomaly.py --config.data.only_classes="(8,)"
    python launch.py --workdir=runs/ganomaly --mode=score
    python launch.py --workdir=runs/ganomaly --mode=score --input=photos

Hardware and time: two CPU cores that other work shared, 6 to 8 minutes.
Score (python -m benchmarks.anomaly, seed 0): AUROC on MNIST's 10,000 test images with the digit 0,
4 or 8 as normal 0.996, 0.949 and 0.852, mean 0.932; see f_anogan.py for what others have.

Deviations: the paper trains on all classes but one; DCGAN's networks at a quarter of their width on
28 pixels, the encoders without batch normalisation; the discriminator is never begun anew, as the
authors' code does when its loss vanishes; scores are not scaled to [0, 1] over the test set.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 5000
    config.dataset = 'mnist'
    config.data.only_classes = (8,)
    config.game = 'ganomaly'
    config.adversarial_weight = 1.0
    config.reconstruction_weight = 50.0
    config.latent_weight = 1.0
    config.generator = ml_collections.ConfigDict(
        {'name': 'dcgan.Generator', 'width': 16, 'hidden': 256}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'dcgan.Discriminator', 'width': 16, 'hidden': 256}
    )
    config.encoder = ml_collections.ConfigDict(
        {'name': 'encoders.Encoder', 'size': 100, 'width': 16, 'hidden': 256}
    )
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.num_samples = 32
    config.sample_every = 1000
    config.checkpoint_every = 1000
    return config
