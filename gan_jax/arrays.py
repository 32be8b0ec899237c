"""What the maths takes, as type checkers and editors see it, and the type that it computes in."""

import jax
import jax.numpy as jnp
import numpy as np

# chex's own union is anything to a checker, since that package has no types.
Array = jax.Array | np.ndarray


def floats(x: Array) -> jax.Array:
    """x in float64 if it is, in float32 whatever else it is.

    Args:
      x: real numbers or booleans of any shape.

    Returns:
      The same shape.
    """
    x = jnp.asarray(x)
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)
