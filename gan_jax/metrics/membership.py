"""How well it can be told who was in the data: attacks, and what privacy leaves of any of them."""

import math

import chex
import numpy as np

from gan_jax.arrays import Array


def balanced_accuracy(scores: Array, positive: Array) -> float:
    """The best of (true positive rate + true negative rate) / 2 over all thresholds.

    Positive is called what has a score of the threshold or more. The threshold is chosen on these
    very scores, so that of chance alone some are above 0.5: of n examples of each kind by
    0.5 / sqrt(n) or so.

    Args:
      scores: [n].
      positive: whether an example is one of those that should have high scores, booleans [n].

    Returns:
      A share in [0.5, 1], exact with ties.

    Raises:
      AssertionError: if the shapes do not fit.
      ValueError: if there are not both kinds of examples.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    chex.assert_rank(scores, 1)
    chex.assert_equal_shape([scores, positive])
    if positive.all() or not positive.any():
        raise ValueError(f'all of {len(positive)} examples are of one kind; both are needed')
    thresholds = np.unique(scores)
    hit, other = (
        1 - np.searchsorted(np.sort(scores[x]), thresholds) / x.sum() for x in (positive, ~positive)
    )
    return float(0.5 + np.max(hit - other, initial=0.0) / 2)


def private_balanced_accuracy(epsilon: float, delta: float) -> float:
    """(e^epsilon + delta) / (1 + e^epsilon), which the balanced accuracy of no attack exceeds.

    Of an attack on an (epsilon, delta)-private algorithm TPR <= e^epsilon FPR + delta, and
    TNR <= e^epsilon FNR + delta.

    Source: The Composition Theorem for Differential Privacy (Kairouz et al., 2015), theorem 2.1.

    Args:
      epsilon: at least 0.
      delta: in [0, 1].

    Returns:
      A share in [0.5, 1].
    """
    return 1 - (1 - delta) / (1 + math.exp(epsilon))


def private_auroc(epsilon: float, delta: float) -> float:
    """The largest area under an attack's receiver operating characteristic.

    The area under the line through (0, delta), (x, 1 - x), (1 - delta, 1) and (1, 1), with
    x = (1 - delta) / (1 + e^epsilon); the source and the arguments are those of
    `private_balanced_accuracy`.

    Returns:
      A share in [0.5, 1].
    """
    x = (1 - delta) / (1 + math.exp(epsilon))
    return x * (1 + delta - x) / 2 + (1 - delta - x) * (2 - x) / 2 + delta
