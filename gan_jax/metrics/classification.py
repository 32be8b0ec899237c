"""Whether a classifier that has seen generated examples only knows the real ones."""

import chex
import numpy as np


def classification_accuracy(
    fake: chex.Array,
    fake_labels: chex.Array,
    real: chex.Array,
    real_labels: chex.Array,
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
