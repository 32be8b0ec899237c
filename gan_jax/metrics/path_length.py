"""The perceptual path length."""

import math
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from gan_jax import keys
from gan_jax.arrays import Array, floats

Interpolation = Callable[..., jax.Array]


def perceptual_path_length(
    sample: Callable[[Array], Array],
    features: Callable[[Array], Array],
    latents_1: Array,
    latents_2: Array,
    rng: Array,
    *,
    interpolate: Interpolation,
    epsilon: float | None = None,
) -> jax.Array:
    """How far a generator's images move per step between two latents.

    ||d/dt f(G(i(z1, z2; t)))||^2,  t ~ U(0, 1),

    i the interpolation, f the features, the norm over all of an image's features. Their mean is the
    path length; the authors' code takes `trimmed_mean`. Only values of the same features, and of
    latents of one size, can be compared.

    This is the limit for epsilon -> 0 of the authors'
    ||f(G(i(z1, z2; t + epsilon))) - f(G(i(z1, z2; t)))||^2 / epsilon^2, which they take at 1e-4.
    In float32 that difference has no digits left: the rounding of G and f adds about
    (1e-7 / epsilon)^2 = 1e-6 times the sum of squared features, several times that for deep
    networks, which was 2.6 times the length of a smooth generator. The derivative, in forward mode,
    keeps all digits. Give an `epsilon` only to what cannot be differentiated, of 1e-2 or more in
    float32. A jump, which has no derivative, counts only in the difference.

    Source: A Style-Based Generator Architecture for Generative Adversarial Networks (Karras et al.,
    2019), section 4.1, equation 3, with features whose squared distance is LPIPS.

    Args:
      sample: G, latents [n, ...] -> images [n, ...], deterministic: other noise, or statistics of
        the batch, would count as distance. Not rounded to levels: that has the derivative 0.
      features: f, images [n, ...] -> [n, ...]; `lambda x: x` measures in pixels.
      latents_1: z1, [n, ...], floats.
      latents_2: z2, of the same shape and type.
      rng: a key, or keys [n], for t.
      interpolate: i, (start, end, fraction [n, 1, ...]) -> latents: `latents.slerp` for a normal
        prior, linear for others, such as StyleGAN's w. With an epsilon the last fraction can be
        that much above 1.
      epsilon: None for the derivative; or the step of a difference, a Python number > 0.

    Returns:
      Lengths >= 0, float32 [n].

    Raises:
      AssertionError: if the latents' shapes differ, or those of what `interpolate` makes.
      ValueError: if `epsilon` is not positive, or without one the features are not floats.
    """
    chex.assert_equal_shape([latents_1, latents_2])
    chex.assert_rank([latents_1, latents_2], set(range(2, 8)))
    if epsilon is not None and epsilon <= 0:
        raise ValueError(f'epsilon must be above 0, not {epsilon}')
    start, end = floats(latents_1), floats(latents_2)
    num = start.shape[0]
    draw = jax.vmap(lambda key: jax.random.uniform(key, dtype=start.dtype))
    fraction = draw(keys.per_example(rng, num)).reshape(num, *(1 for _ in start.shape[1:]))

    def at(t):
        latents = interpolate(start, end, t)
        chex.assert_equal_shape([latents, start])
        found = features(sample(latents))
        if epsilon is None and not jnp.issubdtype(found.dtype, jnp.floating):
            raise ValueError(f'features of type {found.dtype} have no derivative; give an epsilon')
        return floats(found).reshape(num, -1)

    if epsilon is None:
        _, speed = jax.jvp(at, (fraction,), (jnp.ones_like(fraction),))
        return jnp.sum(jnp.square(speed), axis=1)
    # Two calls, not one of both: an example keeps its place, and with it any fixed noise.
    return jnp.sum(jnp.square((at(fraction + epsilon) - at(fraction)) / epsilon), axis=1)


def trimmed_mean(distances: Array, lower: float = 0.01, upper: float = 0.99) -> jax.Array:
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
