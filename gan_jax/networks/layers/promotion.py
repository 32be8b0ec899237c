"""The type that layers compute in where half precision would lose too many digits."""

import chex
import jax
import jax.numpy as jnp


def wide(x: chex.Array) -> jax.Array:
    """x in float32 if its type is narrower, else as it is.

    Args:
      x: floats of any shape.

    Returns:
      The same shape, in float32 or float64.
    """
    return x.astype(jnp.float32 if x.dtype.itemsize < 4 else x.dtype)
