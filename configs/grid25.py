"""Twenty-five modes on a grid, learned by the plain GAN: where one sees modes being lost.

Paper: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
section 4.1, whose protocol this is: both players step at once, Adam with beta1 0.8, batches of
100.

    python launch.py --config=configs/grid25.py
    python launch.py --workdir=runs/grid25 --mode=animate

Cures, to be tried on the command line: --config.cures.packing=2, --config.cures.top_k=0.6,
--config.discriminator.minibatch=discrimination, --config.cures.unrolled_steps=5, ...; several
seeds as one program: --config.num_replicas=10. benchmarks/mode_collapse.py compares them.

Hardware and time: 2 CPU cores; not timed (configs/ring8.py, of the same size, takes 51 s).
Score: 15.6 +- 1.2 modes of 25, 50 +- 6% of high quality (seeds 0 to 9, standard errors).

Deviations: those of configs/ring8.py, from which it differs in the data only.
"""

import ml_collections

from gan_jax.configs import ring8


def get_config() -> ml_collections.ConfigDict:
    """configs/ring8.py on the grid."""
    config = ring8.get_config()
    config.dataset = 'grid25'
    return config
