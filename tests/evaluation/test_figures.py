"""What figures add to the metrics that they are of: standard errors, and what they are asked."""

import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.evaluation import figures

RNG = np.random.default_rng(0)


def apart(x, y):
    """The Frechet distance of numbers: of their means, and of their deviations."""
    return (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2


def test_the_frechet_distance_has_the_jackknifes_error():
    """(g - 1) / g sum_i (d_i - mean d)^2, d_i without the i-th of g parts, of both sides."""
    real, parts = RNG.normal(2.0, 3.0, 50), RNG.normal(0.0, 1.0, (5, 8))
    given = [[metrics.moments(x[:, None]) for x in side] for side in (real.reshape(5, 10), parts)]
    found = figures.frechet_distance(*given)
    assert found['frechet_distance'] == pytest.approx(apart(real, parts.ravel()), rel=1e-9)
    without = np.array([apart(real, np.delete(parts, i, axis=0).ravel()) for i in range(5)])
    error = np.sum((without - without.mean()) ** 2)
    rest = [np.delete(real.reshape(5, 10), i, axis=0).ravel() for i in range(5)]
    without = np.array([apart(x, parts.ravel()) for x in rest])
    error = np.sqrt(4 / 5 * (error + np.sum((without - without.mean()) ** 2)))
    assert found['frechet_distance/stderr'] == pytest.approx(error, rel=1e-9)
    assert {*figures.frechet_distance(given[0], given[1][:1])} == {'frechet_distance'}


@pytest.mark.parametrize(('real', 'fake', 'size'), [(2500, 4100, 1000), (900, 1000, 900)])
def test_the_kernel_distances_error_is_of_all_examples_and_of_the_choice_of_subsets(
    real, fake, size, monkeypatch
):
    asked = []

    def distance(real, fake, **options):
        asked.append((len(real), len(fake), options))
        return 0.5, 0.3

    monkeypatch.setattr(metrics, 'kernel_distance', distance)
    monkeypatch.setattr(metrics, 'mmd_error', lambda real, fake, parts: 0.04)
    found = figures.kernel_distance(np.zeros((real, 2)), np.zeros((fake, 2)), 7)
    assert asked == [(real, fake, {'subset_size': size, 'seed': 7})]
    assert found == {
        'kernel_distance': 0.5,
        'kernel_distance/stderr': pytest.approx((0.04**2 + 0.03**2) ** 0.5),
    }


def test_with_few_examples_there_is_no_error_that_would_lie():
    few = RNG.normal(size=(19, 3))
    assert {*figures.kernel_distance(few, few, 0)} == {'kernel_distance'}
    two = [metrics.moments(x[None]) for x in few[:2]]
    assert {*figures.frechet_distance(two, two)} == {'frechet_distance'}
    assert {*figures.inception_score(few)} == {'inception_score'}


def test_the_inception_score_is_of_logits_with_the_error_of_ten_splits():
    logits = RNG.normal(0.0, 2.0, (40, 3)).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p = (p / p.sum(axis=1, keepdims=True)).reshape(10, 4, 3)
    ratios = np.log(p / p.mean(axis=1, keepdims=True))
    scores = np.exp((p * ratios).sum(axis=2).mean(axis=1))
    found = figures.inception_score(logits)
    assert found['inception_score'] == pytest.approx(scores.mean(), rel=1e-6)
    assert found['inception_score/stderr'] == pytest.approx(scores.std(ddof=1) / 10**0.5, rel=1e-6)
