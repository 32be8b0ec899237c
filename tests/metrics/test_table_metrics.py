"""Figures of tables in closed form, and against explicit loops."""

import numpy as np
import pytest

from gan_jax import metrics

RNG = np.random.default_rng(0)


def test_ks_is_the_largest_gap_of_the_distribution_functions():
    assert metrics.ks_complement(np.array([1, 2, 3.0]), np.array([3, 1, 2.0])) == 1
    assert metrics.ks_complement(np.array([0, 1.0]), np.array([2, 3.0])) == 0
    # Of {0, 0, 0, 1} and {0, 1, 1, 1} the gap is 3/4 - 1/4 between 0 and 1.
    found = metrics.ks_complement(np.array([0, 0, 0, 1.0]), np.array([0, 1, 1, 1.0]))
    assert found == 0.5
    x, y = RNG.normal(size=50).round(1), RNG.normal(0.5, 2, size=70).round(1)
    gaps = [abs((x <= t).mean() - (y <= t).mean()) for t in np.concatenate([x, y])]
    assert metrics.ks_complement(x, y) == pytest.approx(1 - max(gaps))


def test_ks_of_two_uniform_laws_is_their_overlap():
    """U(0, 1) and U(1/4, 5/4): the functions are 1/4 apart."""
    x = (np.arange(4000) + 0.5) / 4000
    assert metrics.ks_complement(x, x + 0.25) == pytest.approx(0.75, abs=1e-3)


def test_total_variation_of_counts():
    assert metrics.tv_complement(np.array([2, 2]), np.array([30, 30])) == 1
    assert metrics.tv_complement(np.array([1, 0]), np.array([0, 1])) == 0
    assert metrics.tv_complement(np.array([3, 1]), np.array([1, 1])) == pytest.approx(0.75)
    assert metrics.tv_complement(np.ones((2, 2)), 2 * np.eye(2)) == 0.5
    with pytest.raises(ValueError, match='at least 0'):
        metrics.tv_complement(np.array([0, 0]), np.array([1, 0]))


def test_correlations_are_compared_on_a_scale_from_minus_1_to_1():
    x = np.arange(5.0)
    up, down = np.stack([x, 2 * x], axis=1), np.stack([x, -x], axis=1)
    flat = np.stack([x, np.ones(5)], axis=1)
    assert metrics.correlation_similarity(up, up + 3) == pytest.approx(1)
    assert metrics.correlation_similarity(up, down) == pytest.approx(0)
    assert metrics.correlation_similarity(up, flat) == pytest.approx(0.5)
    pairs = [RNG.normal(size=(40, 2)) @ RNG.normal(size=(2, 2)) for _ in range(2)]
    r, s = (np.corrcoef(x.T)[0, 1] for x in pairs)
    assert metrics.correlation_similarity(*pairs) == pytest.approx(1 - abs(r - s) / 2)


def test_contingency_counts_pairs():
    a, b = RNG.integers(0, 3, 100), RNG.integers(0, 4, 100)
    table = metrics.contingency(a, b, (3, 4))
    for i in range(3):
        for j in range(4):
            assert table[i, j] == ((a == i) & (b == j)).sum()


def test_copies_are_closest_to_what_was_trained_on_and_new_rows_are_not():
    train, other, new = RNG.normal(size=(3, 400, 5))

    def share(rows, *records):
        return metrics.closest_share(
            *(metrics.nearest_neighbors(rows, x)[1][:, 0] for x in records)
        )

    assert share(train, train, other) == 1
    assert share(other, train, other) == 0
    assert share(new, train, other) == pytest.approx(0.5, abs=0.1)
    assert share(new, train, train) == 0.5
