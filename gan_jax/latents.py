"""Latent vectors and codes: priors and the way from one to another."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp


def normal(rng: jax.Array, size: int, truncation: float | None = None) -> jax.Array:
    """Draws z ~ N(0, I), each coordinate within +-truncation if that is given.

    Source of truncation: Large Scale GAN Training for High Fidelity Natural Image Synthesis
    (Brock et al., 2019), section 3.1: values outside are drawn anew.

    Args:
      rng: keys [batch], one per latent.
      size: the latent's size.
      truncation: a bound > 0 in standard deviations.

    Returns:
      Latents [batch, size], float32.

    Raises:
      AssertionError: if `rng` is not a vector of keys.
      ValueError: if `truncation` is not positive.
    """
    chex.assert_rank(rng, 1)
    if truncation is None:
        return jax.vmap(lambda key: jax.random.normal(key, (size,)))(rng)
    if truncation <= 0:
        raise ValueError(f'truncation must be above 0, not {truncation}')
    return jax.vmap(lambda key: jax.random.truncated_normal(key, -truncation, truncation, (size,)))(
        rng
    )


def uniform(rng: jax.Array, size: int) -> jax.Array:
    """Draws z ~ U(-1, 1)^size.

    Source: Unsupervised Representation Learning with Deep Convolutional GANs (Radford et al.,
    2016), section 3.

    Args:
      rng: keys [batch], one per latent.
      size: the latent's size.

    Returns:
      Latents [batch, size], float32 in [-1, 1).

    Raises:
      AssertionError: if `rng` is not a vector of keys.
    """
    chex.assert_rank(rng, 1)
    return jax.vmap(lambda key: jax.random.uniform(key, (size,), minval=-1.0))(rng)


def labels(rng: jax.Array, classes: int, shares: Sequence[float] | None = None) -> jax.Array:
    """Draws classes, each as likely as the others or as its share says.

    Args:
      rng: keys [batch], one per label.
      classes: how many there are.
      shares: [classes], which sum to 1; None for equal ones.

    Returns:
      int32 [batch] in [0, classes).

    Raises:
      AssertionError: if `rng` is not a vector of keys.
    """
    chex.assert_rank(rng, 1)
    if shares is None:
        return jax.vmap(lambda key: jax.random.randint(key, (), 0, classes))(rng)
    logits = jnp.log(jnp.asarray(shares, jnp.float32))
    return jax.vmap(lambda key: jax.random.categorical(key, logits))(rng).astype(jnp.int32)


def coded(rng: jax.Array, size: int, categories: int, continuous: int) -> dict[str, jax.Array]:
    """Draws noise, and codes that are to be read off of what is made of them.

    z ~ U(-1, 1)^size, c_1 one of k equally likely categories, c_2, c_3, ... ~ U(-1, 1). Each is
    drawn from a key of its own.

    Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets (Chen et al., 2016), section 7.2 with 62, 10 and 2; uniform noise is that of
    the authors' code.

    Args:
      rng: keys [batch], one per latent.
      size: of the noise.
      categories: k, at least 2.
      continuous: how many codes are numbers.

    Returns:
      {'latent': [batch, size], 'category': int32 [batch] in [0, k), 'continuous': [batch,
      continuous] in [-1, 1)}.

    Raises:
      AssertionError: if `rng` is not a vector of keys.
      ValueError: if there are less than two categories.
    """
    chex.assert_rank(rng, 1)
    if categories < 2:
        raise ValueError(f'categories must be at least 2, not {categories}')
    of_noise, of_category, of_numbers = jax.vmap(lambda key: jax.random.split(key, 3), 0, 1)(rng)
    return {
        'latent': uniform(of_noise, size),
        'category': labels(of_category, categories),
        'continuous': uniform(of_numbers, continuous),
    }


def slerp(start: jax.Array, end: jax.Array, fraction: jax.Array | float) -> jax.Array:
    """Spherical linear interpolation, which keeps the norms that a normal prior gives.

    sin((1 - t) w) / sin w * a + sin(t w) / sin w * b, w the angle between a and b; linear where
    the two are (nearly) parallel.

    Source: Sampling Generative Networks (White, 2016), section 2.1.

    Args:
      start: a, [..., size].
      end: b, of the same shape.
      fraction: t in [0, 1], a number or an array [..., 1].

    Returns:
      Latents [..., size]; a at t = 0, b at t = 1.

    Raises:
      AssertionError: if the shapes of `start` and `end` differ.
    """
    chex.assert_equal_shape([start, end])
    norms = jnp.linalg.norm(start, axis=-1, keepdims=True) * jnp.linalg.norm(
        end, axis=-1, keepdims=True
    )
    cosine = jnp.sum(start * end, axis=-1, keepdims=True) / jnp.maximum(norms, 1e-12)
    # arccos has no finite gradient at +-1, hence where() on both sides of it.
    parallel = 1.0 - jnp.abs(cosine) < 1e-6
    angle = jnp.arccos(jnp.where(parallel, 0.0, cosine))
    sine = jnp.sin(angle)
    weight_start = jnp.where(parallel, 1.0 - fraction, jnp.sin((1.0 - fraction) * angle) / sine)
    weight_end = jnp.where(parallel, fraction, jnp.sin(fraction * angle) / sine)
    return weight_start * start + weight_end * end
