"""Dropout from keys of the examples, so that a batch may be split among devices at will."""

import chex
import jax
import jax.numpy as jnp


def dropout(x: chex.Array, rng: chex.PRNGKey | None, rate: float) -> jax.Array:
    """Sets entries to zero at random; the others grow, so that the mean stays.

    y = x m / (1 - rate), m ~ Bernoulli(1 - rate) for each entry, an example's from its own key.

    Source: Dropout: A Simple Way to Prevent Neural Networks from Overfitting (Srivastava et al.,
    2014), sections 4 and 10 (there the weights are scaled after training instead).

    Args:
      x: [batch, ...].
      rng: keys [batch], or None for no dropout.
      rate: the share of entries set to zero, from 0 to below 1.

    Returns:
      The same shape and type.

    Raises:
      AssertionError: if there is not one key per example.
      ValueError: if `rate` is out of its range.
    """
    if not 0 <= rate < 1:
        raise ValueError(f'dropout={rate} must be from 0 to below 1')
    if rng is None or rate == 0:
        return x
    chex.assert_shape(rng, x.shape[:1])
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(rng)
    return jnp.where(kept, x / (1 - rate), jnp.zeros((), x.dtype))
