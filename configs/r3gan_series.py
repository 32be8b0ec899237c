"""Series by a recurrent generator that dense layers judge as a whole, with R3GAN's loss.

Paper: The GAN is dead; long live the GAN! A Modern Baseline GAN (Huang et al., 2024), section 2,
for the loss and its two penalties; the generator is that of configs/rcgan.py, whose discriminator
says a logit for each step and has nothing to say at the end (its loss is that of a blind one).

    python launch.py --config=configs/r3gan_series.py
    python launch.py --workdir=runs/r3gan_series --mode=evaluate --num=10000
    python launch.py --workdir=runs/r3gan_series --mode=sample --num=100

Data: `sines`, drawn by the program; CSV files by --config.dataset=series:PATH, see
docs/modalities.md.

Hardware and time: one CPU core, one minute.
Score (the commands above, seeds 0, 1 and 2): discriminative .013, .010 and .013 (+- .009 each),
where real series have .006 and the paper of TimeGAN .011; predictive .0957, .0956 and .0955, real
series .0948. A judge of random kernels tells nearly all samples (.490 to .496).
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run; series that are not smooth want noise of each step, too."""
    config = config_lib.default()
    config.dataset = 'sines'
    config.batch_size = 128
    config.steps = 6000
    config.steps_per_dispatch = 10
    config.objective = 'relativistic_pairing_non_saturating'
    for name in ('r1', 'r2'):
        config.penalties[name] = ml_collections.ConfigDict({'weight': 0.01})
    config.generator = ml_collections.ConfigDict(
        {'name': 'recurrent.Generator', 'width': 64, 'layers': 1, 'cell': 'lstm', 'static': 16}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'mlp.Discriminator', 'features': (256, 256, 256)}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 16})
    config.generator_every = 1
    rate = {'name': 'linear_schedule', 'init_value': 1e-3, 'end_value': 0.0, 'of_steps': True}
    rate |= {'transition_begin': 0.33, 'transition_steps': 0.67}
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adam', learning_rate=dict(rate), b1=0.0, b2=0.99
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 20_000, 'ramp_up': 0.05})
    config.eval_samples = 10_000
    config.log_every = 100
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
