"""Whether samples have the classes that they were asked for, and how good they are within each.

The Fréchet distance of all classes together does not see labels: a generator that makes of each
class another one has the distance of a faithful one (ContraGAN, which permutes the classes of
CIFAR-10, has 6.0, and 119.6 within classes). A conditional model is judged by these. Computed by
NumPy on the host, in float64.
"""

import math
from collections.abc import Callable

import chex
import numpy as np

from gan_jax.arrays import Array


def label_accuracy(scores: Array, labels: Array) -> tuple[float, float]:
    """The share of examples for which a classifier finds the class that was asked for likeliest.

    p = 1/n sum_i 1[argmax_k s_ik = y_i], with the binomial standard error sqrt(p (1 - p) / n).

    The classifier is another one than the generator's: that of an ACGAN is satisfied by what it
    was trained together with. One image for each class has 1, so it is read beside a measure of
    variety, such as `intra_class_frechet_distance`.

    Source: Conditional Image Synthesis with Auxiliary Classifier GANs (Odena et al., 2017),
    section 4.2; the standard error is of our own making.

    Args:
      scores: probabilities or logits s, [n, k] with n >= 1; of equal ones the first counts.
      labels: the classes y that were asked for, integers [n] in [0, k).

    Returns:
      The share, in [0, 1], and its standard error.

    Raises:
      AssertionError: if the shapes are not these or labels are not integers.
      ValueError: if there are no examples, a score is not finite, or a label is out of range.
    """
    named, labels = _named(scores, labels)
    share = float(np.mean(named == labels))
    return share, math.sqrt(share * (1 - share) / len(labels))


def confusion_matrix(scores: Array, labels: Array) -> np.ndarray:
    """How often each class was named where each was asked for.

    M_ab = #{i: y_i = a, argmax_k s_ik = b}. All on the diagonal is a conditional generator; a
    permutation of it has classes exchanged, equal rows are of one that does not hear its label.

    Args:
      scores: probabilities or logits s, [n, k] with n >= 1; of equal ones the first counts.
      labels: the classes y that were asked for, integers [n] in [0, k).

    Returns:
      Counts, int64 [k asked for, k named].

    Raises:
      AssertionError: if the shapes are not these or labels are not integers.
      ValueError: if there are no examples, a score is not finite, or a label is out of range.
    """
    named, labels = _named(scores, labels)
    classes = np.shape(scores)[1]
    return np.bincount(labels * classes + named, minlength=classes**2).reshape(classes, classes)


def matched_accuracy(codes: Array, labels: Array) -> tuple[float, float, np.ndarray]:
    """The share of examples whose code names their class, each code matched to one class.

    max over matchings m of 1/n sum_i 1[m(c_i) = y_i], m one to one: codes that no label has ever
    named say no more than which examples belong together, and two codes for one class count once.
    The matching is the best for these very examples, so that of codes without a meaning more than
    1/k agree where examples are few: about 0.14 of 1,000 in ten classes.

    Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
    Adversarial Nets (Chen et al., 2016), section 7.2, "by matching each category in c_1 to a digit
    type".

    Args:
      codes: integers [n] >= 0, n >= 1.
      labels: classes, integers [n] >= 0.

    Returns:
      The share, in [0, 1]; its binomial standard error; and m, int64 [largest code + 1], -1 for a
      code that is left without a class.

    Raises:
      AssertionError: if there is not one integer of each for an example.
      ValueError: if there are no examples, or one is negative.
    """
    chex.assert_rank([codes, labels], 1)
    chex.assert_equal_shape([codes, labels])
    chex.assert_type([codes, labels], int)
    codes, labels = (np.asarray(x).astype(np.int64) for x in (codes, labels))
    if not len(codes):
        raise ValueError('there are no examples')
    if min(codes.min(), labels.min()) < 0:
        raise ValueError('a code or a label is negative')
    rows, columns = codes.max() + 1, labels.max() + 1
    counts = np.bincount(codes * columns + labels, minlength=rows * columns).reshape(rows, columns)
    size = max(rows, columns)
    chosen = _assignment(np.pad(counts, ((0, size - rows), (0, size - columns))))[:rows]
    chosen = np.where(chosen < columns, chosen, -1)
    share = float(np.mean(chosen[codes] == labels))
    return share, math.sqrt(share * (1 - share) / len(labels)), chosen


def _assignment(gains: np.ndarray) -> np.ndarray:
    """The column of each row, one to one, of the largest sum: the Hungarian algorithm, O(n^3).

    Rows are matched one by one, each along a shortest path of reduced costs, which row and column
    potentials keep at least 0.

    Source: The Hungarian Method for the Assignment Problem (Kuhn, 1955), in the form with shortest
    augmenting paths of A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment
    Problems (Jonker & Volgenant, 1987).

    Args:
      gains: integers [n, n].
    """
    n = len(gains)
    of_row, of_column = np.zeros(n), np.zeros(n + 1)  # potentials; column n is where a path begins
    row_in = np.full(n + 1, -1)  # the row that has each column
    for row in range(n):
        row_in[n], column = row, n
        distance, before, done = np.full(n, np.inf), np.full(n, n), np.zeros(n + 1, bool)
        while row_in[column] >= 0:
            done[column] = True
            reached = row_in[column]
            reduced = -gains[reached] - of_row[reached] - of_column[:n]
            nearer = ~done[:n] & (reduced < distance)
            distance[nearer], before[nearer] = reduced[nearer], column
            open_ = np.where(done[:n], np.inf, distance)
            column = int(open_.argmin())
            step = open_[column]
            of_row[row_in[done]] += step
            of_column[done] -= step
            distance[~done[:n]] -= step
        while column != n:  # the path is turned round
            row_in[column] = row_in[before[column]]
            column = before[column]
    return np.argsort(row_in[:n])


def _named(scores: Array, labels: Array) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest classes and the labels, int64 [n]."""
    chex.assert_rank(scores, 2)
    chex.assert_shape(labels, (len(scores),))
    chex.assert_type(labels, int)
    scores, labels = np.asarray(scores), np.asarray(labels).astype(np.int64)
    if not len(labels):
        raise ValueError('there are no examples')
    if not np.isfinite(scores).all():
        raise ValueError('a score is not finite (NaN or infinity)')
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise ValueError(
            f'labels from {labels.min()} to {labels.max()} are not among the {scores.shape[1]} '
            f'classes that there are scores of'
        )
    return scores.argmax(axis=1), labels


def as_many(real_labels: Array, fake_labels: Array) -> np.ndarray:
    """The places of generated examples of which no class has more than real ones.

    Figures within classes are moved by the number of examples, so of each class the first ones
    count, at most as many as there are real ones. Of a class without real ones all are kept, for
    `within_classes` to refuse it.

    Source: StudioGAN: A Taxonomy and Benchmark of GANs for Image Synthesis (Kang et al., 2022),
    whose intra-class distance takes as many generated images as a class has real ones.

    Args:
      real_labels: integers [n].
      fake_labels: integers [m].

    Returns:
      Places among the m, ascending, int64.

    Raises:
      AssertionError: if either is not a vector of integers.
    """
    chex.assert_rank([real_labels, fake_labels], 1)
    chex.assert_type([real_labels, fake_labels], int)
    real, fake = np.asarray(real_labels), np.asarray(fake_labels)
    kept = [np.flatnonzero(fake == c)[: np.sum(real == c) or None] for c in np.unique(fake)]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *kept]))


def within_classes(
    function: Callable[[np.ndarray, np.ndarray], tuple[float, ...]],
    real: Array,
    real_labels: Array,
    fake: Array,
    fake_labels: Array,
) -> tuple[np.ndarray, dict[int, tuple[float, ...]]]:
    """Figures of two sets within each class, and their means over the classes.

    1/K sum_k f({x_i: y_i = k}, {x'_j: y'_j = k}): of `precision_recall`, conditional precision and
    recall. A sample of another class than was asked for is not within its class's real ones,
    however good it is. All classes count alike, and one that a side lacks is an error, since left
    out of the mean it would improve it.

    Source: the mean over classes as in cGANs with Projection Discriminator (Miyato & Koyama, 2018),
    section 5, of the Fréchet distance there.

    Args:
      function: (real [n_k, d], fake [m_k, d]) -> numbers, such as `precision_recall`.
      real: features of real examples, [n, d].
      real_labels: their classes, integers [n].
      fake: features of generated examples, [m, d].
      fake_labels: the classes they were generated for, integers [m].

    Returns:
      The means, float64, one for each number; and the numbers of each class by its label, in
      ascending order.

    Raises:
      AssertionError: if the shapes are not these or labels are not integers.
      ValueError: if there are no examples, a side lacks a class, or `function` refuses one.
    """
    chex.assert_rank([real, fake], 2)
    chex.assert_equal_shape_suffix([real, fake], 1)
    chex.assert_shape(real_labels, (len(real),))
    chex.assert_shape(fake_labels, (len(fake),))
    chex.assert_type([real_labels, fake_labels], int)
    sides = [(np.asarray(x), np.asarray(y)) for x, y in ((real, real_labels), (fake, fake_labels))]
    classes = np.union1d(sides[0][1], sides[1][1])
    if not len(classes):
        raise ValueError('there are no examples')
    each = {}
    for c in classes:
        parts = [features[labels == c] for features, labels in sides]
        for part, side in zip(parts, ('real', 'generated'), strict=True):
            if not len(part):
                raise ValueError(f'class {c}: there are no {side} examples of it')
        try:
            each[int(c)] = tuple(float(x) for x in function(*parts))
        except ValueError as error:
            raise ValueError(f'class {c}: {error}') from error
    return np.mean([*each.values()], axis=0), each
