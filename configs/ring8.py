"""Eight modes on a ring, learned by the plain GAN: where one sees modes being lost.

Paper: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
section 4.1, whose protocol this is: both players step at once, Adam with beta1 0.8, batches of
100.

    python launch.py --config=configs/ring8.py
    python launch.py --workdir=runs/ring8 --mode=animate

Cures, to be tried on the command line: --config.cures.packing=2, --config.cures.top_k=0.6,
--config.discriminator.minibatch=discrimination, --config.cures.unrolled_steps=5, ...; several
seeds as one program: --config.num_replicas=10. benchmarks/mode_collapse.py compares them.

Hardware and time: 2 CPU cores, 51 seconds for one seed.
Score: 6.7 +- 0.4 modes of 8, 91 +- 4% of high quality (seeds 0 to 9, standard errors).

Deviations: networks of 64 and 32 x 5 units in place of 400 and 200 x 5; 25,000 steps in place of
400,000, at a rate that falls from 2e-3 along a cosine over all of them in place of 1e-4. The
paper's size: --config.generator.width=400 --config.discriminator.width=200 --config.steps=400000,
and for each player --config.optimizers.generator.learning_rate=1e-4.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from gan_jax import config as config_lib
from gan_jax import sweeps


def get_config() -> ml_collections.ConfigDict:
    """The plain GAN."""
    config = config_lib.default()
    config.dataset = 'ring8'
    config.batch_size = 100
    config.steps = 25_000
    config.steps_per_dispatch = 50
    config.generator = ml_collections.ConfigDict(
        {'name': 'mixture.Generator', 'width': 64, 'norm': 'batch', 'weights': 'normal'}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'mixture.Discriminator', 'width': 32, 'minibatch': '', 'weights': 'normal'}
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 2})
    rate = {'name': 'cosine_decay_schedule', 'init_value': 2e-3, 'decay_steps': 1.0}
    rate |= {'of_steps': True}
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=rate, b1=0.8)
    config.generator_every = 1
    config.simultaneous = True
    config.num_samples = 1000
    config.eval_samples = 2500
    config.log_every = 1000
    config.sample_every = 1000
    config.checkpoint_every = 5000
    config.eval_every = 5000
    return config


def sweep() -> Iterator[dict[str, Any]]:
    """Three objectives, with and without a penalty, at two rates that stay what they are.

    A rate that falls over all steps would make a shorter run another one, not the longer one's
    beginning.
    """
    return sweeps.product(
        {'objective': ['non_saturating', 'hinge', 'relativistic_pairing_non_saturating']},
        [{}, {'penalties.r1.weight': 0.1}],
        sweeps.zipped(
            {f'optimizers.{x}.learning_rate': [1e-3, 2e-4] for x in ('generator', 'discriminator')}
        ),
    )


def search(trial: Any) -> dict[str, Any]:
    """The same ground for Optuna, with rates between; they stay what they are here, too."""
    objectives = ['non_saturating', 'hinge', 'relativistic_pairing_non_saturating']
    rate = trial.suggest_float('rate', 1e-4, 4e-3, log=True)
    return {
        'objective': trial.suggest_categorical('objective', objectives),
        'penalties.r1.weight': trial.suggest_float('r1', 1e-3, 1.0, log=True),
        'optimizers.generator.learning_rate': rate,
        'optimizers.discriminator.learning_rate': rate,
    }
