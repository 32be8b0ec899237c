"""Two small players on eight modes of the plane, to be watched and changed while they learn.

Paper: Generative Adversarial Nets (Goodfellow et al., 2014), the game; the networks are PacGAN's
perceptrons (Lin et al., 2018) without normalisation. The page is after GAN Lab: Understanding
Complex Deep Generative Models using Interactive Visual Experimentation (Kahng et al., 2018).

    python launch.py --config=configs/playground.py --mode=playground
    python launch.py --config=configs/playground.py --mode=playground --port=8081 \
--config.objective=hinge

The page is at http://127.0.0.1:8080/; docs/playground.md says what can be done there. What is said
on the command line is what the page begins with. Without --mode it is trained as any other config.

Hardware and time: 2 CPU cores; the page's own figures are in docs/playground.md.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The plain GAN, small enough to be watched."""
    config = config_lib.default()
    config.dataset = 'ring8'
    config.batch_size = 128
    config.steps = 10_000
    config.steps_per_dispatch = 50
    config.generator = ml_collections.ConfigDict(
        {'name': 'mixture.Generator', 'width': 64, 'depth': 3, 'norm': 'none', 'weights': 'he'}
    )
    config.discriminator = ml_collections.ConfigDict(
        {
            'name': 'mixture.Discriminator',
            'width': 32,
            'depth': 3,
            'minibatch': '',
            'weights': 'he',
        }
    )
    config.latent = ml_collections.ConfigDict({'name': 'normal', 'size': 2})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-3, b1=0.5)
    config.generator_every = 1
    config.simultaneous = False
    config.num_samples = 1000
    config.eval_samples = 2500
    config.log_every = 500
    config.sample_every = 1000
    config.checkpoint_every = 5000
    config.eval_every = 5000
    return config
