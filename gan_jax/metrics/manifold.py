"""Metrics of nearest neighbours among features: fidelity, variety and copies of training examples.

Computed by NumPy on the host in float64: |x|^2 - 2 x . y + |y|^2 cancels where points are near each
other, and JAX runs in 32 bits by default. Features are centred first. Distances of neighbours are
then taken again from differences, so that equal rows are at exactly 0, and in comparisons of
distances those that differ by less than the product's rounding count as equal. Points are taken
`chunk` at a time on both sides: memory grows by chunk^2 and chunk d only.
"""

from collections.abc import Iterator
from typing import NamedTuple

import chex
import numpy as np

from gan_jax.arrays import Array

ROUNDING = 1e-12  # of squared distances, relative to squared norms; the product's is about 1e-15


def _checked(*features: Array) -> list[np.ndarray]:
    chex.assert_rank(features, 2)
    chex.assert_equal_shape_suffix(features, 1)
    arrays = [np.asarray(x) for x in features]
    if min(len(x) for x in arrays) < 1:
        raise ValueError('a set of features is empty')
    if not all(np.isfinite(x).all() for x in arrays):
        raise ValueError('features that are not finite (NaN or infinity) have no neighbours')
    return arrays


def _check_neighbors(k: int, most: int, why: str) -> None:
    if not 1 <= k <= most:
        raise ValueError(f'k is {k}; with {why} it is from 1 to {most}')


def _tiles(
    x: np.ndarray, y: np.ndarray, chunk: int
) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray, np.ndarray]]:
    """For each pair of chunks: their places, squared distances and both sides' squared norms."""
    if chunk < 1:
        raise ValueError(f'chunk is {chunk}; it is at least 1')
    center = y.mean(axis=0, dtype=np.float64)
    for i in range(0, len(x), chunk):
        rows = x[i : i + chunk].astype(np.float64) - center
        row_norms = np.einsum('ij,ij->i', rows, rows)
        for j in range(0, len(y), chunk):
            columns = y[j : j + chunk].astype(np.float64) - center
            squares = rows @ columns.T
            squares *= -2
            norms = np.einsum('ij,ij->i', columns, columns)
            squares += row_norms[:, None]
            squares += norms[None]
            yield slice(i, i + len(rows)), slice(j, j + len(columns)), squares, row_norms, norms


def _neighbors(
    queries: np.ndarray, references: np.ndarray, k: int, chunk: int, others: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Places and distances of the k nearest; `others` excludes the point in the same place."""
    nearest = np.zeros((len(queries), k), np.int64)
    least = np.full((len(queries), k), np.inf)
    for rows, columns, squares, _, _ in _tiles(queries, references, chunk):
        if others and rows == columns:
            np.fill_diagonal(squares, np.inf)
        places, values = [nearest[rows]], [least[rows]]
        lines = np.arange(len(squares))
        for _ in range(min(k, squares.shape[1])):
            place = squares.argmin(axis=1)
            places.append((place + columns.start)[:, None])
            values.append(squares[lines, place][:, None])
            squares[lines, place] = np.inf
        nearest[rows], least[rows] = _smallest(
            np.concatenate(places, axis=1), np.concatenate(values, axis=1), k
        )
    # Again without cancellation.
    for i in range(0, len(queries), chunk):
        rows = slice(i, i + chunk)
        points = queries[rows].astype(np.float64)
        for c in range(k):
            gaps = points - references[nearest[rows, c]]
            least[rows, c] = np.sqrt(np.einsum('ij,ij->i', gaps, gaps))
    return _smallest(nearest, least, k)


def _smallest(places: np.ndarray, values: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values, axis=1, kind='stable')[:, :k]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)


def nearest_neighbors(
    queries: Array, references: Array, k: int = 1, *, chunk: int = 1024
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest references of each query, by Euclidean distance, the nearest first.

    Args:
      queries: [n, d].
      references: [m, d].
      k: from 1 to m.
      chunk: how many of each are compared at once; the result does not depend on it.

    Returns:
      Places in `references`, int64 [n, k], and distances >= 0, float64 [n, k]. Of references that
      are as near as each other, up to rounding, any may come first.

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
      ValueError: if k is out of range, a side is empty or has values that are not finite.
    """
    queries, references = _checked(queries, references)
    _check_neighbors(k, len(references), f'{len(references)} references')
    return _neighbors(queries, references, k, chunk, others=False)


def _radii(points: np.ndarray, k: int, chunk: int, name: str) -> np.ndarray:
    """Each point's distance from its k-th nearest other point."""
    _check_neighbors(k, len(points) - 1, f'{len(points)} {name} examples')
    return _neighbors(points, points, k, chunk, others=True)[1][:, -1]


def _bound(radii: np.ndarray, norms: np.ndarray, sign: int) -> np.ndarray:
    """Squared radii, with what rounding may add to a squared distance or take from it."""
    squares = np.square(radii)
    return squares + sign * ROUNDING * (squares + norms)


def precision_recall(
    real: Array, fake: Array, k: int = 3, *, chunk: int = 1024
) -> tuple[float, float]:
    """The share of generated examples that are like real ones, and of real ones that are generated.

    Precision is the share of generated points inside any ball around a real point, whose radius is
    the distance to that point's k-th nearest other real point; recall is the same the other way
    round. Balls are closed. A point excludes itself by its place, so duplicates count as
    neighbours. One outlier among real points has a large ball: density and coverage mind less.

    Source: Improved Precision and Recall Metric for Assessing Generative Models (Kynkäänniemi et
    al., 2019), equations 1 and 2; 50,000 of each side and k = 3 there.

    Args:
      real: features of real examples, [n, d].
      fake: features of generated examples, [m, d].
      k: neighbours, from 1 to one less than the lesser of n and m.
      chunk: how many of each are compared at once.

    Returns:
      Precision and recall, shares in [0, 1].

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
      ValueError: if k is out of range, or values are not finite.
    """
    real, fake = _checked(real, fake)
    real_radii = _radii(real, k, chunk, 'real')
    fake_radii = _radii(fake, k, chunk, 'generated')
    precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for rows, columns, squares, real_norms, fake_norms in _tiles(real, fake, chunk):
        around_real = _bound(real_radii[rows], real_norms, 1)
        around_fake = _bound(fake_radii[columns], fake_norms, 1)
        precise[columns] |= np.any(squares <= around_real[:, None], axis=0)
        recalled[rows] |= np.any(squares <= around_fake[None], axis=1)
    return float(np.mean(precise)), float(np.mean(recalled))


def density_coverage(
    real: Array, fake: Array, k: int = 5, *, chunk: int = 1024
) -> tuple[float, float]:
    """How densely real neighbourhoods hold generated examples, and how many hold one at all.

    With a ball B_i around each real point that reaches to its k-th nearest other real point:
    density = 1 / (k m) sum_j sum_i 1[y_j in B_i], coverage = 1 / n sum_i 1[some y_j in B_i].
    Balls are open, as in the authors' program; so density of a set of distinct points with itself
    is 1. For equal distributions the mean of density is 1 and that of coverage
    1 - (n - 1) ... (n - k) / ((n + m - 1) ... (n + m - k)), about 1 - 2^-k for n = m.

    Source: Reliable Fidelity and Diversity Metrics for Generative Models (Naeem et al., 2020),
    section 3; 10,000 of each side and k = 5 there.

    Args:
      real: features of real examples, x, [n, d].
      fake: features of generated examples, y, [m, d].
      k: neighbours, from 1 to n - 1.
      chunk: how many of each are compared at once.

    Returns:
      Density, >= 0 and at most n / k; coverage, a share in [0, 1].

    Raises:
      AssertionError: if either is not of rank 2 or they differ in d.
      ValueError: if k is out of range, or values are not finite.
    """
    real, fake = _checked(real, fake)
    radii = _radii(real, k, chunk, 'real')
    held = np.zeros(len(real), np.int64)
    for rows, _, squares, norms, _ in _tiles(real, fake, chunk):
        held[rows] += np.sum(squares < _bound(radii[rows], norms, -1)[:, None], axis=1)
    return float(held.sum() / (k * len(fake))), float(np.mean(held > 0))


class Memorised(NamedTuple):
    """How near generated examples are to training examples, beside real test examples.

    Attributes:
      share: of generated examples within `threshold` of a training example.
      expected: the share of test examples within it; no copying gives about the same.
      threshold: the quantile of test examples' distances, in the units of the features.
      z: Mann-Whitney's statistic in standard deviations: below -3 generated examples are
        nearer to training examples than test ones are, which is copying; above 3 they are farther.
      indices: the nearest training example of each generated one, int64 [m].
      distances: its distance, float64 [m].
    """

    share: float
    expected: float
    threshold: float
    z: float
    indices: np.ndarray
    distances: np.ndarray


def memorised_share(
    train: Array,
    test: Array,
    fake: Array,
    quantile: float = 0.05,
    *,
    chunk: int = 1024,
) -> Memorised:
    """The share of generated examples that are nearer to training examples than real ones are.

    With d(x) the distance from x to its nearest training example and t the `quantile` of d over
    real test examples, #{i: d(fake_i) <= t} / m. Test examples were not seen in training, so their
    distances say what is near by chance. A generator that is far off as a whole hides copies from
    `z`, but not from `share`.

    Source: A Non-Parametric Test to Detect Data-Copying in Generative Models (Meehan, Chaudhuri &
    Dasgupta, 2020), section 3, for the comparison of distances and for z, here with all of space as
    one cell; the share is of our own making, to look at the examples it counts.

    Args:
      train: features of the training examples, [n, d].
      test: features of real examples that were not trained on, [l, d], from the same distribution.
      fake: features of generated examples, [m, d].
      quantile: in (0, 1), and at least 1 / l.
      chunk: how many of each are compared at once.

    Returns:
      Memorised. `indices` in the order of distances, np.argsort(distances), show the worst first.

    Raises:
      AssertionError: if one is not of rank 2 or they differ in d.
      ValueError: if `quantile` is out of range, or values are not finite.
    """
    train, test, fake = _checked(train, test, fake)
    if not 1 / len(test) <= quantile < 1:
        raise ValueError(
            f'quantile is {quantile}; with {len(test)} test examples it is from '
            f'{1 / len(test):.3g} to less than 1'
        )
    _, far = _neighbors(test, train, 1, chunk, others=False)
    places, near = _neighbors(fake, train, 1, chunk, others=False)
    far, near = np.sort(far[:, 0]), near[:, 0]
    # A distance that occurs, so that equal ones are within it.
    threshold = np.quantile(far, quantile, method='inverted_cdf')
    wins = np.searchsorted(far, near, 'left') + np.searchsorted(far, near, 'right')
    pairs = len(near) * len(far)
    deviation = np.sqrt(pairs * (len(near) + len(far) + 1) / 12)
    return Memorised(
        share=float(np.mean(near <= threshold)),
        expected=float(np.mean(far <= threshold)),
        threshold=float(threshold),
        z=float((wins.sum() - pairs) / 2 / deviation),
        indices=places[:, 0],
        distances=near,
    )
