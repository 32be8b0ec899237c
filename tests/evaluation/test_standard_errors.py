"""Standard errors against what they estimate."""

import numpy as np
import pytest

from benchmarks import standard_errors as simulation
from gan_jax import metrics
from gan_jax.evaluation import standard_errors as errors
from gan_jax.metrics.kernel import polynomial_mmd

RNG = np.random.default_rng(0)


def test_by_groups_it_is_that_of_ten_means():
    x, y = RNG.normal(size=205), RNG.normal(size=400)
    found = errors.by_groups(lambda a, b: [a.mean(), a.mean() - b.mean()], x, y)
    first = x[:200].reshape(20, 10).mean(axis=0)
    second = y.reshape(40, 10).mean(axis=0)
    want = [np.std(z, ddof=1) / 10**0.5 for z in (first, first - second)]
    np.testing.assert_allclose(found, want)
    assert errors.by_groups(lambda a, b: [0.0], x, y[:199]) is None


def test_of_a_histogram_it_is_the_jackknife_of_its_examples():
    histogram = np.array([5, 0, 2, 3])
    labels = np.repeat(np.arange(4), histogram)

    def entropy(kept):
        p = np.bincount(kept, minlength=4) / len(kept)
        return -np.sum(p[p > 0] * np.log(p[p > 0])) / np.log(4)

    values = np.array([entropy(np.delete(labels, i)) for i in range(10)])
    want = np.sqrt(9 / 10 * np.sum((values - values.mean()) ** 2))
    found = errors.of_histogram('x', metrics.class_entropy, histogram)
    assert found == {
        'x': pytest.approx(entropy(labels), rel=1e-5), 'x/stderr': pytest.approx(want, rel=1e-4)
    }  # fmt: skip


def test_of_lengths_it_is_that_of_a_winsorized_mean():
    lengths = np.arange(200, dtype=np.float32)
    lengths[-1] = 1e6
    found = errors.of_lengths('x', lengths)
    held = np.clip(np.arange(200), 1, 198)
    assert found['x'] == pytest.approx(99.5)
    assert found['x/stderr'] == pytest.approx(held.std(ddof=1) / 0.98 / 200**0.5, rel=1e-6)
    assert {*errors.of_lengths('x', lengths[:99])} == {'x'}


@pytest.mark.parametrize('most', [1000, 30])
def test_the_kernel_distances_error_is_the_jackknife_over_parts(most):
    """Against estimates without a part, one by one; of more than `most` scaled by the number."""
    real, fake = RNG.normal(size=(40, 3)), RNG.normal(0.5, 1.5, size=(30, 3))
    shown = real[:most]
    variance = 0.0
    for x, whole, value in (
        (shown, real, lambda x: polynomial_mmd(x, fake)),
        (fake, fake, lambda x: polynomial_mmd(shown, x)),
    ):
        rest = [np.concatenate([x[j::5] for j in range(5) if j != i]) for i in range(5)]
        variance += np.var([value(x) for x in rest]) * 4 * len(x) / len(whole)
    found = metrics.mmd_error(real, fake, parts=5, most=most)
    assert found == pytest.approx(variance**0.5, rel=1e-9)


@pytest.mark.parametrize(('parts', 'said'), [(1, '1 parts'), (16, '16 parts')])
def test_the_kernel_distance_of_too_few_has_no_error(parts, said):
    with pytest.raises(ValueError, match=said):
        metrics.mmd_error(np.zeros((40, 2)), np.zeros((30, 2)), parts=parts)


def test_the_simulations_kernel_distance_is_that_of_metrics():
    real, fake = RNG.normal(size=(40, 3)), RNG.normal(0.5, 1.5, size=(30, 3))
    options = {'subset_size': 12, 'seed': 3}
    quick = simulation.kernel_distance(real, fake, **options)
    np.testing.assert_allclose(quick, metrics.kernel_distance(real, fake, **options), rtol=1e-9)


# The same estimate of fewer examples is there, too; this one takes as long as ten others.
LONG = ('kernel_distance', 1999, 1999, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'real', 'fake', 'equal'), [x for x in simulation.CASES if x != LONG]
)
def test_intervals_of_95_percent_cover_85_to_100(name, real, fake, equal):
    """Of 40 evaluations with all examples drawn anew."""
    for figure, row in simulation.simulate(name, real, fake, equal, draws=40).items():
        coverage = row[3]
        assert np.isnan(coverage) == (figure in simulation.WITHOUT), figure
        assert np.isnan(coverage) or coverage >= 0.85, (figure, row)
