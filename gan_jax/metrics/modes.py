"""How many of the data's modes a generator makes, how sharply and how evenly.

The protocol of PacGAN on mixtures of Gaussians: each of 2,500 samples belongs to its nearest mode
and is of high quality within 3 standard deviations of it; a mode is captured by at least one
sample of high quality. There the reverse KL divergence is of the histogram of all samples, as
mode_histogram(nearest_mode(...)[0], k) has it. (The authors' program leaves out those that are not
of high quality; give these an index of -1 for that.) Where modes are classes, as in Stacked MNIST,
a classifier gives the index, and a mode is captured by one sample.

Source: PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
section 4, after VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning
(Srivastava et al., 2017), section 5.
"""

import chex
import jax
import jax.numpy as jnp
from jax.scipy import special

from gan_jax.arrays import Array, floats


def nearest_mode(samples: Array, centers: Array) -> tuple[jax.Array, jax.Array]:
    """The nearest mode of each sample: argmin_j ||x_i - c_j|| and the least distance.

    Args:
      samples: x, [n, d].
      centers: c, [modes, d].

    Returns:
      Places in `centers`, int32 [n], the first where several are as near; and Euclidean distances
      >= 0, float32 [n], in the units of x.

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
    """
    chex.assert_rank([samples, centers], 2)
    chex.assert_equal_shape_suffix([samples, centers], 1)
    samples, centers = floats(samples), floats(centers).astype(floats(samples).dtype)
    # Differences, not |x|^2 - 2 x c + |c|^2: that cancels where distances are small.
    squares = jnp.sum(jnp.square(samples[:, None] - centers[None]), axis=-1)
    return jnp.argmin(squares, axis=1).astype(jnp.int32), jnp.sqrt(jnp.min(squares, axis=1))


def mode_histogram(index: Array, num_modes: int) -> jax.Array:
    """How many samples each mode has.

    Args:
      index: the mode of each sample, integers [n]; those outside [0, num_modes) are not counted.
      num_modes: how many modes there are.

    Returns:
      Counts, int32 [num_modes].

    Raises:
      AssertionError: if `index` is not of rank 1 or not of integers.
    """
    chex.assert_rank(index, 1)
    chex.assert_type(index, int)
    places = jnp.where(index < 0, num_modes, index)  # a negative index would count from the end
    return jnp.zeros(num_modes, jnp.int32).at[places].add(1, mode='drop')


def modes_in_histogram(histogram: Array) -> jax.Array:
    """The number of modes with at least one sample, an int32 scalar.

    Args:
      histogram: counts or probabilities >= 0, [modes].

    Raises:
      AssertionError: if it is not of rank 1.
    """
    chex.assert_rank(histogram, 1)
    return jnp.sum(jnp.asarray(histogram) > 0, dtype=jnp.int32)


def modes_captured(samples: Array, centers: Array, stddev: float, radius: float = 3.0) -> jax.Array:
    """The number of modes that have a sample of high quality.

    #{j: some x_i has j as its nearest mode and ||x_i - c_j|| <= radius * stddev}.

    Source: PacGAN (Lin et al., 2018), section 4.1.

    Args:
      samples: x, [n, d].
      centers: c, [modes, d].
      stddev: the modes' standard deviation, in the units of x.
      radius: the largest distance of high quality, in standard deviations.

    Returns:
      From 0 to the number of modes, an int32 scalar.

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
    """
    index, distance = nearest_mode(samples, centers)
    index = jnp.where(distance <= radius * stddev, index, -1)
    return modes_in_histogram(mode_histogram(index, centers.shape[0]))


def high_quality_share(
    samples: Array, centers: Array, stddev: float, radius: float = 3.0
) -> jax.Array:
    """The share of samples of high quality: mean_i [min_j ||x_i - c_j|| <= radius * stddev].

    Of samples of the mixture itself it is 1 - exp(-radius^2 / 2) in the plane: 0.989 for 3.

    Source: PacGAN (Lin et al., 2018), section 4.1.

    Args:
      samples: x, [n, d].
      centers: c, [modes, d].
      stddev: the modes' standard deviation, in the units of x.
      radius: the largest distance of high quality, in standard deviations.

    Returns:
      A share in [0, 1], a float32 scalar.

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
    """
    _, distance = nearest_mode(samples, centers)
    return jnp.mean((distance <= radius * stddev).astype(distance.dtype))


def reverse_kl(histogram: Array, target: Array | None = None) -> jax.Array:
    """The divergence of the generated modes from the data's, which forgives modes that are missed.

    KL(p || q) = sum_j p_j log(p_j / q_j), with 0 log 0 = 0 and the natural logarithm. Where a
    share s of the modes is generated evenly and q is uniform, it is -log s.

    Source: PacGAN (Lin et al., 2018), section 4.1; VEEGAN (Srivastava et al., 2017), section 5.1.

    Args:
      histogram: p, counts or probabilities >= 0, [modes], not all 0; divided by its sum.
      target: q, likewise; uniform by default.

    Returns:
      The divergence >= 0 in nats, a float32 scalar; infinite where p has a mode that q has not.

    Raises:
      AssertionError: if `histogram` is not of rank 1 or the shapes differ.
    """
    chex.assert_rank(histogram, 1)
    p = floats(histogram)
    q = jnp.ones_like(p) if target is None else floats(target).astype(p.dtype)
    chex.assert_equal_shape([p, q])
    return jnp.sum(special.rel_entr(p / jnp.sum(p), q / jnp.sum(q)))
