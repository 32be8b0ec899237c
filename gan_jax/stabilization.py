"""Cures for mode collapse and instability that act on examples, logits, losses or parameters.

What acts on a layer is in gan_jax.networks.layers, what acts on a whole game in
gan_jax.games.wrappers. Every draw is made from an example's own key.
"""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys


def pack(examples: jax.Array, size: int) -> jax.Array:
    """Joins `size` consecutive examples into one, along their last axis.

    A discriminator that judges several independent samples at once sees that they are too alike.

    Source: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
    section 2.

    Args:
      examples: [batch, ..., channels].
      size: m, how many make a pack; 1 changes nothing.

    Returns:
      Packs [batch / m, ..., m * channels]; channel c of example i of a pack is at i * channels + c.

    Raises:
      ValueError: if the batch is not a multiple of m.
      AssertionError: if `examples` has no axis but the batch's.
    """
    chex.assert_rank(examples, set(range(2, 8)))
    num, *middle, channels = examples.shape
    if num % size:
        raise ValueError(f'a batch of {num} examples cannot be packed by {size}')
    if size == 1:
        return examples
    packs = jnp.moveaxis(examples.reshape(num // size, size, *middle, channels), 1, -2)
    return packs.reshape(num // size, *middle, size * channels)


def unpack(packs: jax.Array, size: int) -> jax.Array:
    """The examples of packs, in their order: the inverse of `pack`.

    Args:
      packs: [batch, ..., size * channels].
      size: how many examples a pack has; 1 changes nothing.

    Returns:
      Examples [batch * size, ..., channels].

    Raises:
      AssertionError: if `packs` has no axis but the batch's.
      ValueError: if the last axis is not a multiple of `size`.
    """
    chex.assert_rank(packs, set(range(2, 8)))
    num, *middle, channels = packs.shape
    if channels % size:
        raise ValueError(f'{channels} channels cannot be those of {size} examples')
    if size == 1:
        return packs
    split = packs.reshape(num, *middle, size, channels // size)
    return jnp.moveaxis(split, -2, 1).reshape(num * size, *middle, channels // size)


def instance_noise(examples: jax.Array, rng: jax.Array, stddev: jax.Array | float) -> jax.Array:
    """Adds noise N(0, stddev^2) to what the discriminator sees, real and generated alike.

    It widens both distributions until they overlap, which gives the generator a gradient. The
    authors let it vanish as training goes on: see `linear`.

    Source: Amortised MAP Inference for Image Super-Resolution (Sonderby et al., 2017), section 3.3;
    Towards Principled Methods for Training GANs (Arjovsky and Bottou, 2017), section 3.

    Args:
      examples: [batch, ...], floats.
      rng: keys [batch].
      stddev: the noise's standard deviation, in the units of the examples.

    Returns:
      The same shape and type.

    Raises:
      AssertionError: if there is not one key per example.
    """
    rng = keys.per_example(rng, examples.shape[0])
    noise = jax.vmap(lambda key: jax.random.normal(key, examples.shape[1:], examples.dtype))(rng)
    return examples + jnp.asarray(stddev, examples.dtype) * noise


def linear(step: jax.Array, start: float, end: float, steps: int) -> jax.Array:
    """A schedule: from `start` to `end` along a line of so many steps, then `end`.

    Args:
      step: the number of the present step.
      start: the value at step 0.
      end: the value from step `steps` on.
      steps: the length of the way; 0 for `end` at once.

    Returns:
      A float32 scalar.
    """
    done = jnp.clip(jnp.asarray(step, jnp.float32) / max(steps, 1), 0.0, 1.0)
    return start + (end - start) * done if steps else jnp.float32(end)


def flip_labels(
    real_logits: jax.Array, fake_logits: jax.Array, rng: jax.Array, probability: float
) -> tuple[jax.Array, jax.Array]:
    """Exchanges real and generated logits of a random share of pairs: wrong labels now and then.

    It keeps the discriminator from being sure. Only its own loss takes the exchanged ones.

    Source: How to Train a GAN? Tips and tricks to make GANs work (Chintala et al., 2016), tip 6.

    Args:
      real_logits: [batch, ...].
      fake_logits: of the same shape.
      rng: keys [batch].
      probability: the chance of a pair to be exchanged, in [0, 1].

    Returns:
      (real, fake) logits, of the same shapes.

    Raises:
      AssertionError: if the shapes differ or there is not one key per pair.
    """
    chex.assert_equal_shape([real_logits, fake_logits])
    rng = keys.per_example(rng, real_logits.shape[0])
    flipped = jax.vmap(lambda key: jax.random.bernoulli(key, probability))(rng)
    flipped = flipped.reshape(-1, *(1,) * (real_logits.ndim - 1))
    return (
        jnp.where(flipped, fake_logits, real_logits),
        jnp.where(flipped, real_logits, fake_logits),
    )


def top_k(
    losses: jax.Array, logits: jax.Array, share: jax.Array | float, axis_name: str | None = None
) -> jax.Array:
    """Drops the generator's losses for the samples that the discriminator likes least.

    The gradient then comes from the k best samples only: samples between the modes, whose gradients
    point anywhere, do not count. k = max(1, round(share * batch)).

    Source: Top-k Training of GANs: Improving GAN Performance by Throwing Away Bad Samples (Sinha et
    al., 2020), section 3. There k falls from the batch size by a factor per epoch to half of it.

    Args:
      losses: the generator's losses, [batch, ...].
      logits: of the generated samples, of the same shape; those of an example are averaged.
      share: the share that is kept, in (0, 1]; may be traced.
      axis_name: the axis whose devices share the batch.

    Returns:
      Losses of the same shape, zero or multiplied by batch / k, so that their mean is that of the
      samples kept. If several have the k-th logit all of them are kept and the factor is smaller.

    Raises:
      AssertionError: if the shapes differ.
    """
    chex.assert_equal_shape([losses, logits])
    scores = lax.stop_gradient(logits.astype(jnp.float32).reshape(logits.shape[0], -1).mean(-1))
    everyone = scores if axis_name is None else lax.all_gather(scores, axis_name, tiled=True)
    num = everyone.shape[0]
    k = jnp.clip(jnp.round(share * num), 1, num).astype(jnp.int32)
    threshold = jnp.sort(everyone)[num - k]
    factor = num / jnp.sum(everyone >= threshold, dtype=jnp.float32)
    weights = jnp.where(scores >= threshold, factor, 0.0)
    return losses * weights.reshape(-1, *(1,) * (losses.ndim - 1))


def orthogonal(params: Any, name: str = 'kernel') -> jax.Array:
    """How far the filters of each kernel are from being at right angles to each other.

    sum over kernels W of ||W^T W o (1 - I)||^2, W as a matrix [-1, filters], o the product entry by
    entry. Filters of any length may be orthogonal, so that norms are left alone. The gradient is
    4 W (W^T W o (1 - I)); the authors' PyTorch code has half of it, so that its weight is twice
    this one's.

    Source: Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019),
    equation 3, with the weight 1e-4, for the generator alone.

    Args:
      params: a tree of parameters.
      name: what kernels are called in it; all else, such as embeddings and biases, is left out.

    Returns:
      A penalty >= 0, a scalar, float32: 0 without any kernel.

    Raises:
      AssertionError: if a kernel is of rank 1 or less.
    """

    def of_kernel(kernel: jax.Array) -> jax.Array:
        chex.assert_rank(kernel, set(range(2, 8)))
        matrix = kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])
        multiply = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
        if len(matrix) < matrix.shape[1]:  # ||W W^T|| = ||W^T W||, and the smaller fits in memory
            norms = jnp.sum(jnp.square(matrix), axis=0)
            return jnp.sum(jnp.square(multiply(matrix, matrix.T))) - jnp.sum(jnp.square(norms))
        products = multiply(matrix.T, matrix)
        return jnp.sum(jnp.square(products * (1 - jnp.eye(len(products), dtype=products.dtype))))

    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [x for path, x in leaves if getattr(path[-1], 'key', None) == name]
    return sum(map(of_kernel, kernels), start=jnp.zeros(()))
