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
    """sqrt((g - 1) / g sum_i (d_i - mean d)^2), d_i without the i-th of g parts."""
    real, parts = RNG.normal(2.0, 3.0, 50), RNG.normal(0.0, 1.0, (5, 8))
    given = metrics.moments(real[:, None]), [metrics.moments(part[:, None]) for part in parts]
    found = figures.frechet_distance(*given)
    assert found['frechet_distance'] == pytest.approx(apart(real, parts.ravel()), rel=1e-9)
    without = np.array([apart(real, np.delete(parts, i, axis=0).ravel()) for i in range(5)])
    error = np.sqrt(4 / 5 * np.sum((without - without.mean()) ** 2))
    assert found['frechet_distance/stderr'] == pytest.approx(error, rel=1e-9)
    assert {*figures.frechet_distance(given[0], given[1][:1])} == {'frechet_distance'}


@pytest.mark.parametrize(
    ('real', 'fake', 'size', 'error'),
    [(2500, 4100, 1000, 0.3 / 2**0.5), (9000, 1999, 1000, 0.3), (900, 1000, 900, None)],
)
def test_the_kernel_distances_error_is_of_the_subsets_that_are_disjoint(
    real, fake, size, error, monkeypatch
):
    asked = []

    def distance(real, fake, **options):
        asked.append((len(real), len(fake), options))
        return 0.5, 0.3

    monkeypatch.setattr(metrics, 'kernel_distance', distance)
    found = figures.kernel_distance(np.zeros((real, 2)), np.zeros((fake, 2)), 7)
    assert asked == [(real, fake, {'subset_size': size, 'seed': 7})]
    assert found.pop('kernel_distance') == 0.5
    assert found == ({} if error is None else {'kernel_distance/stderr': pytest.approx(error)})


def test_the_inception_score_is_of_logits_with_the_error_of_ten_splits():
    logits = RNG.normal(0.0, 2.0, (40, 3)).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p = (p / p.sum(axis=1, keepdims=True)).reshape(10, 4, 3)
    ratios = np.log(p / p.mean(axis=1, keepdims=True))
    scores = np.exp((p * ratios).sum(axis=2).mean(axis=1))
    found = figures.inception_score(logits)
    assert found['inception_score'] == pytest.approx(scores.mean(), rel=1e-6)
    assert found['inception_score/stderr'] == pytest.approx(scores.std() / 10**0.5, rel=1e-6)
