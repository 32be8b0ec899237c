"""TimeGAN on sines: a GAN in the space of an autoencoder's states, in three phases.

Paper: Time-series Generative Adversarial Networks (Yoon et al., 2019), and its authors' code.

    python launch.py --config=configs/timegan.py
    python launch.py --workdir=runs/timegan --mode=evaluate --num=10000
    python launch.py --workdir=runs/timegan --mode=sample --num=100

    python -m benchmarks.stocks --output data/sp500.csv
    python launch.py --config=configs/timegan.py --config.dataset=series:data/sp500.csv \\
        --config.latent.size=144 --config.data.split=all --config.evaluation.split=all

Data: `sines`, drawn by the program, or CSV files, see docs/modalities.md.

Hardware and time: two CPU cores that much other work shared, 47 minutes.
Score (the commands above, seed 0, one run, after 7,020 steps): discriminative .237 +- .034,
published .011; predictive .1306 +- .0021, published .093, real series .0947. It is trained for a
twenty-fifth of the published steps and has not learned the sines yet.

Deviations: a few thousand steps a phase in place of 50,000 (as there with embedding_steps and
supervised_steps of 50,000 and 200,000 steps in all: two of the third phase are one of the code's);
noise uniform on [-1, 1], not [0, 1]; flax's GRU; one Adam for each player, not for
each loss; the discriminator sees the batch that the others have just seen, and where it rests
Adam's momentum still moves it a little; sines are not scaled to their extent again.
"""

import ml_collections

from gan_jax import config as config_lib

LENGTH, FEATURES = 24, 5


def get_config() -> ml_collections.ConfigDict:
    """The default run; of other data config.latent.size is the steps times the noise of each."""
    config = config_lib.default()
    config.game = 'timegan'
    config.dataset = 'sines'
    config.batch_size = 128
    config.embedding_steps = 2000
    config.supervised_steps = 1000
    config.steps = 7000
    config.steps_per_dispatch = 10
    states = {'name': 'recurrent.States', 'width': 24, 'cell': 'gru'}
    for player, layers in (('encoder', 3), ('generator', 3), ('supervisor', 2)):
        config[player] = ml_collections.ConfigDict(states | {'layers': layers})
    config.recovery = ml_collections.ConfigDict(
        {'name': 'recurrent.Generator', 'width': 24, 'cell': 'gru', 'layers': 3}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'recurrent.Discriminator', 'width': 24, 'cell': 'gru', 'layers': 3}
    )
    config.latent = ml_collections.ConfigDict({'name': 'uniform', 'size': LENGTH * FEATURES})
    config.first_weight = 1.0
    config.supervised_weight = 100.0
    config.distance = 'l2'
    config.moments = ml_collections.ConfigDict({'weight': 100.0})
    config.threshold = 0.15
    config.discriminator_every = 2
    for player in ('encoder', 'recovery', 'generator', 'supervisor', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-3)
    config.eval_samples = 10_000
    config.log_every = 100
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
