"""Private gradients against explicit loops, and the accountant against known figures."""

import functools
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, privacy

N, D = 12, 5
RNG = keys.per_example(jax.random.key(0), N)
DRAWN = np.random.default_rng(0)
EXAMPLES = {'real': DRAWN.normal(size=(N, D)).astype(np.float32)}
SCALES = np.geomspace(0.01, 100, N).astype(np.float32)[:, None]
WEIGHTS = np.array([1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1], np.float32)


def gradient(example, key):
    """Of two arrays, with norms from 0.02 to 300, and a draw of the example's own."""
    x = example['real']
    return {'a': jnp.outer(x, x[:2]), 'b': x[0] + jax.random.normal(key)}


def explicit(clip, examples, weights):
    total = {'a': np.zeros((D, 2)), 'b': 0.0}
    for i in range(N):
        one = jax.tree.map(np.float64, gradient({'real': examples['real'][i]}, RNG[i]))
        norm = math.sqrt(sum(np.sum(np.square(x)) for x in one.values()))
        for name, x in one.items():
            total[name] = total[name] + weights[i] * min(1, clip / norm) * x
    return total


@pytest.mark.parametrize('chunk', [1, 4, 5, 12, 100])
@pytest.mark.parametrize('clip', [0.5, 1e6])
def test_the_sum_is_that_of_a_loop_whatever_the_chunks(chunk, clip):
    examples = {'real': EXAMPLES['real'] * SCALES}
    summed = jax.jit(functools.partial(privacy.clipped_sum, gradient, clip=clip, chunk=chunk))
    found = summed(examples, RNG, WEIGHTS)
    wanted = explicit(clip, examples, WEIGHTS)
    for name, x in wanted.items():
        np.testing.assert_allclose(found[name], x, rtol=1e-5, atol=1e-5)


def test_no_example_moves_the_sum_by_more_than_the_bound():
    """Nor does one that is not finite where there is none: padding may hold anything."""
    whole = privacy.clipped_sum(gradient, EXAMPLES, RNG, np.ones(N, np.float32), 0.25, 3)
    for i in range(N):
        weights = np.ones(N, np.float32)
        weights[i] = 0
        examples = {'real': EXAMPLES['real'].copy()}
        examples['real'][i] = np.nan
        less = privacy.clipped_sum(gradient, examples, RNG, weights, 0.25, 3)
        gap = jax.tree.map(lambda x, y: np.sum(np.square(x - y)), whole, less)
        assert math.sqrt(sum(gap.values())) == pytest.approx(0.25, rel=1e-4)


def test_chunks_without_examples_are_not_computed():
    calls = []

    def counted(example, key):
        jax.debug.callback(lambda: calls.append(1))
        return gradient(example, key)

    weights = (np.arange(N) < 4).astype(np.float32)
    jax.block_until_ready(privacy.clipped_sum(counted, EXAMPLES, RNG, weights, 1.0, 3))
    jax.effects_barrier()
    assert len(calls) == 2  # of three examples each


def loss(own, aux, batch, rng):
    value = jnp.mean(jnp.square(batch['real'] @ own['w'] - batch['real'][:, 0]))
    return value, ({'seen': aux['seen'] + 1 + jnp.sum(batch['real'])}, {'leak': value})


def test_a_turn_is_divided_by_those_expected_and_leaks_nothing():
    """Of 12 rows in 3 for each expected example, 4 are expected, however many came."""
    own, aux = {'w': jnp.ones(D)}, {'seen': jnp.zeros(())}
    batch = {**EXAMPLES, privacy.WEIGHT: WEIGHTS}
    left, metrics, grads = privacy.gradients(
        loss, own, aux, batch, RNG, clip=1e6, chunk=4, padding=3
    )

    def of_one(x):
        return jax.grad(lambda w: loss({'w': w}, aux, {'real': x[None]}, RNG[:1])[0])(own['w'])

    wanted = np.asarray(jax.vmap(of_one)(EXAMPLES['real']))[WEIGHTS > 0].sum(axis=0) / 4
    np.testing.assert_allclose(grads['w'], wanted, rtol=1e-5)
    assert metrics == {}
    assert left == {'seen': 1.0}  # as a row of zeros leaves it


def test_the_mean_over_parts_is_the_whole():
    own, aux = {'w': jnp.ones(D)}, {'seen': jnp.zeros(())}
    batch = {**EXAMPLES, privacy.WEIGHT: WEIGHTS}
    take = functools.partial(privacy.gradients, loss, own, aux, clip=0.5, chunk=2, padding=3)
    whole = take(batch, RNG)[2]['w']
    halves = [
        take({k: x[i : i + 6] for k, x in batch.items()}, RNG[i : i + 6])[2]['w'] for i in (0, 6)
    ]
    np.testing.assert_allclose(np.mean(halves, axis=0), whole, rtol=1e-5)


def test_the_noise_is_gaussian_independent_and_has_its_deviation():
    tree = {'a': jnp.full((300, 200), 5.0), 'b': jnp.zeros(60_000)}
    found = privacy.noisy(jax.random.key(1), tree, 0.25)
    again = privacy.noisy(jax.random.key(1), tree, 0.25)
    a, b = (np.asarray(found['a']) - 5).ravel(), np.asarray(found['b'])
    for x in (a, b):
        assert abs(x.mean()) < 5 * 0.25 / math.sqrt(60_000)
        assert x.std() == pytest.approx(0.25, rel=0.02)
        assert np.mean(np.abs(x) < 0.25) == pytest.approx(0.6827, abs=0.01)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
    np.testing.assert_array_equal(found['a'], again['a'])


# ---- The accountant --------------------------------------------------------------------------
@pytest.fixture
def accounting():
    reason = 'dp-accounting is not here: the extra named privacy'
    return pytest.importorskip('dp_accounting', reason=reason)


TABLE = [
    (0.01, 4, 10_000, 1.0355, 0.9470),
    (256 / 60_000, 1.3, 3_515, 0.9544, 0.8645),
    (250 / 60_000, 1.1, 14_400, 2.5617, 2.3496),
    (1, 1, 1, 4.7285, 4.3772),
]


@pytest.mark.usefixtures('accounting')
@pytest.mark.parametrize(('rate', 'noise', 'steps', 'rdp', 'pld'), TABLE)
def test_epsilon_is_that_of_the_table(rate, noise, steps, rdp, pld):
    """At delta 1e-5."""
    assert privacy.spent(rate, noise, steps, 1e-5) == pytest.approx(rdp, abs=1e-4)
    assert privacy.spent(rate, noise, steps, 1e-5, privacy.PLD) == pytest.approx(pld, abs=1e-4)


@pytest.mark.usefixtures('accounting')
def test_one_step_on_all_examples_is_the_analytic_gaussian_mechanism():
    """delta = Phi(1/(2 s) - eps s) - e^eps Phi(-1/(2 s) - eps s) (Balle and Wang, 2018)."""

    def phi(x):
        return (1 + math.erf(x / math.sqrt(2))) / 2

    epsilon = privacy.spent(1, 1.0, 1, 1e-5, privacy.PLD)
    delta = phi(0.5 - epsilon) - math.exp(epsilon) * phi(-0.5 - epsilon)
    assert delta == pytest.approx(1e-5, rel=1e-2)


@pytest.mark.usefixtures('accounting')
@pytest.mark.parametrize(
    ('num', 'batch', 'steps', 'noise'), [(5_000, 64, 20_000, 1.176), (60_000, 128, 50_000, 0.614)]
)
def test_the_noise_is_the_least_that_epsilon_needs(num, batch, steps, noise):
    found = privacy.noise_for(10, batch / num, steps, 1e-5)
    assert found == pytest.approx(noise, abs=1e-3)
    assert privacy.spent(batch / num, found, steps, 1e-5) <= 10
    assert privacy.spent(batch / num, 0.99 * found, steps, 1e-5) > 10
    most = privacy.most_steps(10, batch / num, found, 1e-5)
    assert steps <= most < 1.01 * steps


@pytest.mark.usefixtures('accounting')
def test_nothing_is_spent_before_the_first_step():
    assert privacy.spent(0.01, 1.0, 0, 1e-5) == 0
    assert privacy.most_steps(0.01, 0.5, 0.5, 1e-5) == 0


def test_batches_that_are_cut_cost_the_tail_of_the_binomial():
    """P(Binomial(10, 1/2) > 8) = 11 / 1024, and at epsilon 0 twice that for each step."""
    pytest.importorskip('scipy')
    assert privacy.cut_delta(10, 0.5, 8, 3, 0.0) == pytest.approx(2 * 3 * 11 / 1024)
    padding = privacy.padding_for(60_000, 128, 50_000, 10, 1e-5)
    assert padding == 2
    costs = [privacy.cut_delta(60_000, 128 / 60_000, k * 128, 50_000, 10) for k in (1, 2)]
    assert costs[0] > 1e-8 >= costs[1]
    assert privacy.padding_for(4, 4, 1, 1.0, 0.1) == 1  # all of all


def test_without_the_library_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'dp_accounting', None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[privacy\]'"):
        privacy.noise_for(9.0, 0.01, 17, 1e-5)
