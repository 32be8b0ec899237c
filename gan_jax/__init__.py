"""Generative adversarial networks in JAX and Flax: games as data, losses as maths.

The maths other projects may use: objectives, penalties, losses, latents, stabilization, augment,
metrics.
"""

from gan_jax import augment, cures, latents, losses, metrics, objectives, penalties, stabilization

__all__ = [
    'augment',
    'cures',
    'latents',
    'losses',
    'metrics',
    'objectives',
    'penalties',
    'stabilization',
]
