"""The sliced Wasserstein distance."""

import chex
import jax
import jax.numpy as jnp

from gan_jax.arrays import Array


def sliced_wasserstein(
    real: Array, fake: Array, rng: Array, num_projections: int = 256
) -> jax.Array:
    """The mean Wasserstein-1 distance of two samples' projections on random directions.

    E_u [ 1/n sum_i |sort(X u)_i - sort(Y u)_i| ], u uniform on the unit sphere.

    Source: Sliced and Radon Wasserstein Barycenters of Measures (Bonneel et al., 2015), section
    3.1, there with the squared distance.

    Args:
      real: X, [n, ...]; all axes but the first are one vector.
      fake: Y, of the same shape.
      rng: a key, for the directions.
      num_projections: the number of directions.

    Returns:
      The distance >= 0 in the units of X, a float32 scalar.

    Raises:
      AssertionError: if the shapes differ.
    """
    chex.assert_equal_shape([real, fake])
    real, fake = (jnp.reshape(x, (x.shape[0], -1)).astype(jnp.float32) for x in (real, fake))
    directions = jax.random.normal(rng, (real.shape[1], num_projections))
    directions = directions / jnp.linalg.norm(directions, axis=0, keepdims=True)
    gaps = jnp.sort(real @ directions, axis=0) - jnp.sort(fake @ directions, axis=0)
    return jnp.mean(jnp.abs(gaps))
