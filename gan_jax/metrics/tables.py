"""How alike two tables are: columns, pairs of columns, and single rows."""

from collections.abc import Sequence

import chex
import numpy as np

from gan_jax.arrays import Array


def ks_complement(real: Array, fake: Array) -> float:
    """1 - sup_x |F(x) - G(x)|, F and G the empirical distribution functions of numbers.

    Source: An Introduction to the Theory of Nonparametric Statistics (Kolmogorov, 1933; Smirnov,
    1939), the two-sample statistic.

    Args:
      real: [n].
      fake: [m].

    Returns:
      A share in [0, 1]; 1 where they are distributed alike.

    Raises:
      AssertionError: if one is no vector, or empty.
    """
    chex.assert_rank([real, fake], 1)
    x, y = (np.sort(np.asarray(a, np.float64)) for a in (real, fake))
    assert len(x), 'there are no real numbers'
    assert len(y), 'there are no generated numbers'
    places = np.concatenate([x, y])
    above = np.searchsorted(x, places, 'right') / len(x)
    below = np.searchsorted(y, places, 'right') / len(y)
    return float(1 - np.abs(above - below).max())


def tv_complement(real: Array, fake: Array) -> float:
    """1 - sum_k |p_k - q_k| / 2, one minus the total variation distance of shares.

    Of counts of pairs it compares contingency tables.

    Args:
      real: counts or shares of any shape.
      fake: of the same shape.

    Returns:
      A share in [0, 1]; 1 where they are distributed alike.

    Raises:
      AssertionError: if the shapes differ.
      ValueError: if one side has nothing, or a count is negative.
    """
    chex.assert_equal_shape([real, fake])
    sides = [np.asarray(x, np.float64) for x in (real, fake)]
    if any(x.sum() <= 0 or (x < 0).any() for x in sides):
        raise ValueError('counts must be at least 0, and some above')
    p, q = (x / x.sum() for x in sides)
    return float(1 - np.abs(p - q).sum() / 2)


def correlation_similarity(real: Array, fake: Array) -> float:
    """1 - |r - s| / 2, r and s Pearson's correlations of two columns in each table.

    Where a column is constant its correlation counts as 0.

    Args:
      real: [n, 2].
      fake: [m, 2].

    Returns:
      A share in [0, 1]; 1 where the correlations are equal.

    Raises:
      AssertionError: if the shapes are others.
    """
    for x in (real, fake):
        chex.assert_shape(x, (None, 2))
    r, s = (_correlation(np.asarray(x, np.float64)) for x in (real, fake))
    return float(1 - abs(r - s) / 2)


def _correlation(pairs: np.ndarray) -> float:
    centred = pairs - pairs.mean(axis=0)
    squares = np.square(centred).sum(axis=0)
    if (squares <= 0).any():
        return 0.0
    return float(centred.prod(axis=1).sum() / np.sqrt(squares.prod()))


def contingency(first: Array, second: Array, sizes: Sequence[int]) -> np.ndarray:
    """How often each pair of places comes.

    Args:
      first: places in [0, sizes[0]), integers [n].
      second: in [0, sizes[1]), [n].
      sizes: how many places there are.

    Returns:
      Counts, int [sizes[0], sizes[1]].

    Raises:
      AssertionError: if the shapes differ.
    """
    chex.assert_rank(first, 1)
    chex.assert_equal_shape([first, second])
    a, b = (np.asarray(x, np.int64) for x in (first, second))
    return np.bincount(a * sizes[1] + b, minlength=sizes[0] * sizes[1]).reshape(sizes)


def closest_share(near: Array, far: Array) -> float:
    """The share of rows that are nearer to a training record than to any held-out one.

    1/2 is what new rows have where there are as many records of each; more says that rows are
    copies. Rows that are as near to both count half.

    Args:
      near: distances of rows to the nearest training record, [n].
      far: to the nearest held-out record, [n].

    Returns:
      A share in [0, 1].

    Raises:
      AssertionError: if the shapes differ.
    """
    chex.assert_rank(near, 1)
    chex.assert_equal_shape([near, far])
    return float(np.mean((near < far) + 0.5 * (near == far)))
