"""What an adversary makes of objective, penalties and cures, with critics to be written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, objectives, penalties
from gan_jax.games.adversary import Adversary, Augmentation, Penalty
from gan_jax.runtime import parallel

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


def shift_grows(state, logits, axis_name):
    sign = parallel.mean(jnp.mean(jnp.sign(logits)), axis_name)
    return {'shift': state['shift'] + 0.25 * sign}


SHIFT = Augmentation(
    lambda: {'shift': jnp.zeros(())}, lambda rng, x, state: x + state['shift'], shift_grows
)
SHIFTED = {'adversary': {'augmentation': {'shift': jnp.float32(0.5)}}, 'other': 7}
SEEN = Penalty('seen', lambda critic, real, *_: critic(real), 2.0)


def test_an_augmentation_is_of_all_that_is_judged_in_both_turns_and_in_penalties():
    """Two coordinates, each 0.5 more."""
    adversary = Adversary(objectives.wasserstein, (SEEN,), augmentation=SHIFT)
    assert adversary.init(REAL) == {'adversary': {'augmentation': {'shift': 0.0}}}
    real, fake = REAL.sum(-1) + 1.0, FAKE.sum(-1) + 1.0
    loss, (_, metrics), _ = adversary.discriminator(judge, SHIFTED, REAL, FAKE, RNG)
    np.testing.assert_allclose(metrics['real_logit'], real.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['fake_logit'], fake.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['seen'], real.mean(), rtol=1e-5)
    np.testing.assert_allclose(loss, fake.mean() + real.mean(), rtol=1e-5)
    value, verdicts = adversary.generator(judge, SHIFTED, REAL, FAKE, RNG)
    np.testing.assert_allclose(value, -fake.mean(), rtol=1e-5)
    for found, logits in zip(verdicts, (real, fake), strict=True):
        np.testing.assert_allclose(found.logits, logits, rtol=1e-5, atol=1e-6)
    value, metrics = adversary.lazy(SEEN, judge, SHIFTED, REAL, FAKE, RNG)
    np.testing.assert_allclose(value, 2.0 * real.mean(), rtol=1e-5)


def test_an_augmentations_state_follows_the_real_logits_of_the_discriminators_turn():
    adversary = Adversary(objectives.wasserstein, augmentation=SHIFT)
    _, (aux, _), _ = adversary.discriminator(judge, SHIFTED, REAL, FAKE, RNG)
    want = 0.5 + 0.25 * np.sign(REAL.sum(-1) + 1.0).mean()
    assert want != 0.5
    np.testing.assert_allclose(aux['adversary']['augmentation']['shift'], want, rtol=1e-6)
    assert aux['other'] == 7
    assert SHIFTED['adversary']['augmentation']['shift'] == 0.5


def test_an_augmentations_state_is_the_same_on_eight_devices():
    """The generator's turn gives back no aux; packs are augmented one by one and mean the same."""
    real, fake = np.random.default_rng(3).normal(size=(2, 16, 2)).astype(np.float32)
    rng = keys.per_example(jax.random.key(0), 16)
    alone = Adversary(objectives.wasserstein, packing=2, augmentation=SHIFT)
    shared = alone._replace(axis_name=parallel.AXIS)

    def state_of(adversary, *given):
        return adversary.discriminator(judge, SHIFTED, *given)[1][0]['adversary']['augmentation']

    split = [x.reshape(8, 2, *x.shape[1:]) for x in (real, fake, rng)]
    copies = jax.pmap(lambda *x: state_of(shared, *x), axis_name=parallel.AXIS)(*split)['shift']
    logits = real.reshape(8, 4).sum(-1) + 4 * 0.5
    want = 0.5 + 0.25 * np.sign(logits).mean()
    assert len({*np.sign(logits)}) == 2
    np.testing.assert_allclose(copies, [want] * 8, rtol=1e-6)
    np.testing.assert_array_equal(copies, [copies[0]] * 8)
    np.testing.assert_allclose(state_of(alone, real, fake, rng)['shift'], want, rtol=1e-6)


def test_r1_is_taken_before_the_augmentation_and_passes_through_it():
    """Of v sum(s x) the squared gradient is 2 (s v)^2, and its derivative by v is 4 s^2 v."""
    scaled = Augmentation(
        lambda: {'scale': jnp.float32(3.0)}, lambda rng, x, state: state['scale'] * x,
        lambda state, logits, axis_name: state,
    )  # fmt: skip
    r1 = Penalty('r1', lambda critic, real, *_: penalties.r1(critic, real), 1.0, every=2)
    adversary = Adversary(objectives.wasserstein, (r1,), augmentation=scaled)
    aux = adversary.init(REAL)

    def value(v):
        def judged(aux, x):
            return v * x.sum(-1), aux

        return adversary.lazy(r1, judged, aux, REAL, FAKE, RNG)[1]['r1']

    found, slope = jax.value_and_grad(value)(0.5)
    np.testing.assert_allclose(found, 2 * (3.0 * 0.5) ** 2, rtol=1e-6)
    np.testing.assert_allclose(slope, 4 * 3.0**2 * 0.5, rtol=1e-6)
