"""How well classes are told apart: by a classifier of generated examples, or by a score."""

import chex
import numpy as np

from gan_jax.arrays import Array


def classification_accuracy(
    fake: Array,
    fake_labels: Array,
    real: Array,
    real_labels: Array,
    ridge: float = 1e-3,
) -> float:
    """The accuracy on real examples of a classifier trained on generated ones.

    The classifier is linear: least squares onto the classes' unit vectors, on features that are
    centred and scaled by the generated ones' deviations,

        W = (X^T X / n + ridge I)^-1 X^T Y / n,    argmax_k (x W + mean Y)_k.

    It has a closed form, so the score has no seed. Compare it with that of training on real
    examples: pass those in place of the generated ones.

    Source: Classification Accuracy Score for Conditional Generative Models (Ravuri & Vinyals,
    2019), section 3, which trains a residual network on images; here the features do that part.

    Args:
      fake: features of generated examples, [n, d].
      fake_labels: what each was to be, integers [n].
      real: features of real examples, [m, d].
      real_labels: their classes, integers [m].
      ridge: > 0, in units of the features' variances.

    Returns:
      A share in [0, 1].

    Raises:
      AssertionError: if the shapes do not fit.
      ValueError: if a value is not finite or `ridge` is not positive.
    """
    chex.assert_rank([fake, real], 2)
    chex.assert_equal_shape_suffix([fake, real], 1)
    chex.assert_shape(fake_labels, fake.shape[:1])
    chex.assert_shape(real_labels, real.shape[:1])
    if not ridge > 0:
        raise ValueError(f'ridge is {ridge}; it is positive')
    x, tested = (np.asarray(a).astype(np.float64) for a in (fake, real))
    if not (np.isfinite(x).all() and np.isfinite(tested).all()):
        raise ValueError('a feature is not finite')
    classes, places = np.unique(np.asarray(fake_labels), return_inverse=True)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    x, tested = (x - mean) / deviation, (tested - mean) / deviation
    targets = np.eye(len(classes))[places]
    share = targets.mean(axis=0)
    square = x.T @ x / len(x) + ridge * np.eye(x.shape[1])
    weights = np.linalg.solve(square, x.T @ (targets - share) / len(x))
    named = classes[(tested @ weights + share).argmax(axis=1)]
    return float(np.mean(named == np.asarray(real_labels)))


def _ranked(scores: Array, positive: Array) -> tuple[np.ndarray, np.ndarray]:
    """How many positives and how many others have each score, the highest scores first."""
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    chex.assert_rank(scores, 1)
    chex.assert_equal_shape([scores, positive])
    if not np.isfinite(scores).all():
        raise ValueError('a score is not finite')
    if positive.all() or not positive.any():
        raise ValueError(f'all of {len(positive)} examples are of one kind; both are needed')
    _, places = np.unique(-scores, return_inverse=True)
    hits, others = (
        np.bincount(places[x], minlength=places.max() + 1) for x in (positive, ~positive)
    )
    return hits, others


def auroc(scores: Array, positive: Array) -> float:
    """The area under the receiver operating characteristic.

    P(s > s') + P(s = s') / 2, s the score of a positive example and s' that of another one, both
    drawn by chance. 0.5 is chance; 1 where every positive example has a higher score.

    Source: The Meaning and Use of the Area under a ROC Curve (Hanley and McNeil, 1982).

    Args:
      scores: [n].
      positive: whether an example is one of those that should have high scores, booleans [n].

    Returns:
      A share in [0, 1], exact with ties.

    Raises:
      AssertionError: if the shapes do not fit.
      ValueError: if a score is not finite, or there are not both kinds of examples.
    """
    hits, others = _ranked(scores, positive)
    below = others.sum() - np.cumsum(others)  # with lower scores
    return float((hits * (below + others / 2)).sum() / (hits.sum() * others.sum()))


def average_precision(scores: Array, positive: Array) -> float:
    """The area under the curve of precision and recall, as a sum of steps.

    sum_t (R_t - R_(t-1)) P_t over the scores t that occur, from the highest on: P_t and R_t are the
    precision and the recall of calling positive what has a score of t or more. Chance is the share
    of positive examples. No trapezoids, whose area is too large.

    Source: The Relationship Between Precision-Recall and ROC Curves (Davis and Goadrich, 2006).

    Args:
      scores: [n].
      positive: as `auroc` has it.

    Returns:
      A share in (0, 1], exact with ties.

    Raises:
      AssertionError: if the shapes do not fit.
      ValueError: if a score is not finite, or there are not both kinds of examples.
    """
    hits, others = _ranked(scores, positive)
    found, called = np.cumsum(hits), np.cumsum(hits + others)
    return float((hits * found / called).sum() / hits.sum())
