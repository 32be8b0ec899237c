"""Judges of series on series that are told apart, and on such as are not."""

import math

import jax
import numpy as np
import pytest

from gan_jax.config import fit
from gan_jax.data import dataset as dataset_lib
from gan_jax.errors import UserError
from gan_jax.evaluation import judges, menu, statistics


def series(seed, num=400, length=8, features=4):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0.2, 0.8, (num, 1, features))
    return (start + 0.02 * rng.normal(size=(num, length, features))).astype(np.float32)


def as_they_are(x):
    return x


def judged(name, real, fake, repeats=3):
    with jax.numpy_dtype_promotion('standard'):  # as Adam needs it
        return getattr(judges, name)(real, fake, as_they_are, repeats, 0)


KINDS = ('discriminative_score', 'kernel_discriminative_score')


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(judges, 'STEPS', 600)
    monkeypatch.setattr(judges, 'PREDICTOR_STEPS', 600)


@pytest.mark.parametrize('name', KINDS)
def test_series_of_one_kind_are_not_told_apart(name):
    found = judged(name, series(0), series(1))
    assert found[name] < 0.15
    # 160 test examples: sqrt(1/4 / 160), and what the judges add.
    assert found[f'{name}/stderr'] > 0.9 * math.sqrt(0.25 / 160)


@pytest.mark.parametrize('name', KINDS)
def test_another_level_is_told(name):
    fake = series(1)
    assert judged(name, series(0), fake + 0.8)[name] > 0.4


def test_noise_that_is_told_by_kernels_alone():
    """The same levels with several times the noise."""
    rng = np.random.default_rng(2)
    noisy = series(1) + 0.1 * rng.normal(size=(400, 8, 4)).astype(np.float32)
    assert judged('kernel_discriminative_score', series(0), noisy)[KINDS[1]] > 0.45


def test_as_many_of_both_sides_are_judged():
    """Of 40 against 400 a judge that always says one thing would be right ten times in eleven."""
    found = judged('kernel_discriminative_score', series(0), series(1, 40), 2)
    assert found['kernel_discriminative_score/stderr'] > 0.9 * math.sqrt(0.25 / 16)


def following(seed, num=400, length=8):
    """The last feature is the first one's value a step before."""
    drawn = np.random.default_rng(seed).uniform(0.1, 0.9, (num, length + 1, 1))
    other = np.random.default_rng(seed + 1).uniform(0.1, 0.9, (num, length, 2))
    return np.concatenate([drawn[:, 1:], other, drawn[:, :-1]], axis=2).astype(np.float32)


def test_what_is_predictable_in_generated_series_is_predicted_in_real_ones():
    real = following(0)
    good = judged('predictive_score', real, following(5))['predictive_score']
    still = following(5)
    still[..., -1] = still[::-1, :, -1]  # of another series: nothing tells it
    bad = judged('predictive_score', real, still)['predictive_score']
    # Of U(0.1, 0.9) the mean absolute deviation from the median is 0.2.
    assert bad == pytest.approx(0.2, abs=0.02)
    assert good < 0.75 * bad


def test_a_predictor_is_told_all_but_the_last_feature_and_says_it_one_step_ahead():
    x = np.arange(2 * 5 * 3).reshape(2, 5, 3)
    told, truth = judges._shown(x)
    np.testing.assert_array_equal(told, x[:, :4, :2])
    np.testing.assert_array_equal(truth, x[:, 1:, 2])
    told, truth = judges._shown(x[..., :1])  # of itself
    np.testing.assert_array_equal(told, x[:, :4, :1])
    np.testing.assert_array_equal(truth, x[:, 1:, 0])


def test_judges_are_half_as_wide_as_series():
    assert [judges._width(np.zeros((1, 2, d))) for d in (1, 2, 5, 6)] == [1, 1, 2, 3]


def test_figures_are_means_over_the_repeats():
    """|accuracy - 1/2| of each, not of the mean accuracy."""
    rights = np.array([[1, 1, 1, 0], [0, 0, 0, 1]], bool)
    found = judges._of_accuracies('x', rights)
    assert found['x'] == 0.25
    assert found['x/stderr'] == pytest.approx(math.sqrt(0.75 * 0.25 / 4))


@pytest.mark.slow
def test_the_seed_decides():
    pair = series(0, 40), series(1, 40)
    for name in (*KINDS, 'predictive_score'):
        assert judged(name, *pair, 2) == judged(name, *pair, 2)


def test_a_kernels_features_by_an_explicit_loop():
    x = np.random.default_rng(0).normal(size=(3, 10, 2)).astype(np.float32)
    found = judges.convolved(x, np.random.default_rng(4))
    assert found.shape == (3, 2 * judges.KERNELS)
    rng = np.random.default_rng(4)
    taps = int(rng.choice([3, 5, 7, 9]))
    dilation = int(2 ** rng.uniform(0, math.log2(9 / (taps - 1))))
    used = rng.permutation(2)[: rng.integers(1, 3)]
    kernel = rng.normal(size=(taps, len(used)))
    kernel -= kernel.mean()
    margin = (taps - 1) * dilation // 2 * int(rng.integers(2))
    bias = rng.uniform(-1, 1)
    for i in range(3):
        row = np.pad(x[i][:, used], ((margin, margin), (0, 0)))
        values = [
            bias + sum(kernel[j] @ row[t + j * dilation] for j in range(taps))
            for t in range(len(row) - (taps - 1) * dilation)
        ]
        np.testing.assert_allclose(found[i, 0], max(values), rtol=1e-4)
        np.testing.assert_allclose(found[i, 1], np.mean(np.array(values) > 0))


def test_all_examples_are_kept_for_judges():
    chunks = [series(i, num) for i, num in enumerate((statistics.KEPT, 7))]
    found = statistics.gather(chunks, {'fake_every', 'real_every'}, None, 'fake')
    assert [*found] == ['fake_every']
    np.testing.assert_array_equal(found['fake_every'], np.concatenate(chunks))


@pytest.mark.parametrize('name', [*KINDS, 'predictive_score'])
def test_what_is_no_series_is_refused_before_anything_is_trained(name):
    points = dataset_lib.points('ring8')
    game = type('Game', (), {'functions': {}})
    with pytest.raises(UserError, match=f'{name} needs series, as config.dataset=sines is'):
        fit.check_evidence([name], points, game, True)
    assert menu.better(name) == 'less'


def test_a_judge_gives_a_number_for_each_step():
    network = judges.Judge(2)
    x = series(0, 3)
    variables = network.init(jax.random.key(0), x)
    assert network.apply(variables, x).shape == (3, 8)
