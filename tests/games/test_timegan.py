"""TimeGAN's losses against their formulas, with networks of one number, and its phases."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys, losses, objectives
from gan_jax.game import value_and_gradients
from gan_jax.games import network, timegan
from gan_jax.games.adversary import Adversary, Penalty

X = np.random.default_rng(0).uniform(size=(6, 4, 2)).astype(np.float32)
BATCH = {'real': X}
RNG = keys.per_example(jax.random.key(1), 6)
E, R, G, S, D = 0.5, 1.5, 0.8, 0.7, 2.0


class Times(nn.Module):
    """x -> w x."""

    start: float

    @nn.compact
    def __call__(self, x):
        return self.param('w', nn.initializers.constant(self.start), ()) * x


class Steps(nn.Module):
    """[n, length, d] -> w (the sum of a step's numbers less 1), [n, length]."""

    @nn.compact
    def __call__(self, x):
        return self.param('w', nn.initializers.constant(D), ()) * (x.sum(axis=-1) - 1)


def prior(rng):
    return {'latent': jax.vmap(lambda key: jax.random.uniform(key, X.shape[1:]))(rng)}


def make(adversary=None, moments_weight=100.0, **options):
    parts = {'encoder': E, 'recovery': R, 'generator': G, 'supervisor': S}
    moments = timegan.Moments(losses.moments_matching, moments_weight)
    options = {'embedding_steps': 3, 'supervised_steps': 2} | options
    return timegan.make(
        **{name: network.of_module(Times(start)) for name, start in parts.items()},
        discriminator=network.of_module(Steps()),
        adversary=adversary or Adversary(objectives.non_saturating),
        prior=prior,
        distance=losses.l2,
        moments=moments,
        **options,
    )


def played(game, name):
    """The loss of a turn, its metrics and the gradients of those who move, from the start."""
    params, aux = game.init(jax.random.key(0), BATCH)
    (turn,) = (x for x in game.turns if x.label == name)

    def loss(own, aux, batch, rng):
        return turn.loss({**params, **own}, aux, batch, rng)

    own = {player: params[player] for player in turn.players}
    _, metrics, gradients = turn.gradients(loss, own, {**aux, 'step': 9}, BATCH, RNG)
    plain = value_and_gradients(loss, own, {**aux, 'step': 9}, BATCH, RNG)[2]
    return metrics, gradients, plain


def softplus(x):
    return np.logaddexp(0, x)


Z = np.asarray(prior(RNG)['latent'])
LATENT, FIRST, LAST = E * X, G * Z, S * G * Z
FORESIGHT = np.mean((LATENT[:, 1:] - S * LATENT[:, :-1]) ** 2)
RECONSTRUCTION = np.sqrt(np.mean((X - R * LATENT) ** 2))


def logits(states):
    return D * (states.sum(axis=-1) - 1)


def test_the_autoencoder_alone_minimises_ten_roots_of_its_squared_error():
    metrics, _, _ = played(make(), 'embedding')
    np.testing.assert_allclose(metrics['loss'], 10 * RECONSTRUCTION, rtol=1e-5)


def test_the_supervisor_alone_minimises_the_squared_error_of_the_next_state():
    metrics, gradients, _ = played(make(), 'supervisor')
    np.testing.assert_allclose(metrics['loss'], FORESIGHT, rtol=1e-5)
    # d/dS mean (h' - S h)^2 = -2 mean (h' - S h) h.
    slope = -2 * np.mean((LATENT[:, 1:] - S * LATENT[:, :-1]) * LATENT[:, :-1])
    np.testing.assert_allclose(gradients['supervisor']['w'], slope, rtol=1e-4)


def test_the_autoencoder_beside_the_gan_is_to_be_foreseeable_too():
    metrics, _, _ = played(make(), 'autoencoder')
    np.testing.assert_allclose(metrics['loss'], 10 * RECONSTRUCTION + 0.1 * FORESIGHT, rtol=1e-5)


@pytest.mark.parametrize('weights', [(1.0, 100.0, 100.0), (0.5, 3.0, 0.0)])
def test_the_generators_loss_is_the_authors(weights):
    names = ('first_weight', 'supervised_weight', 'moments_weight')
    metrics, _, _ = played(make(**dict(zip(names, weights, strict=True))), 'generator')
    made = R * LAST
    moments = np.abs(np.sqrt(made.var(0) + 1e-6) - np.sqrt(X.var(0) + 1e-6)).mean()
    moments += np.abs(made.mean(0) - X.mean(0)).mean()
    terms = {
        'first': softplus(-logits(FIRST)).mean(),
        'supervised': np.sqrt(FORESIGHT),
        'moments': moments,
    }
    for name, value in terms.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4)
    adversarial = softplus(-logits(LAST)).mean()
    expected = adversarial + np.dot(weights, [*terms.values()])
    np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-4)


@pytest.mark.parametrize('weight', [1.0, 0.25])
def test_the_discriminator_is_shown_both_kinds_of_generated_states(weight):
    metrics, _, _ = played(make(first_weight=weight), 'discriminator')
    loss = softplus(-logits(LATENT)).mean() + softplus(logits(LAST)).mean()
    loss += weight * softplus(logits(FIRST)).mean()
    np.testing.assert_allclose(metrics['loss'], loss, rtol=1e-5)


def test_the_discriminator_rests_while_it_is_far_ahead():
    metrics, _, plain = played(make(threshold=0.0), 'discriminator')
    loss = float(metrics['loss'])
    moved, gradients, _ = played(make(threshold=0.99 * loss), 'discriminator')
    assert moved['plays'] == 1
    np.testing.assert_array_equal(gradients['discriminator']['w'], plain['discriminator']['w'])
    rested, gradients, _ = played(make(threshold=1.01 * loss), 'discriminator')
    assert rested['plays'] == 0
    assert gradients['discriminator']['w'] == 0
    assert rested['loss'] == loss


def test_the_phases_follow_each_other():
    turns = make(discriminator_every=2).turns
    due = {turn.label: [step for step in range(1, 11) if turn.due(step)] for turn in turns}
    assert due == {
        'embedding': [1, 2, 3],
        'supervisor': [4, 5],
        'generator': [6, 7, 8, 9, 10],
        'autoencoder': [6, 7, 8, 9, 10],
        'discriminator': [6, 8, 10],
    }
    players = {turn.label: turn.players for turn in turns}
    assert players['generator'] == ('generator', 'supervisor')
    assert players['autoencoder'] == players['embedding'] == ('encoder', 'recovery')


def test_a_lazy_penalty_waits_for_the_third_phase():
    penalty = Penalty('r1', lambda critic, real, *_: jnp.sum(critic(real), axis=1), 1.0, every=4)
    adversary = Adversary(objectives.non_saturating, penalties=(penalty,))
    (lazy,) = (x for x in make(adversary).turns if x.lazy)
    assert (lazy.start, lazy.every, lazy.players) == (5, 4, ('discriminator',))


def test_samples_are_recovered_from_refined_states():
    game = make()
    params, aux = game.init(jax.random.key(0), BATCH)
    series = game.functions['sample'](params, aux, {'latent': Z})
    np.testing.assert_allclose(series, R * LAST, rtol=1e-5)
    scores = game.functions['score'](params, aux, BATCH)
    np.testing.assert_allclose(scores, logits(LATENT).mean(axis=1), rtol=1e-5)


def test_other_objectives_and_packs_are_refused():
    with pytest.raises(ValueError, match=r'leave config\.objective at'):
        make(Adversary(objectives.hinge))
    make(Adversary(objectives.non_saturating.partial(label_smoothing=0.1)))
    with pytest.raises(ValueError, match=r'leave cures\.packing at 1'):
        make(Adversary(objectives.non_saturating, packing=2))
