"""Attacks on who was in the data, and what privacy leaves of them."""

import math

import numpy as np
import pytest

from gan_jax import metrics


@pytest.mark.parametrize(
    ('scores', 'best'),
    [
        ([4, 3, 2, 1], 1.0),
        ([4, 2, 3, 1], 0.75),
        ([1, 2, 3, 4], 0.5),  # to call all positive is chance
        ([1, 1, 1, 1], 0.5),
        ([2, 1, 1, 1], 0.75),
    ],
)
def test_the_best_threshold_is_found(scores, best):
    """The first two are members."""
    assert metrics.balanced_accuracy(scores, [True, True, False, False]) == best


def test_the_balanced_accuracy_is_that_of_a_loop_over_thresholds():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 9, 60), rng.random(60) < 0.3
    rates = [
        (np.mean(scores[positive] >= t) + np.mean(scores[~positive] < t)) / 2 for t in range(11)
    ]
    assert metrics.balanced_accuracy(scores, positive) == pytest.approx(max(rates))


def test_both_kinds_are_needed():
    with pytest.raises(ValueError, match='both are needed'):
        metrics.balanced_accuracy([1, 2], [True, True])


def test_the_bound_at_one_is_the_published_one():
    assert metrics.private_balanced_accuracy(1, 0) == pytest.approx(0.731, abs=5e-4)
    found = metrics.private_balanced_accuracy(2, 0.01)
    assert found == pytest.approx((math.exp(2) + 0.01) / (1 + math.exp(2)))


@pytest.mark.parametrize('bound', [metrics.private_balanced_accuracy, metrics.private_auroc])
def test_the_bounds_go_from_chance_to_all(bound):
    assert bound(0, 0) == pytest.approx(0.5)
    assert bound(0, 1) == bound(40, 0) == pytest.approx(1)
    assert bound(1, 1e-5) < bound(1, 1e-2) < bound(2, 1e-2)


@pytest.mark.parametrize(('epsilon', 'delta'), [(0, 0), (1, 0), (1, 0.1), (3, 1e-5)])
def test_the_bound_of_the_auroc_is_the_area_under_the_largest_curve(epsilon, delta):
    """TPR <= e^eps FPR + delta, and 1 - FPR <= e^eps (1 - TPR) + delta."""
    false = np.linspace(0, 1, 200_001)
    true = np.minimum(
        math.exp(epsilon) * false + delta, 1 - math.exp(-epsilon) * (1 - delta - false)
    )
    area = np.trapezoid(np.minimum(true, 1), false)
    assert metrics.private_auroc(epsilon, delta) == pytest.approx(area, abs=1e-5)


def test_randomized_response_reaches_the_bound():
    """Who says 'member' rightly with probability e^eps / (1 + e^eps) is eps-private."""
    epsilon = 1.5
    share = math.exp(epsilon) / (1 + math.exp(epsilon))
    assert metrics.private_balanced_accuracy(epsilon, 0) == pytest.approx(share)
    assert metrics.private_auroc(epsilon, 0) == pytest.approx(share)  # one point on the curve
