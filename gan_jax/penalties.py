"""Penalties on a critic; a critic is any function of images.

A game reads a penalty's signature and passes what it asks for by name:

    critic      images [batch, ...] -> logits [batch, ...] (fewer rows if it packs images)
    real, fake  images [batch, ...] of equal shapes; `fake` are generated
    rng         one key, or keys [batch], one per example
    anchors     (real, fake): running means of the critic's logits, two scalars
    transform   (keys [batch], images) -> images, a random augmentation
    axis_name   the device axis over which a batch is split, or None

All other arguments are options, numbers that a config may set. Each penalty returns one value per
example, [batch], in float32 (float64 if the images are), and differentiates twice. `path_length`
is one on a generator.

Gradients are those of the sum of all logits, so patches and packed images need no special care.
Where the critic couples the examples of a batch, as BatchNorm does in training, the gradient of
the sum has cross terms: it is not strictly one per example.
"""

import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax import keys
from gan_jax.arrays import Array, floats

# Of others' functions: what they take is theirs to say, jax's arrays alone, say.
Critic = Callable[[Any], Array]
Transform = Callable[[Any, Any], Array]


def _images(*images: Array) -> tuple[jax.Array, ...]:
    chex.assert_equal_shape(images)
    chex.assert_rank(images, set(range(2, 8)))
    return tuple(map(floats, images))


def _per_example(rng: Array, draw: Callable, images: jax.Array) -> jax.Array:
    """draw(key) for every example, as the images' type, [batch, ...] of the images' rank."""
    draws = jax.vmap(draw)(keys.per_example(rng, images.shape[0])).astype(images.dtype)
    return draws.reshape(draws.shape + (1,) * (images.ndim - draws.ndim))


def _sqrt(x: jax.Array) -> jax.Array:
    """The square root, with gradient 0 at 0: where() on both sides keeps its infinity out."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _squared_gradients(critic: Critic, images: jax.Array) -> jax.Array:
    gradients = jax.grad(lambda x: jnp.sum(floats(critic(x))))(images)
    return jnp.sum(jnp.square(gradients), axis=range(1, images.ndim))


def _distance_to_target(
    critic: Critic, images: jax.Array, target: float, one_sided: bool = False
) -> jax.Array:
    """(||grad D|| - target)^2, of what is above the target only if `one_sided`."""
    squared = _squared_gradients(critic, images)
    if target == 0:
        # The same without a root: its gradient is right at 0 too.
        return squared
    excess = _sqrt(squared) - target
    return jnp.square(jnp.maximum(excess, 0.0) if one_sided else excess)


def _scores(critic: Critic, images: jax.Array) -> jax.Array:
    """One logit per row: the mean of those an example has."""
    logits = floats(critic(images))
    return jnp.mean(logits, axis=range(1, logits.ndim))


def _interpolates(real: Array, fake: Array, rng: Array) -> jax.Array:
    real, fake = _images(real, fake)
    share = _per_example(rng, lambda key: jax.random.uniform(key, (), jnp.float32), real)
    return fake + share * (real - fake)


def r1(critic: Critic, real: Array) -> jax.Array:
    """The squared norm of the critic's gradient at real data.

    ||grad_x D(x)||^2. Papers multiply it by gamma / 2.

    Source: Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018), eq. 9.

    Args:
      critic: images [batch, ...] -> logits of any rank.
      real: real data [batch, ...].

    Returns:
      Penalties >= 0, [batch], float32.

    Raises:
      AssertionError: if `real` has no axis but the batch's.
    """
    (real,) = _images(real)
    return _squared_gradients(critic, real)


def r2(critic: Critic, fake: Array) -> jax.Array:
    """The squared norm of the critic's gradient at generated data.

    ||grad_x D(x)||^2 at x = G(z). Papers multiply it by gamma / 2.

    Source: Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018), eq. 10.

    Args:
      critic: images [batch, ...] -> logits of any rank.
      fake: generated data [batch, ...].

    Returns:
      Penalties >= 0, [batch], float32.

    Raises:
      AssertionError: if `fake` has no axis but the batch's.
    """
    (fake,) = _images(fake)
    return _squared_gradients(critic, fake)


def gradient_penalty(
    critic: Critic,
    real: Array,
    fake: Array,
    rng: Array,
    target: float = 1.0,
    one_sided: bool = False,
) -> jax.Array:
    """The distance of the gradient's norm from a target, between real and generated data.

    (||grad D(x^)|| - target)^2 at x^ = a x + (1 - a) G(z), a ~ U(0, 1) one per example; the norm
    is over all axes but the first. One-sided: max(0, ||grad D(x^)|| - target)^2. The paper's
    weight is 10. No small number is added under the root; where the gradient is 0 the derivative
    of its norm is taken as 0.

    Source: Improved Training of Wasserstein GANs (Gulrajani et al., 2017), equation 3; one-sided:
    its section 4, and On the regularization of Wasserstein GANs (Petzka et al., 2018).

    Args:
      critic: images [batch, ...] -> logits of any rank.
      real: real data [batch, ...].
      fake: generated data of the same shape.
      rng: one key, or keys [batch].
      target: the wanted norm, a Python number >= 0; with 0 this is `zero_centered`.
      one_sided: whether norms below the target are free.

    Returns:
      Penalties >= 0, [batch], float32.

    Raises:
      AssertionError: if the shapes differ or have no axis but the batch's.
    """
    return _distance_to_target(critic, _interpolates(real, fake, rng), target, one_sided)


def zero_centered(critic: Critic, real: Array, fake: Array, rng: Array) -> jax.Array:
    """The squared norm of the critic's gradient between real and generated data.

    ||grad D(x^)||^2 at x^ = a x + (1 - a) G(z), a ~ U(0, 1) one per example.

    Source: Improving Generalization and Stability of Generative Adversarial Networks (Thanh-Tung
    et al., 2019), the zero-centered gradient penalty (0-GP).

    Args:
      critic: images [batch, ...] -> logits of any rank.
      real: real data [batch, ...].
      fake: generated data of the same shape.
      rng: one key, or keys [batch].

    Returns:
      Penalties >= 0, [batch], float32.

    Raises:
      AssertionError: if the shapes differ or have no axis but the batch's.
    """
    return _squared_gradients(critic, _interpolates(real, fake, rng))


def dragan(
    critic: Critic,
    real: Array,
    rng: Array,
    scale: float = 0.5,
    target: float = 1.0,
    centered: bool = False,
    interpolate: bool = True,
    axis_name: str | None = None,
) -> jax.Array:
    """The distance of the gradient's norm from a target, around real data.

    (||grad D(x^)|| - target)^2 at x^ = x + a * scale * std * u, with std the standard deviation
    of all entries of the batch, u ~ U(0, 1) for each entry and a ~ U(0, 1) one per example. This
    is the authors' code. The paper's formula has x^ = x + d with d ~ N(0, c I): no a, and noise
    that is normal, centred and not in units of the data's deviation. Later code often leaves
    out a (`interpolate` = False) or centres u (`centered`). The authors' weight is 10.

    Source: On Convergence and Stability of GANs (Kodali et al., 2017), section 2, and its code.

    Args:
      critic: images [batch, ...] -> logits of any rank.
      real: real data [batch, ...].
      rng: one key, or keys [batch].
      scale: the largest noise, in standard deviations of the data, >= 0.
      target: the wanted norm, a Python number >= 0.
      centered: whether u ~ U(-1, 1).
      interpolate: whether x^ lies anywhere from x to the noisy image; otherwise it is that image.
      axis_name: the device axis over which the batch is split, or None.

    Returns:
      Penalties >= 0, [batch], float32.

    Raises:
      AssertionError: if `real` has no axis but the batch's.
    """
    (real,) = _images(real)

    def mean(x):
        return jnp.mean(x) if axis_name is None else lax.pmean(jnp.mean(x), axis_name)

    # The mean first: E[x^2] - E[x]^2 would lose the digits of small deviations.
    deviation = _sqrt(mean(jnp.square(real - mean(real))))

    def draw(key):
        key_noise, key_share = jax.random.split(key)
        low = -1.0 if centered else 0.0
        noise = jax.random.uniform(key_noise, real.shape[1:], jnp.float32, minval=low)
        return noise * jax.random.uniform(key_share, (), jnp.float32) if interpolate else noise

    around = real + scale * deviation * _per_example(rng, draw, real)
    return _distance_to_target(critic, around, target)


def lecam(
    critic: Critic,
    real: Array,
    fake: Array,
    anchors: tuple[chex.Numeric, chex.Numeric],
    one_sided: bool = False,
) -> jax.Array:
    """The squared distances of logits to the other side's running mean.

    (D(x) - a_F)^2 + (D(G(z)) - a_R)^2, with a_R and a_F the running means of the critic's logits
    of real and generated data. One-sided, as in the authors' code:
    max(0, D(x) - a_F)^2 + max(0, a_R - D(G(z)))^2.

    Source: Regularizing Generative Adversarial Networks under Limited Data (Tseng et al., 2021),
    section 3, the regularisation R_LC.

    Args:
      critic: images [batch, ...] -> logits; the logits of a row are averaged first.
      real: real data [batch, ...].
      fake: generated data of the same shape.
      anchors: (a_R, a_F), scalars.
      one_sided: whether logits on the wrong side of the other's mean are free.

    Returns:
      Penalties >= 0, one per row of logits: [batch], float32.

    Raises:
      AssertionError: if the shapes differ or an anchor is not a scalar.
    """
    real, fake = _images(real, fake)
    chex.assert_rank(anchors, 0)
    real_scores, fake_scores = _scores(critic, real), _scores(critic, fake)
    real_anchor, fake_anchor = (jnp.asarray(x).astype(real_scores.dtype) for x in anchors)
    above, below = real_scores - fake_anchor, real_anchor - fake_scores
    if one_sided:
        above, below = jnp.maximum(above, 0.0), jnp.maximum(below, 0.0)
    return jnp.square(above) + jnp.square(below)


def consistency(critic: Critic, real: Array, rng: Array, transform: Transform) -> jax.Array:
    """The squared change of the critic's logit when a real image is augmented.

    (D(x) - D(T(x)))^2. The paper's weight is 10.

    Source: Consistency Regularization for Generative Adversarial Networks (Zhang et al., 2020),
    section 3, on the last layer.

    Args:
      critic: images [batch, ...] -> logits; the logits of a row are averaged first.
      real: real data [batch, ...].
      rng: one key, or keys [batch].
      transform: T, (keys [batch], images) -> images of the same shape.

    Returns:
      Penalties >= 0, one per row of logits: [batch], float32.

    Raises:
      AssertionError: if `real` has no axis but the batch's, or T changes its shape.
    """
    (real,) = _images(real)
    _, changed = _images(real, transform(keys.per_example(rng, real.shape[0]), real))
    return jnp.square(_scores(critic, real) - _scores(critic, changed))


def balanced_consistency(
    critic: Critic, real: Array, fake: Array, rng: Array, transform: Transform
) -> jax.Array:
    """The squared changes of the critic's logits when real and generated images are augmented.

    (D(x) - D(T(x)))^2 + (D(G(z)) - D(T'(G(z))))^2, T and T' drawn apart. The paper has a weight
    for each (both 10 on CIFAR-10); here they are equal.

    Source: Improved Consistency Regularization for GANs (Zhao et al., 2021), algorithm 1 (bCR).

    Args:
      critic: images [batch, ...] -> logits; the logits of a row are averaged first.
      real: real data [batch, ...].
      fake: generated data of the same shape.
      rng: one key, or keys [batch].
      transform: T, (keys [batch], images) -> images of the same shape.

    Returns:
      Penalties >= 0, one per row of logits: [batch], float32.

    Raises:
      AssertionError: if the shapes differ, or T changes them.
    """
    real, fake = _images(real, fake)
    rng = keys.per_example(rng, real.shape[0])
    real_keys, fake_keys = (keys.of_name(rng, name) for name in ('real', 'fake'))
    of_real = consistency(critic, real, real_keys, transform)
    return of_real + consistency(critic, fake, fake_keys, transform)


def path_length(
    synthesize: Callable[[Any], Array],
    styles: Array,
    rng: Array,
    mean: Array,
    decay: float = 0.01,
    axis_name: str | None = None,
) -> tuple[jax.Array, Array]:
    """How far a generator's Jacobian stretches a step in styles, against what it does on average.

    (|J^T y| - a)^2 with J = dg(w)/dw and y ~ N(0, 1 / (h w)) one per number of an image, a the
    running mean of the lengths with this batch's in it: a + decay * (E|J^T y| - a). The norm is
    taken over a layer's style and its square averaged over the L layers. As in the authors' code
    the gradient passes through the new mean, too, where its factor is `decay`. The paper's weight
    is 2, one step in four.

    Source: Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), section 3.2
    and appendix B.

    Args:
      synthesize: g, styles -> images [n, h, w, c], with the same noise at each call.
      styles: w, [n, L, size]; an example's image depends on its own styles only.
      rng: one key, or keys [n].
      mean: a, a scalar; 0 at first.
      decay: how much of the new mean is this batch's, 0 to 1.
      axis_name: the axis of the devices that share a batch, for its mean.

    Returns:
      Penalties >= 0, [n], and the new mean: float32.

    Raises:
      AssertionError: if `styles` are not of rank 3, or the mean is no scalar.
    """
    chex.assert_rank([styles, mean], [3, 0])
    styles = floats(styles)
    images, pull_back = jax.vjp(lambda w: floats(synthesize(w)), styles)
    noise = _per_example(
        rng, lambda key: jax.random.normal(key, images.shape[1:], jnp.float32), images
    )
    (slopes,) = pull_back(noise / math.sqrt(math.prod(images.shape[1:-1])))
    lengths = _sqrt(jnp.mean(jnp.sum(jnp.square(slopes), axis=2), axis=1))
    average = jnp.mean(lengths)
    if axis_name is not None:
        average = lax.pmean(average, axis_name)
    mean = mean + decay * (average - mean)
    return jnp.square(lengths - mean), mean
