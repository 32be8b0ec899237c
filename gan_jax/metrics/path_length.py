"""The perceptual path length."""

import math
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.arrays import floats

Interpolation = Callable[[chex.Array, chex.Array, chex.Array], chex.Array]


def perceptual_path_length(
    sample: Callable[[chex.Array], chex.Array],
    features: Callable[[chex.Array], chex.Array],
    latents_1: chex.Array,
    latents_2: chex.Array,
    rng: chex.PRNGKey,
    *,
    interpolate: Interpolation,
    epsilon: float = 1e-4,
) -> chex.Array:
    """How far a generator's images move per step between two latents.

    ||f(G(i(z1, z2; t))) - f(G(i(z1, z2; t + epsilon)))||^2 / epsilon^2,  t ~ U(0, 1),

    i the interpolation, f the features, the norm over all of an image's features. Their mean is the
    path length; the authors' code takes `trimmed_mean`. Only values of the same features, and of
    latents of one size, can be compared.

    In float32 the rounding of G and f, divided by epsilon, is part of the result: about
    (1e-7 / epsilon)^2 = 1e-6 times the sum of squared features, several times that for deep
    networks. Where the lengths are not far above it, take a larger epsilon.

    Source: A Style-Based Generator Architecture for Generative Adversarial Networks (Karras et al.,
    2019), section 4.1, equation 3, with features whose squared distance is LPIPS.

    Args:
      sample: G, latents [n, ...] -> images [n, ...], deterministic: other noise, or statistics of
        the batch, would count as distance.
      features: f, images [n, ...] -> [n, ...]; `lambda x: x` measures in pixels.
      latents_1: z1, [n, ...], floats.
      latents_2: z2, of the same shape and type.
      rng: a key, or keys [n], for t.
      interpolate: i, (start, end, fraction [n, 1, ...]) -> latents: `latents.slerp` for a normal
        prior, linear for others, such as StyleGAN's w. The last fraction can be epsilon above 1.
      epsilon: the step, a Python number > 0.

    Returns:
      Lengths >= 0, float32 [n].

    Raises:
      AssertionError: if the latents' shapes differ, or those of what `interpolate` makes.
      ValueError: if `epsilon` is not positive.
    """
    chex.assert_equal_shape([latents_1, latents_2])
    chex.assert_rank([latents_1, latents_2], set(range(2, 8)))
    if epsilon <= 0:
        raise ValueError(f'epsilon must be above 0, not {epsilon}')
    start, end = floats(latents_1), floats(latents_2)
    num = start.shape[0]
    draw = jax.vmap(lambda key: jax.random.uniform(key, dtype=start.dtype))
    fraction = draw(keys.per_example(rng, num)).reshape(num, *(1 for _ in start.shape[1:]))

    # Two calls, not one of both: an example keeps its place, and with it any fixed noise.
    def at(t):
        latents = interpolate(start, end, t)
        chex.assert_equal_shape([latents, start])
        return floats(features(sample(latents))).reshape(num, -1)

    return jnp.sum(jnp.square((at(fraction + epsilon) - at(fraction)) / epsilon), axis=1)


def trimmed_mean(distances: chex.Array, lower: float = 0.01, upper: float = 0.99) -> chex.Array:
    """The mean without the smallest and the largest values.

    The mean of those from the `lower` to the `upper` quantile, both included, the first rounded
    down and the second up to a value that is there. It does not hang on a few latents at which the
    image jumps, and hides them.

    Source: the authors' code of A Style-Based Generator Architecture for Generative Adversarial
    Networks (Karras et al., 2019); the paper has the mean.

    Args:
      distances: [n].
      lower: a share in [0, upper].
      upper: a share in [lower, 1].

    Returns:
      The mean, a float32 scalar.

    Raises:
      AssertionError: if `distances` is not of rank 1 or is empty.
      ValueError: unless 0 <= lower <= upper <= 1.
    """
    chex.assert_rank(distances, 1)
    if not 0 <= lower <= upper <= 1:
        raise ValueError(f'0 <= lower <= upper <= 1 must hold, not of {lower} and {upper}')
    ordered = jnp.sort(floats(distances))
    assert ordered.size, 'there are no distances'
    last = ordered.size - 1
    low, high = ordered[math.floor(lower * last)], ordered[math.ceil(upper * last)]
    # By value, not by place: those that equal a bound all count, as in the authors' code.
    return jnp.mean(ordered, where=(ordered >= low) & (ordered <= high))
