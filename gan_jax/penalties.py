"""Penalties on a critic's gradients; a critic is any function of images."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

Critic = Callable[[chex.Array], chex.Array]


def r1(critic: Critic, images: chex.Array) -> chex.Array:
    """The squared norm of the critic's gradient at real data.

    ||grad_x D(x)||^2, with D(x) summed over all logits of an example (PatchGAN). Papers multiply
    it by gamma / 2. Where the critic couples the examples of a batch, as BatchNorm does in
    training, the gradient of the sum has cross terms: it is not strictly one per example.

    Source: Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018), eq. 9.

    Args:
      critic: images [batch, ...] -> logits [batch, ...].
      images: real data [batch, ...].

    Returns:
      Penalties >= 0, [batch], float32.

    Raises:
      AssertionError: if `images` has no axis but the batch's.
    """
    images = jnp.asarray(images)
    chex.assert_rank(images, set(range(2, 8)))
    gradients = jax.grad(lambda x: jnp.sum(critic(x).astype(jnp.float32)))(images)
    return jnp.sum(jnp.square(gradients.astype(jnp.float32)), axis=range(1, images.ndim))
