"""The type that the maths computes in."""

import chex
import jax
import jax.numpy as jnp


def floats(x: chex.Array) -> jax.Array:
    """x in float64 if it is, in float32 whatever else it is.

    Args:
      x: real numbers or booleans of any shape.

    Returns:
      The same shape.
    """
    x = jnp.asarray(x)
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)
