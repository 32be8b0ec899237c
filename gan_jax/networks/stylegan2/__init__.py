"""StyleGAN2's networks, for square images of 8, 16, 32, ... pixels.

Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), and Training
Generative Adversarial Networks with Limited Data (Karras et al., 2020) with its authors' code for
what the papers leave out: both networks compute what that code computes in float32, and hold its
parameters and buffers under its names, so that its published weights can be used.
"""

from gan_jax.networks.stylegan2.discriminator import Discriminator
from gan_jax.networks.stylegan2.generator import Generator

__all__ = ['Discriminator', 'Generator']
