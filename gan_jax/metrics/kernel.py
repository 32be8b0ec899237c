"""The kernel distance of two sets of features: an unbiased squared maximum mean discrepancy.

With the activations of Inception-v3's last pooling layer as features this is the kernel inception
distance, KID. Unlike the Fréchet distance it has no bias, so it also serves small sets. Computed by
NumPy on the host in float64: JAX runs in 32 bits by default, and the terms nearly cancel.
"""

import functools

import chex
import numpy as np

from gan_jax.arrays import Array


def _kernel(x: np.ndarray, y: np.ndarray, degree: int, gamma: float, coef: float) -> np.ndarray:
    """(gamma x . y + coef)^degree of all pairs; products are many times quicker than a power."""
    base = gamma * (x @ y.T) + coef
    return functools.reduce(np.multiply, [base] * degree, np.ones_like(base))


def polynomial_mmd(
    x: Array,
    y: Array,
    degree: int = 3,
    gamma: float | None = None,
    coef: float = 1.0,
) -> float:
    """The unbiased estimate of the squared MMD with a polynomial kernel.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j), where
    k(x, y) = (gamma x . y + coef)^degree.

    Source: A Kernel Two-Sample Test (Gretton et al., 2012), equation 3; Demystifying MMD GANs
    (Binkowski et al., 2018), section 4 for the kernel.

    Args:
      x: features, [n, d] with n >= 2.
      y: features, [m, d] with m >= 2.
      degree: of the polynomial.
      gamma: a scale; 1 / d by default.
      coef: what is added to it.

    Returns:
      The estimate. Its mean is 0 if x and y have one distribution, so it can be negative.

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
      ValueError: if either has fewer than two examples or values that are not finite.
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    x, y = (np.asarray(a).astype(np.float64) for a in (x, y))
    if min(len(x), len(y)) < 2:
        raise ValueError(f'two examples of each are needed, not {len(x)} and {len(y)}')
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError('features that are not finite (NaN or infinity) have no distance')
    gamma = 1.0 / x.shape[1] if gamma is None else gamma

    def off_diagonal(a: np.ndarray) -> float:
        kernel = _kernel(a, a, degree, gamma, coef)
        np.fill_diagonal(kernel, 0.0)
        return kernel.sum() / (len(a) * (len(a) - 1))

    cross = _kernel(x, y, degree, gamma, coef).mean()
    return float(off_diagonal(x) + off_diagonal(y) - 2 * cross)


def kernel_distance(
    real: Array,
    fake: Array,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    degree: int = 3,
    gamma: float | None = None,
    coef: float = 1.0,
    seed: int = 0,
) -> tuple[float, float]:
    """The mean of `polynomial_mmd` over random subsets (KID).

    Subsets are drawn as torch-fidelity 0.4.0 draws them for its input1, the generated examples,
    and input2, the real ones, so that figures of one seed (there 2020 by default) are equal.

    Source: Demystifying MMD GANs (Binkowski et al., 2018), section 4.

    Args:
      real: features of real examples, [n, d].
      fake: features of generated examples, [m, d].
      subsets: the number of subsets.
      subset_size: examples of each side in a subset, drawn without replacement; from 2 to the
        lesser of n and m.
      degree: of the polynomial, as are the next two.
      gamma: a scale; 1 / d by default.
      coef: what is added to it.
      seed: of the subsets.

    Returns:
      The mean, in no unit; and the standard deviation of the subsets (not of their mean).

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
      ValueError: if there are fewer examples than `subset_size`, or values that are not finite.
    """
    chex.assert_rank([real, fake], 2)
    chex.assert_equal_shape_suffix([real, fake], 1)
    real, fake = np.asarray(real), np.asarray(fake)
    if subsets < 1:
        raise ValueError(f'subsets is {subsets}; at least 1 is needed')
    if not 2 <= subset_size <= min(len(real), len(fake)):
        raise ValueError(
            f'subset_size is {subset_size}, with {len(real)} real and {len(fake)} generated '
            f'examples: give more examples, or a subset_size from 2 to {min(len(real), len(fake))}'
        )
    # The legacy generator's order is what makes figures comparable.
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        y = fake[rng.choice(len(fake), subset_size, replace=False)]
        x = real[rng.choice(len(real), subset_size, replace=False)]
        values.append(polynomial_mmd(x, y, degree, gamma, coef))
    return float(np.mean(values)), float(np.std(values))


def mmd_error(
    real: Array,
    fake: Array,
    *,
    parts: int = 10,
    most: int = 5000,
    degree: int = 3,
    gamma: float | None = None,
    coef: float = 1.0,
) -> float:
    """The standard error of `polynomial_mmd` of all examples, if both sides were drawn anew.

    The jackknife over parts of each side: the square root of the sum over both sides of
    (g - 1) / g sum_i (M_i - mean M)^2, M_i without the i-th of g parts of that side. All come from
    sums of the kernel over pairs of parts, so the cost is that of one estimate. Where the two
    distributions are equal it is too large, by a factor of up to about 1.4.

    Source: The Jackknife, the Bootstrap and Other Resampling Plans (Efron, 1982), chapter 3.

    Args:
      real: features of real examples, [n, d].
      fake: features of generated examples, [m, d].
      parts: g, at least 2; n and m are at least twice as many.
      most: of a larger side only so many examples are taken, and its variance is divided by as
        much as there are more.
      degree: of the polynomial.
      gamma: a scale; 1 / d by default.
      coef: what is added to it.

    Returns:
      The standard error >= 0.

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
      ValueError: if there are too few examples, or values that are not finite.
    """
    chex.assert_rank([real, fake], 2)
    chex.assert_equal_shape_suffix([real, fake], 1)
    if not 2 <= parts <= min(len(real), len(fake), most) // 2:
        raise ValueError(f'{parts} parts of two or more examples each cannot be had on both sides')
    sides = [np.asarray(x)[:most].astype(np.float64) for x in (real, fake)]
    if not all(np.isfinite(x).all() for x in sides):
        raise ValueError('features that are not finite (NaN or infinity) have no distance')
    scale = 1.0 / real.shape[1] if gamma is None else gamma
    cut = [[x[i::parts] for i in range(parts)] for x in sides]

    def sums(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
        return np.array([[_kernel(p, q, degree, scale, coef).sum() for q in b] for p in a])

    cross = sums(*cut)
    variance = 0.0
    within = [sums(x, x) for x in cut]
    for x, square in zip(sides, within, strict=True):  # without pairs of one example
        diagonal = (scale * np.einsum('ij,ij->i', x, x) + coef) ** degree
        square -= np.diag([diagonal[i::parts].sum() for i in range(parts)])
    for side, other in ((0, 1), (1, 0)):
        sizes = np.array([len(x) for x in cut[side]])
        left, num_other = sizes.sum() - sizes, len(sides[other])
        square = within[side]
        rest = square.sum() - 2 * square.sum(axis=1) + square.diagonal()
        shared = cross.sum() - cross.sum(axis=1 - side)
        values = rest / (left * (left - 1)) - 2 * shared / (left * num_other)
        whole = len((real, fake)[side])
        variance += np.var(values) * (parts - 1) * len(sides[side]) / whole
    return float(np.sqrt(variance))
