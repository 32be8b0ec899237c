"""RCGAN on sines: a recurrent generator and a recurrent discriminator that judges every step.

Paper: Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (Esteban et al.,
2017), section 3, without a condition: what they call RGAN.

    python launch.py --config=configs/rcgan.py
    python launch.py --workdir=runs/rcgan --mode=evaluate --num=10000
    python launch.py --workdir=runs/rcgan --mode=sample --num=100

Data: `sines`, drawn by the program; CSV files by --config.dataset=series:PATH, see
docs/modalities.md. The generator is given noise at each step, the latent's size is that of all
steps together; the logits of the discriminator, one a step, count alike.

Hardware and time: two CPU cores that much other work shared, 10 minutes.
Score (the commands above, seed 0, one run): discriminative .062 +- .011, where the paper of TimeGAN
has .022 for RCGAN; predictive .0968 +- .0007, there .097; real series .006 and .0947. A judge of
random kernels tells all samples (.500): they are rougher than sines. Longer is not better: after
12,000 steps, the rates falling as late, .196 +- .040 and .1023 (seed 0); with a constant rate and a
running average, 8,000 steps, .153 and .0983.

Deviations: 64 units on either side, the dense layer's sigmoid since series are between 0 and 1
here, rates that fall to 0 over the last two thirds, no differential privacy.
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
    config.generator = ml_collections.ConfigDict(
        {'name': 'recurrent.Generator', 'width': 64, 'layers': 1, 'cell': 'lstm', 'static': 16}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'recurrent.Discriminator', 'width': 64, 'layers': 2, 'cell': 'lstm'}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 16})
    config.generator_every = 1
    for player, first in (('generator', 1e-3), ('discriminator', 3e-3)):
        rate = {'name': 'linear_schedule', 'init_value': first, 'end_value': 0.0, 'of_steps': True}
        rate |= {'transition_begin': 0.33, 'transition_steps': 0.67}
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=rate, b1=0.5)
    config.ema.generator = ml_collections.ConfigDict({'half_life': 20_000, 'ramp_up': 0.05})
    config.eval_samples = 10_000
    config.log_every = 100
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
