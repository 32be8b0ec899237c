"""Closed ways through latents or styles: after the last place of a loop comes its first again."""

import chex
import jax
import jax.numpy as jnp

from gan_jax import latents


def spherical(points: chex.Array, steps: int) -> jax.Array:
    """`latents.slerp` from each latent to the next, and from the last to the first.

    Args:
      points: latents [k, size].
      steps: how many places a way from one to the next has, its beginning among them.

    Returns:
      [k * steps, size]; place i * steps is points[i].
    """
    fractions = (jnp.arange(steps) / steps).astype(points.dtype)
    following = jnp.roll(points, -1, axis=0)
    between = jax.vmap(lambda t: latents.slerp(points, following, t), out_axes=1)(fractions)
    return between.reshape(-1, *points.shape[1:])


def smooth(points: chex.Array, steps: int) -> jax.Array:
    """A closed cubic spline through points, whose speed has no jumps (Catmull-Rom).

    Between p1 and p2, of neighbours p0 and p3, at t in [0, 1):

    p1 + t (p2 - p0) / 2 + t^2 (2 p0 - 5 p1 + 4 p2 - p3) / 2 + t^3 (3 (p1 - p2) + p3 - p0) / 2.

    Source: A Class of Local Interpolating Splines (Catmull and Rom, 1974).

    Args:
      points: [k, ...], floats.
      steps: as `spherical` has it.

    Returns:
      [k * steps, ...]; place i * steps is points[i].
    """
    before, following, last = (jnp.roll(points, i, axis=0)[:, None] for i in (1, -1, -2))
    here = points[:, None]
    t = (jnp.arange(steps) / steps).astype(points.dtype)
    t = t.reshape(1, -1, *(1 for _ in points.shape[1:]))
    linear = (following - before) / 2
    square = before - 2.5 * here + 2 * following - 0.5 * last
    cube = 1.5 * (here - following) + (last - before) / 2
    return (here + t * (linear + t * (square + t * cube))).reshape(-1, *points.shape[1:])
