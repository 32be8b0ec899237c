"""SNGAN on handwritten digits: hinge losses and spectrally normalised residual networks.

Paper: Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018), table 4:
Adam 2e-4 with beta1 0 and beta2 0.9, five steps of the discriminator to one of the generator.

    python launch.py --config=configs/sngan.py

Hardware and time: one CPU core that other work shared, 2 hours for three seeds as one program (by
its speed alone on the core: 50 minutes).
Score: 61.5 +- 5.7% of 1,000 samples named with confidence over 0.9, seeds 0 to 2 (55.3, 62.9, 66.4;
python -m benchmarks.legibility, which enlarges the 16 pixels to 28: 1,000 real test digits so made
smaller and enlarged score 95.1%); smallest class 5.9 to 7.3%. After 2,000 steps: 43.6 +- 2.2%.

The paper's run, for a GPU (not run here): --config.dataset=cifar10 --config.image_size=32
--config.generator.width=256 --config.discriminator.width=128 --config.latent.size=128
--config.generator_every=5 --config.optimizers.discriminator.learning_rate=2e-4
--config.steps=500000.

With labels, all else equal (cGANs with Projection Discriminator, Miyato & Koyama, 2018):
--config.generator.conditional=True --config.discriminator.conditional=True; docs/conditional.md has
both on CIFAR-10 after 1,000 steps.

Deviations, so that a CPU can do it: an eighth of the widths, digits of 16 pixels, one step of the
discriminator to one of the generator at twice its rate. Samples come from running averages of the
generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run; see above for the size of the paper."""
    config = config_lib.default()
    config.steps = 8000
    config.image_size = 16
    config.steps_per_dispatch = 5
    config.objective = 'hinge'
    config.generator = ml_collections.ConfigDict({'name': 'sngan.Generator', 'width': 32})
    config.discriminator = ml_collections.ConfigDict({'name': 'sngan.Discriminator', 'width': 16})
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 64})
    for player, rate in (('generator', 2e-4), ('discriminator', 4e-4)):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=rate, b1=0.0, b2=0.9)
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 10_000, 'ramp_up': 0.05})
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    return config
