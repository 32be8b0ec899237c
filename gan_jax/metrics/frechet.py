"""The Fréchet distance of two sets of features, as Gaussians.

With the activations of Inception-v3's last pooling layer as features this is the Fréchet inception
distance, FID. All is computed by NumPy on the host, in float64: JAX runs in 32 bits by default, and
the distance is a small difference of large traces.

The number of examples moves it: the estimate is biased upwards by about 1/n, so figures compare
only at equal numbers, on the same split and with the same network.
"""

import functools
from typing import NamedTuple

import chex
import numpy as np

from gan_jax.arrays import Array

CHUNK = 4096  # examples that are copied to float64 at a time


class Moments(NamedTuple):
    """What a Gaussian fitted to features needs; sums of it can be merged.

    Attributes:
      count: n, how many examples.
      mean: m, float64 [d].
      scatter: sum_i (x_i - m)(x_i - m)^T, float64 [d, d].
    """

    count: int  # type: ignore[assignment]  # tuple.count, which nobody needs here
    mean: np.ndarray
    scatter: np.ndarray


def _moments(features: np.ndarray) -> Moments:
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    features -= mean
    return Moments(len(features), mean, features.T @ features)


def moments(features: Array) -> Moments:
    """The count, the mean and the scatter matrix of features.

    For features that do not fit in memory, merge those of parts with `add_moments`.

    Args:
      features: x, [n, d] with n >= 1.

    Returns:
      Moments, in float64.

    Raises:
      AssertionError: if `features` is not of rank 2.
      ValueError: if there are none, or some are not finite.
    """
    chex.assert_rank(features, 2)
    features = np.asarray(features)
    if features.size == 0:
        raise ValueError(f'features of shape {features.shape}: at least one is needed')
    if not np.isfinite(features).all():
        raise ValueError('features that are not finite (NaN or infinity) have no moments')
    parts = (_moments(features[i : i + CHUNK]) for i in range(0, len(features), CHUNK))
    return functools.reduce(add_moments, parts)


def add_moments(a: Moments, b: Moments) -> Moments:
    """The moments of two sets of features together, from those of each.

    With g = m_b - m_a and n = n_a + n_b: m = m_a + g n_b / n, S = S_a + S_b + g g^T n_a n_b / n.

    Source: Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (Chan, Golub
    & LeVeque, 1979), here with outer products.

    Args:
      a: moments of features with d dimensions.
      b: likewise.

    Returns:
      Moments; the order matters only to rounding.

    Raises:
      AssertionError: if the dimensions differ.
    """
    chex.assert_equal_shape([a.mean, b.mean])
    count = a.count + b.count
    gap = b.mean - a.mean
    scatter = a.scatter + b.scatter
    scatter += np.outer(gap, gap * (a.count * b.count / count))
    return Moments(count, a.mean + gap * (b.count / count), scatter)


def covariance(moments: Moments) -> np.ndarray:
    """The unbiased covariance, S / (n - 1), float64 [d, d].

    Raises:
      ValueError: if there are fewer than two examples.
    """
    if moments.count < 2:
        raise ValueError(f'a covariance needs two examples or more, not {moments.count}')
    return moments.scatter / (moments.count - 1)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A with A A^T = covariance, [d, rank].

    Eigenvalues below the usual numerical rank's bound are rounding errors, and their square roots
    would be 1e-8 of the largest.
    """
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])


def frechet_distance(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> float:
    """The squared Fréchet (Wasserstein-2) distance of two Gaussians.

    |m_1 - m_2|^2 + tr C_1 + tr C_2 - 2 tr (C_1 C_2)^(1/2).

    The last trace is the sum of the singular values of A_1^T A_2, where C = A A^T from the
    eigenvectors of each. That is the sum of the square roots of the eigenvalues of
    A_1^T C_2 A_1 without squaring first, which would lose half of the digits; singular, collapsed
    and equal covariances need no care, and there is nothing imaginary to drop.

    Source: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium
    (Heusel et al., 2017), equation 6; The Fréchet distance between multivariate normal
    distributions (Dowson & Landau, 1982).

    Args:
      mean_1: m_1, [d].
      cov_1: C_1, [d, d], symmetric and positive semi-definite up to rounding.
      mean_2: m_2, [d].
      cov_2: C_2, [d, d].

    Returns:
      The distance >= 0, in squared units of the features.

    Raises:
      AssertionError: if the shapes are not these.
      ValueError: if a value is not finite.
    """
    chex.assert_rank([mean_1, mean_2], 1)
    chex.assert_equal_shape([mean_1, mean_2])
    chex.assert_shape([cov_1, cov_2], (len(mean_1), len(mean_1)))
    m_1, c_1, m_2, c_2 = (np.asarray(x).astype(np.float64) for x in (mean_1, cov_1, mean_2, cov_2))
    for name, x in (('mean_1', m_1), ('cov_1', c_1), ('mean_2', m_2), ('cov_2', c_2)):
        if not np.isfinite(x).all():
            raise ValueError(f'{name} is not finite: it has a NaN or an infinity')
    product = _factor(c_1).T @ _factor(c_2)
    root = np.linalg.svd(product, compute_uv=False).sum() if product.size else 0.0
    gap = m_1 - m_2
    return max(float(gap @ gap + np.trace(c_1) + np.trace(c_2) - 2 * root), 0.0)


def intra_class_frechet_distance(
    real: Array, real_labels: Array, fake: Array, fake_labels: Array
) -> tuple[float, dict[int, float]]:
    """The Fréchet distance within each class, and its mean over the classes (intra-FID).

    All classes count alike. A class that only one side has is an error: left out of the mean, a
    class that the generator does not make would improve its score. Classes have fewer examples
    than the whole, so the bias is larger; compare at equal numbers in each class.

    Source: cGANs with Projection Discriminator (Miyato & Koyama, 2018), section 5.

    Args:
      real: features of real examples, [n, d].
      real_labels: their classes, integers [n].
      fake: features of generated examples, [m, d].
      fake_labels: the classes they were generated for, integers [m].

    Returns:
      The mean, and the distance of each class by its label, in ascending order.

    Raises:
      AssertionError: if the shapes are not these or labels are not integers.
      ValueError: if a class of either side has fewer than two examples on the other or its own.
    """
    chex.assert_rank([real, fake], 2)
    chex.assert_equal_shape_suffix([real, fake], 1)
    chex.assert_shape(real_labels, (len(real),))
    chex.assert_shape(fake_labels, (len(fake),))
    chex.assert_type([real_labels, fake_labels], int)
    sides = [(np.asarray(x), np.asarray(y)) for x, y in ((real, real_labels), (fake, fake_labels))]
    classes = np.union1d(sides[0][1], sides[1][1])
    for side, (_, labels) in zip(('real', 'generated'), sides, strict=True):
        few = [int(c) for c in classes if np.sum(labels == c) < 2]
        if few:
            raise ValueError(
                f'each class needs two {side} examples or more; these have fewer: '
                f'{", ".join(map(str, few[:10]))}{", ..." if len(few) > 10 else ""}'
            )
    distances = {}
    for c in classes:
        fits = [moments(x[labels == c]) for x, labels in sides]
        (m_1, c_1), (m_2, c_2) = ((fit.mean, covariance(fit)) for fit in fits)
        distances[int(c)] = frechet_distance(m_1, c_1, m_2, c_2)
    if not distances:
        raise ValueError('there are no examples')
    return float(np.mean([*distances.values()])), distances
