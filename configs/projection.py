"""A projection discriminator on handwritten digits.

Paper: cGANs with Projection Discriminator (Miyato and Koyama, 2018).

    python launch.py --config=configs/projection.py
    python launch.py --config=configs/projection.py --config.dataset=fashion_mnist

Hardware and time: one CPU core that other work shared, 6.5 minutes.
Score, one seed, 5,000 samples against the 5,000 training digits, by the data set's classifier
(--mode=evaluate --num=5000): 98.4 +- 0.2% are named as asked for; Frechet
distance 3.8, within classes 9.6. configs/dcgan.py, without labels and as long, has 5.9, and 19.7
within the classes that the classifier names.
On Fashion-MNIST, as long: 88.1 +- 0.5%, 2.7 and 5.9, against 5,000 test images. Beside
configs/dcgan.py, without labels and as long, against all training images (python -m
benchmarks.classes, another training of both): 88.2%, 4.83 within classes and 2.24 in all; the other
one 6.42 within the classes that the classifier names, 368 by lot, 4.07 in all.

Deviations: the paper has residual networks with spectral norm, hinge losses and conditional batch
norm; these are DCGAN's at half their width with the class embedded beside the latent, and R1 in
place of spectral norm. The paper's networks are those of configs/sngan.py with labels.
docs/conditional.md has figures of networks like these. Samples come from running averages of the
generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 4000
    config.steps_per_dispatch = 5
    config.generator = ml_collections.ConfigDict(
        {'name': 'conditional.Generator', 'width': 32, 'hidden': 256}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'conditional.Projection', 'width': 32, 'hidden': 256}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 100})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.penalties.r1 = ml_collections.ConfigDict({'weight': 1.0})
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 500
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
