"""Rows of a table of numbers, such as scikit-learn's wines: plain vectors, no images.

Paper: Generative Adversarial Nets (Goodfellow et al., 2014), the game; the networks are PacGAN's
perceptrons (Lin et al., 2018) with wider beginnings.

    python -c "import numpy as np; from sklearn import datasets; x = datasets.load_wine(); \
np.savez('data/wine.npz', train=x.data, names=x.feature_names)"
    python launch.py --config=configs/vectors.py --config.dataset=vectors:data/wine.npz
    python launch.py --workdir=runs/vectors --mode=sample --num=178

The file has an array 'train' [n, d], perhaps 'test', and perhaps the columns' 'names'. Columns are
standardised by the mean and the deviation of 'train'. Samples are written as .npz and as .csv, and
pictures show a histogram of each column, generated over real.

Hardware and time: 2 CPU cores, 25 seconds.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.dataset = 'vectors:data/wine.npz'
    config.batch_size = 64
    config.steps = 4000
    config.steps_per_dispatch = 20
    config.generator = ml_collections.ConfigDict(
        {'name': 'mixture.Generator', 'width': 64, 'depth': 3, 'norm': 'none', 'weights': 'he'}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'mixture.Discriminator', 'width': 32, 'depth': 2, 'weights': 'he'}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 16})
    config.objective = 'relativistic_pairing_non_saturating'
    config.penalties.r1 = ml_collections.ConfigDict({'weight': 0.5, 'every': 1})
    config.penalties.r2 = ml_collections.ConfigDict({'weight': 0.5, 'every': 1})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-3, b1=0.0)
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.generator_every = 1
    config.num_samples = 1000
    config.eval_samples = 1000
    config.log_every = 200
    config.sample_every = 1000
    config.checkpoint_every = 2000
    config.eval_every = 1000
    return config
