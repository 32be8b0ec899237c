"""What degradations and the classical answers to them share."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.arrays import floats


def images(x: chex.Array) -> jax.Array:
    """Images [n, h, w, c] in float32, or in float64 if they are.

    Raises:
      AssertionError: if x has another rank or is not of floats.
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    return floats(x)


def check(name: str, value: float, valid: bool, what: str) -> None:
    """Raises ValueError that says what an option must be, unless it is valid and finite."""
    if not (valid and math.isfinite(value)):
        raise ValueError(f'{name} must be {what}, not {value}')


def gaussian_filter(x: jax.Array, stddev: float) -> jax.Array:
    """Means weighted by exp(-d^2 / (2 stddev^2)), d pixels away, along height and width.

    The window is cut off at 4 standard deviations; outside, the nearest pixel of the border is
    repeated, as in SciPy's gaussian_filter with mode 'nearest'.

    Args:
      x: [n, h, w, c].
      stddev: > 0, in pixels.

    Returns:
      The same shape and type.
    """
    radius = int(4 * stddev + 0.5)
    weights = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / stddev))
    weights, matrices = weights / weights.sum(), []
    for size in x.shape[1:3]:
        padded = np.pad(np.eye(size), ((radius, radius), (0, 0)), 'edge')
        matrix = sum(weight * padded[k : k + size] for k, weight in enumerate(weights))
        matrices.append(jnp.asarray(matrix, x.dtype))
    return jnp.einsum('yh,xw,nhwc->nyxc', *matrices, x, precision=lax.Precision.HIGHEST)
