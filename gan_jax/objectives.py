"""Adversarial objectives: what the discriminator and the generator minimise, from logits.

Both sides of an objective take (real_logits, fake_logits), of any rank and equal shapes, and
return unreduced losses in float32. Real is the positive class throughout.
"""

from typing import NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp


class LogitLoss(Protocol):
    """A loss per logit."""

    def __call__(self, real_logits: chex.Array, fake_logits: chex.Array) -> chex.Array:
        """Returns unreduced losses [batch, ...] from logits [batch, ...]."""


class Objective(NamedTuple):
    """The two sides of an adversarial game.

    Attributes:
      discriminator: what the discriminator minimises.
      generator: what the generator minimises.
    """

    discriminator: LogitLoss
    generator: LogitLoss


def _float32(*logits: chex.Array) -> tuple[jax.Array, ...]:
    chex.assert_equal_shape(logits)
    return tuple(jnp.asarray(x, jnp.float32) for x in logits)


def cross_entropy_discriminator(real_logits: chex.Array, fake_logits: chex.Array) -> chex.Array:
    """The discriminator's binary cross-entropy.

    softplus(-D(x)) + softplus(D(G(z))) = -log s(D(x)) - log(1 - s(D(G(z)))), s the sigmoid.

    Source: Generative Adversarial Nets (Goodfellow et al., 2014), equation 1.

    Args:
      real_logits: D(x), [batch, ...].
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    real, fake = _float32(real_logits, fake_logits)
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def minimax_generator(real_logits: chex.Array, fake_logits: chex.Array) -> chex.Array:
    """The generator's side of the zero-sum game; it saturates where D rejects its samples.

    -softplus(D(G(z))) = log(1 - s(D(G(z)))).

    Source: Generative Adversarial Nets (Goodfellow et al., 2014), equation 1.

    Args:
      real_logits: D(x), [batch, ...]; only its shape is used.
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses <= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    _, fake = _float32(real_logits, fake_logits)
    return -jax.nn.softplus(fake)


def non_saturating_generator(real_logits: chex.Array, fake_logits: chex.Array) -> chex.Array:
    """The generator's heuristic loss, with a strong gradient where D rejects its samples.

    softplus(-D(G(z))) = -log s(D(G(z))).

    Source: Generative Adversarial Nets (Goodfellow et al., 2014), section 3.

    Args:
      real_logits: D(x), [batch, ...]; only its shape is used.
      fake_logits: D(G(z)), of the same shape.

    Returns:
      Losses >= 0, [batch, ...], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    _, fake = _float32(real_logits, fake_logits)
    return jax.nn.softplus(-fake)


minimax = Objective(cross_entropy_discriminator, minimax_generator)
non_saturating = Objective(cross_entropy_discriminator, non_saturating_generator)
