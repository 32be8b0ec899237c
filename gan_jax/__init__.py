"""Generative adversarial networks in JAX and Flax: games as data, losses as maths.

The maths other projects may use: objectives, penalties, latents, augment, metrics.
"""

from gan_jax import augment, latents, metrics, objectives, penalties

__all__ = ['augment', 'latents', 'metrics', 'objectives', 'penalties']
