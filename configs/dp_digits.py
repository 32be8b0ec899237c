"""A conditional GAN on handwritten digits whose training is differentially private.

Paper: Private GANs, Revisited (Bie et al., 2023).

    pip install -e '.[privacy,tfds]'
    python launch.py --config=configs/dp_digits.py

It trains on MNIST's 60,000 digits at 16 pixels, epsilon 10 at delta 1e-5; docs/privacy.md says what
is private.

Hardware and time: two CPU cores that a dozen other processes shared, 24 minutes.
Score, one seed: of real test digits a classifier trained on 2,500 samples alone names 88.7%
(--mode=evaluate --num=5000 --metrics=classification_accuracy_score), trained on as many real ones
97.3%. Epsilon spent: 10.0 (Renyi), 8.5 by privacy loss distributions.

Deviations: the paper has 28 pixels, a conditional DCGAN whose discriminator has 1,724,289
parameters, and 50 of its steps for each of the generator's. Here it has 42,043, with a class head
that real examples alone teach, and 3,000 steps, one for each of the generator's, which was better
than three (docs/privacy.md); each real example's gradient is clipped together with its sample's.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.dataset = 'mnist'
    config.image_size = 16
    config.steps = 3000
    config.batch_size = 256
    config.generator = ml_collections.ConfigDict(
        {'name': 'conditional.Generator', 'width': 16, 'hidden': 0, 'norm': 'none'}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'conditional.Classifier', 'width': 16, 'hidden': 64}
    )
    config.class_head = ml_collections.ConfigDict({'name': 'acgan_real', 'weight': 1.0})
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 64})
    config.optimizers.generator = config_lib.optimizer('adam', learning_rate=1e-3, b1=0.5)
    config.optimizers.discriminator = config_lib.optimizer('adam', learning_rate=5e-4, b1=0.5)
    config.privacy = ml_collections.ConfigDict({'epsilon': 10.0, 'delta': 1e-5, 'clip': 1.0})
    config.generator_every = 1
    config.ema.generator = ml_collections.ConfigDict({'half_life': 50_000, 'ramp_up': 0.05})
    config.sample_every = 500
    config.checkpoint_every = 500
    return config
