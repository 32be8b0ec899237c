"""What an adversary makes of objective, penalties and cures, with critics to be written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, objectives, penalties
from gan_jax.games.adversary import Adversary, Penalty

RNG = keys.per_example(jax.random.key(0), 6)
REAL = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
FAKE = np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32)


def judge(aux, x):
    """The sum of all coordinates; counts how often it was asked."""
    return x.sum(-1), {**aux, 'calls': aux.get('calls', 0) + 1}


def softplus(x):
    return np.log1p(np.exp(np.float64(x)))


def test_packs_are_judged_as_one():
    seen = []

    def shapes(aux, x):
        seen.append(x.shape)
        return judge(aux, x)

    adversary = Adversary(objectives.non_saturating, packing=3)
    loss, (_, metrics), _ = adversary.discriminator(shapes, {}, REAL, FAKE, RNG)
    assert seen == [(2, 6), (2, 6)]
    real, fake = (x.reshape(2, 3, 2).sum((1, 2)) for x in (REAL, FAKE))
    np.testing.assert_allclose(loss, (softplus(-real) + softplus(fake)).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['real_logit'], real.mean(), rtol=1e-5)
    value, _ = adversary.generator(judge, {}, REAL, FAKE, RNG)
    np.testing.assert_allclose(value, softplus(-fake).mean(), rtol=1e-5)


def test_a_penalty_sees_packs():
    """The gradient of the sum of a pack's six coordinates has the squared norm 6."""
    seen = Penalty('r1', lambda critic, real, *_: penalties.r1(critic, real), 1.0)
    adversary = Adversary(objectives.non_saturating, (seen,), packing=3)
    _, (_, metrics), _ = adversary.discriminator(judge, {}, REAL, FAKE, RNG)
    assert float(metrics['r1']) == 6.0


def test_noise_is_on_both_and_vanishes_with_the_schedule():
    adversary = Adversary(objectives.wasserstein, noise=lambda step: jnp.where(step < 5, 1.0, 0.0))
    plain = Adversary(objectives.wasserstein).discriminator(judge, {}, REAL, FAKE, RNG)[1][1]
    late = adversary.discriminator(judge, {'step': 5}, REAL, FAKE, RNG)[1][1]
    early = adversary.discriminator(judge, {'step': 1}, REAL, FAKE, RNG)[1][1]
    for name in ('real_logit', 'fake_logit'):
        np.testing.assert_allclose(late[name], plain[name], rtol=1e-6)
        assert abs(early[name] - plain[name]) > 1e-3
    assert early['real_logit'] - plain['real_logit'] != early['fake_logit'] - plain['fake_logit']


def test_wrong_labels_change_the_loss_and_not_the_logged_logits():
    adversary = Adversary(objectives.wasserstein, flipping=1.0)
    loss, (_, metrics), _ = adversary.discriminator(judge, {}, REAL, FAKE, RNG)
    np.testing.assert_allclose(loss, metrics['real_logit'] - metrics['fake_logit'], rtol=1e-5)
    plain = Adversary(objectives.wasserstein)
    both = [x.generator(judge, {}, REAL, FAKE, RNG)[0] for x in (adversary, plain)]
    assert both[0] == both[1]


def test_the_generator_learns_from_its_best_samples():
    adversary = Adversary(objectives.wasserstein, top_k=lambda step: 0.5)
    value, _ = adversary.generator(judge, {'step': 1}, REAL, FAKE, RNG)
    best = np.sort(FAKE.sum(-1))[3:]
    np.testing.assert_allclose(value, -best.mean(), rtol=1e-5)


def lecam(decay):
    def function(critic, real, fake, rng, anchors):
        return penalties.lecam(critic, real, fake, anchors)

    return Penalty('lecam', function, 2.0, decay=decay)


def test_anchors_follow_the_logits():
    adversary = Adversary(objectives.wasserstein, (lecam(0.75),))
    aux = adversary.init(REAL)
    assert aux == {'adversary': {'anchors': {'real': 0.0, 'fake': 0.0}}}
    loss, (aux, metrics), _ = adversary.discriminator(judge, aux, REAL, FAKE, RNG)
    real, fake = REAL.sum(-1), FAKE.sum(-1)
    np.testing.assert_allclose(metrics['lecam'], (real**2 + fake**2).mean(), rtol=1e-5)
    np.testing.assert_allclose(loss, fake.mean() - real.mean() + 2 * metrics['lecam'], rtol=1e-5)
    np.testing.assert_allclose(aux['adversary']['anchors']['real'], 0.25 * real.mean(), rtol=1e-5)
    _, (aux, metrics), _ = adversary.discriminator(judge, aux, REAL, FAKE, RNG)
    want = ((real - 0.25 * fake.mean()) ** 2 + (fake - 0.25 * real.mean()) ** 2).mean()
    np.testing.assert_allclose(metrics['lecam'], want, rtol=1e-5)
    np.testing.assert_allclose(aux['adversary']['anchors']['fake'], 0.4375 * fake.mean(), rtol=1e-5)


def test_without_such_a_penalty_nothing_is_kept():
    assert Adversary(objectives.hinge).init(REAL) == {}


@pytest.mark.parametrize('every', [1, 4])
def test_a_lazy_penalty_is_left_out_of_the_loss_and_weighs_more_in_its_turn(every):
    r2 = Penalty('r2', lambda critic, real, fake, *_: penalties.r2(critic, fake), 3.0, every)
    adversary = Adversary(objectives.wasserstein, (r2,))
    loss, (_, metrics), _ = adversary.discriminator(judge, {}, REAL, FAKE, RNG)
    plain = metrics['fake_logit'] - metrics['real_logit']
    np.testing.assert_allclose(loss - plain, 6.0 if every == 1 else 0.0, atol=1e-5)
    value, metrics = adversary.lazy(r2, judge, {}, REAL, FAKE, RNG)
    assert float(value) == 3.0 * every * 2.0
    assert float(metrics['r2']) == 2.0
