"""The inception score, of a classifier's probabilities.

Computed by NumPy on the host in float64: JAX runs in 32 bits by default.
"""

import chex
import numpy as np

from gan_jax.arrays import Array


def inception_score(probabilities: Array, splits: int = 10) -> tuple[float, float]:
    """How sure a classifier is of each sample and how evenly it uses its classes.

    exp(mean_i KL(p(y | x_i) || p(y))) with p(y) = mean_i p(y | x_i), in each of `splits`
    consecutive parts: rows i n // splits to (i + 1) n // splits. Samples in an order that has a
    meaning, such as by class, must be shuffled by the caller: the parts would differ. (The program
    torch-fidelity shuffles by default, with numpy.random.RandomState(2020).permutation(n).)

    The score knows no real data, has a bias that falls with n, and means what its authors meant
    only with their network's classes.

    Source: Improved Techniques for Training GANs (Salimans et al., 2016), section 4.

    Args:
      probabilities: p(y | x_i), [n, classes], >= 0; rows sum to 1 within 1% and are divided by
        their sums.
      splits: the number of parts, from 1 to n. The authors have 10 parts of 5,000.

    Returns:
      The mean, from 1 to the number of classes, and the standard deviation (of the parts
      themselves, not of their mean; divided by `splits`).

    Raises:
      AssertionError: if `probabilities` is not of rank 2.
      ValueError: if it does not hold probabilities, or has fewer rows than `splits`.
    """
    chex.assert_rank(probabilities, 2)
    p = np.asarray(probabilities).astype(np.float64)
    if not 1 <= splits <= len(p):
        raise ValueError(f'splits is {splits}; it is from 1 to the number of samples, {len(p)}')
    sums = p.sum(axis=1, keepdims=True)
    if not (np.all(p >= 0) and np.all(np.abs(sums - 1) <= 0.01)):
        raise ValueError(
            'these are not probabilities: values are negative or not finite, or rows do not sum '
            'to 1; of logits take the softmax first'
        )
    p = p / sums
    scores = []
    for i in range(splits):
        part = p[i * len(p) // splits : (i + 1) * len(p) // splits]
        marginal = part.mean(axis=0, keepdims=True)
        # 0 log 0 = 0; a class that is 0 in the marginal is 0 in every row.
        ratio = np.divide(part, marginal, out=np.ones_like(part), where=part > 0)
        scores.append(np.exp(np.mean(np.sum(part * np.log(ratio), axis=1))))
    return float(np.mean(scores)), float(np.std(scores))
