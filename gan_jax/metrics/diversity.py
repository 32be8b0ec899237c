"""Whether samples are diverse, and whether the discriminator knows its examples by heart."""

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from gan_jax.arrays import Array, floats


@jax.jit
def pairwise_distance(x: Array) -> jax.Array:
    """The mean Euclidean distance of two different examples.

    2 / (n (n - 1)) sum_{i < j} ||x_i - x_j||. All pairs at once, [n, n]: 16 MB for 2,000 examples.

    Args:
      x: [n, ...], n >= 2, images or features; all axes but the first are one vector.

    Returns:
      The distance >= 0 in the units of x, a float32 scalar.

    Raises:
      AssertionError: if there are fewer than two examples.
    """
    chex.assert_rank(x, set(range(1, 8)))
    num = x.shape[0]
    assert num > 1, 'a distance needs two examples'
    x = floats(x).reshape(num, -1)
    # |x|^2 - 2 x y + |y|^2 cancels where examples are close and far from 0, hence the centering.
    x = x - jnp.mean(x, axis=0, keepdims=True)
    squares = jnp.sum(jnp.square(x), axis=1)
    products = jnp.matmul(x, x.T, precision=lax.Precision.HIGHEST)
    gaps = squares[:, None] + squares[None, :] - 2.0 * products
    gaps = jnp.where(jnp.eye(num, dtype=bool), 0.0, jnp.maximum(gaps, 0.0))
    return jnp.sum(jnp.mean(jnp.sqrt(gaps), axis=1)) / (num - 1)


def diversity_ratio(real: Array, fake: Array) -> jax.Array:
    """How far apart samples are, measured by the data.

    pairwise_distance(fake) / pairwise_distance(real): about 1 where the generator is healthy, 0
    where it has collapsed to one sample. It is coarse: of k modes far apart a generator that makes
    any s, evenly, has about (1 - 1/s) / (1 - 1/k), so half of many modes still give almost 1, and
    noise can make it more than 1. Take it on features where there are any.

    Args:
      real: [n, ...], n >= 2, not all equal.
      fake: [m, ...], m >= 2, examples of the same shape.

    Returns:
      The ratio >= 0, a float32 scalar; not finite if all real examples are equal.

    Raises:
      AssertionError: if the examples' shapes differ or there are fewer than two on a side.
    """
    chex.assert_equal_shape_suffix([real, fake], len(real.shape) - 1)
    chex.assert_equal_rank([real, fake])
    return pairwise_distance(fake) / pairwise_distance(real).astype(floats(fake).dtype)


def class_entropy(histogram: Array) -> jax.Array:
    """How evenly the classes are made, from how many samples of each there are.

    -sum_j p_j log p_j / log k, with 0 log 0 = 0. It is 1 - KL(p || uniform) / log k, so
    1 - reverse_kl(histogram) / log k; k^entropy classes, made evenly, would have as much.

    Args:
      histogram: p, counts or probabilities >= 0, [k], k >= 2, not all 0; divided by its sum.
        `mode_histogram(labels, k)` makes it of labels.

    Returns:
      The entropy in [0, 1], a float32 scalar: 1 for all classes alike, 0 for only one.

    Raises:
      AssertionError: if it is not of rank 1 or has fewer than two classes.
    """
    chex.assert_rank(histogram, 1)
    assert histogram.shape[0] > 1, 'entropy needs two classes'
    p = floats(histogram)
    entropies = special.entr(p / jnp.sum(p))
    return jnp.sum(entropies) / jnp.log(jnp.asarray(p.size, p.dtype))


def sign_rate(logits: Array) -> jax.Array:
    """The share of examples judged real less the share judged false.

    E[sign D(x)]. Of training data it is r_t, which rises towards 1 as the discriminator overfits;
    of data that it has not seen it then falls. Only for logits that are judged by 0: not for
    Wasserstein's and relativistic objectives, nor for least squares with labels 0 and 1.

    Source: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020),
    equation 1.

    Args:
      logits: D(x), of any shape but empty; each patch's logit counts alike.

    Returns:
      A rate in [-1, 1], a float32 scalar.

    Raises:
      AssertionError: if there is no logit.
    """
    logits = floats(logits)
    assert logits.size, 'there are no logits'
    return jnp.mean(jnp.sign(logits))


def overfitting(train_logits: Array, held_out_logits: Array, fake_logits: Array) -> jax.Array:
    """Where held-out data are, for the discriminator, between training and generated data.

    r_v = (E D(train) - E D(held out)) / (E D(train) - E D(G(z))): 0 if they are judged as training
    data are, 1 if as generated ones are, that is if D knows its examples by heart. Not bounded, and
    noisy while the denominator is small. It does not depend on where D's zero is, so it suits all
    objectives.

    Source: Training Generative Adversarial Networks with Limited Data (Karras et al., 2020),
    equation 1.

    Args:
      train_logits: of real examples that D is trained on, of any shape but empty.
      held_out_logits: of real examples that it is not trained on, likewise.
      fake_logits: of generated examples, likewise.

    Returns:
      r_v, a float32 scalar; 0 where D does not rank training above generated data, since there is
      nothing that it could know by heart.

    Raises:
      AssertionError: if there are no logits of a kind.
    """
    logits = [floats(x) for x in (train_logits, held_out_logits, fake_logits)]
    assert all(x.size for x in logits), 'there are no logits of a kind'
    train, held_out, fake = (jnp.mean(x) for x in logits)
    gap = train - fake
    return jnp.where(gap > 0, (train - held_out) / jnp.where(gap > 0, gap, 1.0), 0.0)
