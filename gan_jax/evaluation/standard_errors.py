"""Standard errors of figures: how far they would deviate if all examples were drawn anew.

What is resampled is said of each function. All sides that are given are drawn anew, as many as
there are; what is not given to the function is taken as fixed.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from gan_jax import metrics

GROUPS = 10  # of examples


def by_groups(
    figure: Callable[..., Sequence[Any]], *sides: np.ndarray, least: int = 20
) -> np.ndarray | None:
    """Standard errors of figures whose variances fall as one over the number of examples.

    s / sqrt(10), s the deviation of the figures of ten groups: of each side every tenth example.

    Args:
      figure: parts of all sides -> numbers.
      *sides: sets of independent examples, [n, ...].
      least: how many examples of a side a group needs.

    Returns:
      One for each number; None if groups would be smaller.
    """
    sizes = [len(x) // GROUPS for x in sides]
    if min(sizes) < least:
        return None
    values = [
        [float(x) for x in figure(*(x[i::GROUPS][:n] for x, n in zip(sides, sizes, strict=True)))]
        for i in range(GROUPS)
    ]
    return np.std(values, axis=0, ddof=1) / math.sqrt(GROUPS)


def named(names: Sequence[str], values: Sequence[Any], errors: Any) -> dict[str, float]:
    """Figures and, where there are any, their standard errors."""
    found = {name: float(x) for name, x in zip(names, values, strict=True)}
    if errors is not None:
        found |= {f'{name}/stderr': float(x) for name, x in zip(names, errors, strict=True)}
    return found


def measured(
    names: Sequence[str], figure: Callable[..., Sequence[Any]], *sides: np.ndarray
) -> dict[str, float]:
    """Figures of all examples, with standard errors by groups."""
    return named(names, figure(*sides), by_groups(figure, *sides))


def of_histogram(name: str, figure: Callable, histogram: np.ndarray) -> dict[str, float]:
    """A figure of counts; its standard error by leaving out one example at a time (jackknife).

    sqrt((n - 1) / n sum_j n_j (T_j - mean T)^2), T_j with one example less of class j.
    """
    num, rest = histogram.sum(), histogram - np.eye(len(histogram))
    if num < 2:
        return named([name], [figure(histogram)], None)
    without = jax.vmap(figure)(np.maximum(rest, 0).astype(np.float32))
    without = np.asarray(without).astype(np.float64)
    gaps = np.square(without - np.average(without, weights=histogram))
    return named([name], [figure(histogram)], [math.sqrt((num - 1) / num * gaps @ histogram)])


def of_lengths(name: str, lengths: np.ndarray) -> dict[str, float]:
    """`metrics.trimmed_mean`, with the standard error of trimmed means.

    s_w / ((upper - lower) sqrt(n)), s_w the deviation after those left out were moved to the
    bounds. Source: Less Vulnerable Confidence and Significance Procedures for Location Based on a
    Single Sample (Tukey & McLaughlin, 1963).
    """
    value, num = float(metrics.trimmed_mean(lengths)), len(lengths)
    if num < 100:  # nothing is left out, and a few lengths say little of how they vary
        return {name: value}
    low = np.quantile(lengths, 0.01, method='lower')
    high = np.quantile(lengths, 0.99, method='higher')
    deviation = np.clip(lengths, low, high).std(ddof=1)
    return named([name], [value], [deviation / (0.98 * math.sqrt(num))])


def of_values(name: str, values: Sequence[np.ndarray]) -> dict[str, float]:
    """The mean of values, one for each independent example, with s / sqrt(n).

    Args:
      name: of the figure.
      values: arrays [n_1], [n_2], ..., together [n].
    """
    every = np.concatenate(values)
    error = [every.std(ddof=1) / math.sqrt(len(every))] if len(every) > 1 else None
    return named([name], [every.mean()], error)
