"""Reconstruction losses: how far one batch of images or features is from another.

All return one value per example, [batch], in float32 (float64 if the inputs are), except
`feature_statistics_matching` and `moments_matching`, which compare whole batches and return a
scalar. Distances are means over an example's entries, so they do not grow with its size.
`adaptive_weight` is that of an adversarial loss beside them.
"""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.arrays import Array, floats

Distance = Callable[[Array, Array], Array]
Size = Callable[[Array], Array]


def _absolute(x: jax.Array) -> jax.Array:
    """|x|, with gradient 0 at 0 where that of jnp.abs is 1."""
    return x * lax.stop_gradient(jnp.sign(x))


def _pair(x: Array, y: Array) -> tuple[jax.Array, jax.Array]:
    """Both as [batch, entries]."""
    chex.assert_equal_shape([x, y])
    chex.assert_rank([x, y], set(range(1, 8)))
    x, y = floats(x), floats(y)
    return x.reshape(x.shape[0], -1), y.reshape(y.shape[0], -1)


def l1(x: Array, y: Array) -> jax.Array:
    """The mean absolute error.

    mean |x - y|, with gradient 0 where they are equal.

    Source: Image-to-Image Translation with Conditional Adversarial Networks (Isola et al., 2017),
    equation 3.

    Args:
      x: [batch, ...].
      y: of the same shape.

    Returns:
      Losses >= 0 in the units of x, [batch], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    x, y = _pair(x, y)
    return jnp.mean(_absolute(x - y), axis=1)


def l2(x: Array, y: Array) -> jax.Array:
    """The mean squared error.

    mean (x - y)^2; no root is taken.

    Source: Context Encoders: Feature Learning by Inpainting (Pathak et al., 2016), equation 1.

    Args:
      x: [batch, ...].
      y: of the same shape.

    Returns:
      Losses >= 0 in squared units of x, [batch], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    x, y = _pair(x, y)
    return jnp.mean(jnp.square(x - y), axis=1)


def charbonnier(x: Array, y: Array, epsilon: float = 1e-3) -> jax.Array:
    """A smooth absolute error.

    mean sqrt((x - y)^2 + epsilon^2): |x - y| far above epsilon, (x - y)^2 / (2 epsilon) + epsilon
    far below. Its least value is epsilon.

    Source: Fast and Accurate Image Super-Resolution with Deep Laplacian Pyramid Networks (Lai et
    al., 2018), section 3, with epsilon = 0.001.

    Args:
      x: [batch, ...].
      y: of the same shape.
      epsilon: a Python number > 0 in the units of x.

    Returns:
      Losses >= epsilon in the units of x, [batch], float32.

    Raises:
      AssertionError: if the shapes differ.
      ValueError: if `epsilon` is not positive.
    """
    x, y = _pair(x, y)
    if epsilon <= 0:
        raise ValueError(f'epsilon must be above 0, not {epsilon}')
    return jnp.mean(jnp.sqrt(jnp.square(x - y) + epsilon**2), axis=1)


def cosine(x: Array, y: Array) -> jax.Array:
    """One less the cosine of the angle between two examples, each taken as one vector.

    1 - <x, y> / (|x| |y|); 1, with gradient 0, where either is zero.

    Args:
      x: [batch, ...].
      y: of the same shape.

    Returns:
      Losses in [0, 2], [batch], float32.

    Raises:
      AssertionError: if the shapes differ.
    """
    x, y = _pair(x, y)

    def unit(v):
        squared = jnp.sum(jnp.square(v), axis=1, keepdims=True)
        # The root's gradient is infinite at 0, hence where() on both sides of it.
        norm = jnp.sqrt(jnp.where(squared > 0, squared, 1.0))
        return jnp.where(squared > 0, v / norm, 0.0)

    return 1.0 - jnp.sum(unit(x) * unit(y), axis=1)


def total_variation(images: Array) -> jax.Array:
    """The mean absolute difference of neighbouring pixels.

    mean |x(i+1, j) - x(i, j)| + mean |x(i, j+1) - x(i, j)|: anisotropic (the two directions are
    summed, with no root over both), and a mean over pixels and channels for each direction, where
    tf.image.total_variation has the sum. A side of one pixel has no differences and adds 0.

    Source: Nonlinear total variation based noise removal algorithms (Rudin et al., 1992), there
    isotropic.

    Args:
      images: [batch, height, width, channels].

    Returns:
      Losses >= 0 in the units of the images, [batch], float32.

    Raises:
      AssertionError: if the images are not of rank 4.
    """
    chex.assert_rank(images, 4)
    images = floats(images)

    def mean(differences):
        size = differences[0].size
        return jnp.sum(_absolute(differences), axis=(1, 2, 3)) / max(size, 1)

    return mean(jnp.diff(images, axis=1)) + mean(jnp.diff(images, axis=2))


def _leaves(real_features: Any, fake_features: Any) -> list[tuple[Array, Array]]:
    chex.assert_trees_all_equal_structs(real_features, fake_features)
    chex.assert_trees_all_equal_shapes(real_features, fake_features)
    leaves = list(zip(jax.tree.leaves(real_features), jax.tree.leaves(fake_features), strict=True))
    assert leaves, 'there are no features'
    return leaves


def feature_matching(real_features: Any, fake_features: Any, distance: Distance = l1) -> jax.Array:
    """The distance of an example's features to those of its counterpart, example by example.

    mean over layers i of distance(f_i(x), f_i(y)). It is for pairs: y is meant to be x, as in
    translation and reconstruction. Where G(z) and x are not paired, match the means of features
    over the batch instead, as Salimans et al. do: `feature_statistics_matching`. The cited paper
    has the sum over layers, so its weight is this one's divided by their number.

    Source: High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs (Wang
    et al., 2018), equation 4, with distance = l1.

    Args:
      real_features: a tree of arrays [batch, ...], one per layer.
      fake_features: a tree of the same structure and shapes.
      distance: ([batch, ...], [batch, ...]) -> [batch], such as l1, l2 or cosine.

    Returns:
      Losses, [batch], float32.

    Raises:
      AssertionError: if the trees or shapes differ, or there is no array.
    """
    leaves = _leaves(real_features, fake_features)
    return jnp.mean(jnp.stack([distance(x, y) for x, y in leaves]), axis=0)


def squared_norm(gap: Array) -> jax.Array:
    """||gap||^2, a scalar."""
    return jnp.sum(jnp.square(gap))


def mean_square(gap: Array) -> jax.Array:
    """The mean of gap^2 over its entries, a scalar."""
    return jnp.mean(jnp.square(gap))


def mean_absolute(gap: Array) -> jax.Array:
    """The mean of |gap| over its entries, a scalar, with gradient 0 at 0."""
    return jnp.mean(_absolute(jnp.asarray(gap)))


def feature_statistics_matching(
    real_features: Any,
    fake_features: Any,
    axis_name: str | None = None,
    size: Size = squared_norm,
) -> jax.Array:
    """The distance of the batches' mean features.

    mean over layers i of size(E f_i(x) - E f_i(G(z))), the expectations over the batch, by default
    ||E f_i(x) - E f_i(G(z))||^2, the norm over a layer's entries (a sum, as in the paper, which has
    one layer). Unlike `feature_matching` it pairs no examples. With micro-batches each has its own
    means.

    Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 3.1; the authors'
    code has `mean_square` for MNIST and `mean_absolute` for CIFAR-10.

    Args:
      real_features: a tree of arrays [batch, ...], one per layer.
      fake_features: a tree of the same structure and shapes.
      axis_name: the device axis over which the batch is split, or None.
      size: a layer's gap -> a scalar, such as squared_norm or mean_absolute.

    Returns:
      A loss >= 0, a scalar, float32.

    Raises:
      AssertionError: if the trees or shapes differ, or there is no array.
    """
    leaves = _leaves(real_features, fake_features)
    gaps = [jnp.mean(floats(x) - floats(y), axis=0) for x, y in leaves]
    if axis_name is not None:
        gaps = lax.pmean(gaps, axis_name)
    return jnp.mean(jnp.stack([size(gap) for gap in gaps]))


def moments_matching(real: Array, fake: Array, axis_name: str | None = None) -> jax.Array:
    """How far two batches' means and standard deviations are apart, entry by entry.

    mean_i |sqrt(v_i(x) + 1e-6) - sqrt(v_i(y) + 1e-6)| + mean_i |m_i(x) - m_i(y)|, m_i and v_i the
    mean and the variance (over n) of entry i, such as a feature at a step, over the batch on all
    devices.

    Source: Time-series Generative Adversarial Networks (Yoon et al., 2019), the authors' code,
    where it is called the loss of two moments.

    Args:
      real: x, [batch, ...].
      fake: y, of the same shape.
      axis_name: the axis of devices that share the batch; None for one alone.

    Returns:
      A float32 scalar >= 0 in the units of x.

    Raises:
      AssertionError: if the shapes differ.
    """
    both = jnp.stack(_pair(real, fake))

    def over_batch(values: jax.Array) -> jax.Array:
        mean = jnp.mean(values, axis=1)
        return mean if axis_name is None else lax.pmean(mean, axis_name)

    means = over_batch(both)
    deviations = jnp.sqrt(over_batch(jnp.square(both - means[:, None])) + 1e-6)
    of_means, of_deviations = (jnp.mean(_absolute(z[0] - z[1])) for z in (means, deviations))
    return of_means + of_deviations


def adaptive_weight(
    reconstruction_gradient: Any,
    adversarial_gradient: Any,
    step: Array | int,
    *,
    weight: float = 1.0,
    start: int = 0,
    epsilon: float = 1e-4,
    most: float = 1e4,
) -> jax.Array:
    """The factor of an adversarial loss that is added to a reconstruction's.

    weight * clip(||grad_L rec|| / (||grad_L adv|| + epsilon), 0, most) from step `start` on, 0
    before it; L is the decoder's last layer. So both pull at it with forces of a fixed proportion.
    No gradient passes through the factor.

    Source: Taming Transformers for High-Resolution Image Synthesis (Esser et al., 2021), equation
    7; epsilon, the clipping and the start are those of the authors' code.

    Args:
      reconstruction_gradient: of the reconstruction loss by the last layer, a tree of arrays.
      adversarial_gradient: of the generator's adversarial loss by it, a tree of arrays. Over
        devices, both are to be the means of all.
      step: the step's number, a scalar.
      weight: what the proportion is to be.
      start: the first step with an adversarial loss.
      epsilon: a number > 0.
      most: the largest proportion before `weight`.

    Returns:
      A factor >= 0, a scalar, float32.

    Raises:
      AssertionError: if the two gradients have no arrays, or not the same shapes.
    """
    pairs = _leaves(reconstruction_gradient, adversarial_gradient)
    of_reconstruction, of_adversary = (
        jnp.sqrt(sum(squared_norm(floats(x)) for x in side)) for side in zip(*pairs, strict=True)
    )
    proportion = jnp.clip(of_reconstruction / (of_adversary + epsilon), 0.0, most)
    return lax.stop_gradient(jnp.where(jnp.asarray(step) >= start, weight * proportion, 0.0))
