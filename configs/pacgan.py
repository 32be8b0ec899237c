"""PacGAN on a ring of eight modes: the discriminator judges two samples at once.

Paper: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018).

    python launch.py --config=configs/pacgan.py
    python launch.py --config=configs/pacgan.py --config.cures.packing=4 --workdir=runs/pacgan4

Packing goes with any other config too: --config.cures.packing=2.

Hardware and time: 2 CPU cores; not timed (configs/ring8.py takes 51 seconds).
Score: 7.2 +- 0.3 modes of 8, 95 +- 1% of high quality (seeds 0 to 9, standard errors);
with packs of four 7.4 +- 0.2.

Deviations: those of configs/ring8.py, from which it differs in the packing only.
"""

import ml_collections

from gan_jax.configs import ring8


def get_config() -> ml_collections.ConfigDict:
    """configs/ring8.py with packs of two."""
    config = ring8.get_config()
    config.cures.packing = 2
    return config
