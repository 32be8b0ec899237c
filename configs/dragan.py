"""DRAGAN on handwritten digits: a gradient penalty around the data.

Paper: On Convergence and Stability of GANs (Kodali et al., 2017), with the networks of its authors'
code for digits: one hidden layer of 128 units each and no normalisation, a uniform prior. The
penalty's weight is 10.

    python launch.py --config=configs/dragan.py

Hardware and time: one CPU core that other work shared, some 2 minutes of its time for three seeds
as one program.
Score: 33.4 +- 4.3% of 1,000 samples named with confidence over 0.9, seeds 0 to 2
(python -m benchmarks.legibility); smallest class 0.9 to 1.6%. All ten digits, with speckles, which
are named 3 too often (29 to 42%).

Deviations: 10,000 steps of 64 at 2e-4, theirs 200,000 of 128 at 1e-4 with beta2 0.9; leaky ReLU,
tanh and images in [-1, 1], theirs ReLU, the sigmoid and [0, 1]: their penalty would be weight 40
with target 0.5 here. Samples come from running averages of the generator. DCGAN's networks with
this penalty end in one image: docs/methods.md says how.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 10_000
    config.steps_per_dispatch = 50
    config.image_size = 28
    config.penalties.dragan = ml_collections.ConfigDict({'weight': 10.0})
    for player, name in (('generator', 'Generator'), ('discriminator', 'Discriminator')):
        config[player] = ml_collections.ConfigDict({'name': f'mlp.{name}', 'features': (128,)})
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=2e-4, b1=0.5)
    config.latent = ml_collections.ConfigDict({'name': 'uniform', 'size': 100})
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.log_every = 1000
    config.sample_every = 5000
    config.checkpoint_every = 5000
    config.eval_every = 5000
    return config
