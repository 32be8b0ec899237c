"""Turns with two opponents and a term, of networks that are written out: a scale, a sum."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import game as game_lib
from gan_jax import keys, objectives, penalties
from gan_jax.games import wrappers
from gan_jax.games.adversary import Adversary, Augmentation, Penalty
from gan_jax.games.network import Network, Role, of_module
from gan_jax.games.turns import Opponent, Scene, adversarial_turns
from gan_jax.networks import layers

REAL, NOISE = np.random.default_rng(0).normal(size=(2, 6, 2)).astype(np.float32)
RNG = keys.per_example(jax.random.key(0), 6)
# Each discriminator is v sum(x), the generator is g * noise.
PARAMS = {
    'generator': jnp.float32(3.0),
    'discriminator': {'fine': jnp.float32(0.5), 'coarse': jnp.float32(-2.0)},
}
AUX = {'discriminator': {'fine': {}, 'coarse': {}}, 'generator': {'calls': 0}, 'step': 1}


def judged(params, collections, x, *, rng, train):
    assert train
    return params * x.sum(-1), collections


def opponent(name, weight, adversary):
    role = Role(Network(None, judged, frozenset()), 'discriminator', name)
    return Opponent(role, adversary, name, weight)


def show(params, aux, batch, rng):
    """The coarse one is shown everything doubled."""
    fake = params['generator'] * NOISE
    scenes = {'fine': Scene(batch['real'], fake), 'coarse': Scene(2 * batch['real'], 2 * fake)}
    return scenes, fake, {**aux, 'generator': {'calls': aux['generator']['calls'] + 1}}


def brightness(params, aux, batch, made, verdicts, rng):
    logits = [verdicts[name][1].logits for name in ('fine', 'coarse')]
    return {'bright': (10.0, made.mean()), 'said': (0.5, sum(logits).mean())}, aux


def size(params, aux, batch, made, verdicts, rng):
    real, fake = verdicts['fine']
    return {'gap': (4.0, (real.logits - fake.logits).mean())}, {**aux, 'seen': 1}


R1 = Penalty('r1', lambda critic, real, *_: penalties.r1(critic, real), 3.0)
PLAIN = Adversary(objectives.wasserstein)


def turns(fine=PLAIN, coarse=PLAIN, **options):
    opponents = opponent('fine', 1.0, fine), opponent('coarse', 7.0, coarse)
    return adversarial_turns(show, opponents, **options)


def play(turn, batch=None):
    loss, (aux, metrics) = turn.loss(PARAMS, AUX, batch or {'real': REAL}, RNG)
    return float(loss), aux, metrics


REAL_SUM, FAKE_SUM = (np.float64(x).sum(-1).mean() for x in (REAL, 3 * NOISE))
# Mean logits on the real and on the generated examples.
FINE = 0.5 * REAL_SUM, 0.5 * FAKE_SUM
COARSE = -4.0 * REAL_SUM, -4.0 * FAKE_SUM


def test_the_generators_loss_is_the_weighted_sum_of_its_opponents_and_its_terms():
    _, turn = turns(generator_terms=brightness, generator_every=3)
    loss, aux, metrics = play(turn)
    bright, said = 3.0 * np.float64(NOISE).mean(), FINE[1] + COARSE[1]
    want = -FINE[1] - 7.0 * COARSE[1] + 10.0 * bright + 0.5 * said
    np.testing.assert_allclose(loss, want, rtol=1e-5)
    wanted = {
        'adversarial_fine': -FINE[1], 'adversarial_coarse': -COARSE[1],
        'bright': bright, 'said': said,
    }  # fmt: skip
    assert metrics.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-5, err_msg=name)
    assert aux == {**AUX, 'generator': {'calls': 1}}
    assert (turn.player, turn.every, turn.label) == ('generator', 3, 'generator')


def test_the_discriminators_losses_are_added_whatever_they_weigh_for_the_generator():
    turn, _ = turns(fine=PLAIN._replace(penalties=(R1,)), discriminator_terms=size)
    loss, aux, metrics = play(turn)
    gap = FINE[0] - FINE[1]
    r1 = 0.5  # of x -> 0.5 (x_1 + x_2)
    want = -gap + (COARSE[1] - COARSE[0]) + 3.0 * r1 + 4.0 * gap
    np.testing.assert_allclose(loss, want, rtol=1e-5)
    np.testing.assert_allclose(metrics['real_logit_fine'], FINE[0], rtol=1e-5)
    np.testing.assert_allclose(metrics['fake_logit_coarse'], COARSE[1], rtol=1e-5)
    np.testing.assert_allclose(metrics['r1_fine'], r1, rtol=1e-6)
    np.testing.assert_allclose(metrics['gap'], gap, rtol=1e-5)
    assert 'r1_coarse' not in metrics
    assert aux == {**AUX, 'seen': 1}  # the generator's collections are not the discriminators'


def test_a_lazy_penalty_has_one_turn_for_all_opponents_that_have_it():
    lazy = PLAIN._replace(penalties=(R1._replace(every=4),))
    _, both, _ = turns(fine=lazy, coarse=lazy)
    loss, aux, metrics = play(both)
    np.testing.assert_allclose(metrics['r1_fine'], 2 * 0.5**2, rtol=1e-6)
    np.testing.assert_allclose(metrics['r1_coarse'], 2 * 2.0**2, rtol=1e-6)
    np.testing.assert_allclose(loss, 3.0 * 4 * (0.5 + 8.0), rtol=1e-6)
    assert (both.player, both.every, both.label, both.lazy) == (
        'discriminator', 4, 'discriminator_r1', True
    )  # fmt: skip
    assert aux == AUX
    judging, one, _ = turns(coarse=lazy)
    np.testing.assert_allclose(play(one)[0], 3.0 * 4 * 8.0, rtol=1e-6)
    assert play(one)[2].keys() == {'r1_coarse'}
    assert not [name for name in play(judging)[2] if name.startswith('r1')]


def test_one_opponent_without_terms_is_the_whole_loss():
    role = Role(Network(None, judged, frozenset()), 'discriminator', 'fine')

    def alone(params, aux, batch, rng):
        scenes, made, aux = show(params, aux, batch, rng)
        return {'': scenes['fine']}, made, aux

    judging, making = adversarial_turns(
        alone, [Opponent(role, PLAIN)], generator=('generator', 'encoder'), discriminator='critic'
    )
    loss, _, metrics = play(making)
    np.testing.assert_allclose(loss, -FINE[1], rtol=1e-5)
    assert metrics == {}
    assert making.players == ('generator', 'encoder')
    assert judging.players == ('critic',)
    assert {'real_logit', 'fake_logit'} <= play(judging)[2].keys()


def test_each_opponent_draws_with_keys_of_its_own():
    noisy = PLAIN._replace(noise=lambda step: 1.0)
    judging, _ = turns(fine=noisy, coarse=noisy)
    metrics = play(judging)[2]
    noise = [
        float(metrics[f'real_logit_{name}'] - known[0]) / factor
        for name, known, factor in (('fine', FINE, 0.5), ('coarse', COARSE, -2.0))
    ]
    assert abs(noise[0]) > 1e-3
    assert abs(noise[0] - noise[1]) > 1e-3


LECAM = Penalty(
    'lecam',
    lambda critic, real, fake, rng, anchors: penalties.lecam(critic, real, fake, anchors),
    0.3,
    decay=0.5,
)
NOISED = Penalty(
    'gradient_penalty',
    lambda critic, real, fake, rng, _: penalties.gradient_penalty(critic, real, fake, rng),
    0.3,
)
SHIFT = Augmentation(
    lambda: {'shift': jnp.zeros(())},
    lambda rng, x, state: x + state['shift'],
    lambda state, logits, axis_name: {'shift': 0.9 * state['shift'] + 0.1 * logits.mean()},
)
KEPT = {
    'plain': {},
    'anchors': {'penalties': (LECAM,)},
    'a lazy penalty with anchors': {'penalties': (LECAM._replace(every=2),)},
    'a penalty that draws': {'penalties': (NOISED,)},
    'a pool': {'pool_size': 5},
    "an augmentation's state": {'augmentation': SHIFT},
    'packs': {'packing': 2},
    'noise': {'noise': lambda step: 1.0 / step.astype(jnp.float32)},
    'wrong labels': {'flipping': 0.4},
    'history': {},
    'the vector of a spectral norm': {},
}


@pytest.mark.parametrize('name', KEPT)
def test_micro_batches_equal_the_whole_batch(name):
    """Whatever an adversary draws or keeps; what compares examples (top-k) cannot."""
    adversary = Adversary(objectives.non_saturating, **KEPT[name])
    role = Role(Network(None, judged, frozenset()), 'discriminator', 'fine')
    if name == 'the vector of a spectral norm':
        role = Role(of_module(layers.SpectralDense(3)), 'discriminator')

    def shown(params, aux, batch, rng):
        fake = params['generator']['scale'] * batch['noise']
        return {'': Scene(batch['real'], fake)}, fake, aux

    def init(rng, batch):
        params = PARAMS | {'generator': {'scale': PARAMS['generator']}}
        kept = {'discriminator': {'fine': {}}, **adversary.init(batch['real'])}
        if not role.part:
            params['discriminator'], kept['discriminator'] = role.init(rng, batch['real'])
        return params, kept

    game = game_lib.Game(init, adversarial_turns(shown, [Opponent(role, adversary)]), {})
    if name == 'history':
        game = wrappers.historical_averaging(game, 0.3)
    players = dict.fromkeys(PARAMS, optax.sgd(0.1))
    real, noise = np.random.default_rng(2).normal(size=(2, 4, 12, 2)).astype(np.float32)
    ends = []
    for parts in (1, 3):
        state = game_lib.init(game, players, 0, {'real': real[0]})
        update = jax.jit(lambda *x, parts=parts: game_lib.update(game, *x, micro_batches=parts))
        for batch in zip(real, noise, strict=True):
            state, metrics = update(state, dict(zip(('real', 'noise'), batch, strict=True)))
        ends.append((game_lib.current(state), metrics))
    for one, other in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
