"""InfoGAN with players of a few numbers, whose losses and gradients are written out."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import class_losses, keys, latents, objectives
from gan_jax.games import gan, infogan, network
from gan_jax.games.adversary import Adversary, Penalty
from gan_jax.networks.verdict import Verdict

NUM, KINDS = 6, 3
IMAGES = np.random.default_rng(0).normal(size=(NUM, KINDS)).astype(np.float32)
BATCH = {'real': IMAGES}
RNG = keys.per_example(jax.random.key(1), NUM)


class Told(nn.Module):
    """(z, c, u) -> z + w (one-hot c + u)."""

    @nn.compact
    def __call__(self, latent, category, continuous, train):
        w = self.param('w', nn.initializers.constant(0.5), ())
        return latent + w * (jax.nn.one_hot(category, KINDS) + continuous)


class Untold(nn.Module):
    @nn.compact
    def __call__(self, latent, train):
        return self.param('w', nn.initializers.constant(0.5), ()) * latent


class Judge(nn.Module):
    """x -> sum(x) as a logit, v x as features."""

    features: bool = True

    @nn.compact
    def __call__(self, x, train):
        v = self.param('v', nn.initializers.constant(2.0), ())
        return Verdict(v * x.sum(-1), v * x if self.features else None)


class Reader(nn.Module):
    """h -> q h as logits of categories, the mean of h as that of the continuous code."""

    @nn.compact
    def __call__(self, features, train):
        q = self.param('q', nn.initializers.constant(0.7), ())
        return {'category': q * features, 'continuous': q * features.mean(-1, keepdims=True)}


def prior(rng):
    return latents.coded(rng, KINDS, KINDS, 1)


def codes(category=1.0, continuous=1.0):
    return (
        infogan.Code('category', class_losses.categorical_information, category, math.log(KINDS)),
        infogan.Code('continuous', class_losses.uniform_information, continuous, -0.226),
    )


def make(information=None, penalties=(), **changes):
    players = {'generator': Told(), 'discriminator': Judge(), 'recognizer': Reader()}
    players = {name: network.of_module(x) for name, x in (players | changes).items()}
    adversary = Adversary(objectives.non_saturating, penalties)
    return infogan.make(
        **players, adversary=adversary, prior=prior, information=information or codes()
    )


def losses(game, params=None):
    found, aux = game.init(jax.random.key(0), BATCH)
    given = params or found
    return jax.jit(lambda: {x.label: x.loss(given, aux, BATCH, RNG) for x in game.turns})()


def bounds(params):
    """Both lower bounds in NumPy, of the codes and the samples of these keys."""
    drawn = {name: np.float64(x) for name, x in prior(RNG).items()}
    category = drawn['category'].astype(int)
    w, v, q = params['generator']['w'], params['discriminator']['v'], params['recognizer']['q']
    fake = drawn['latent'] + w * (np.eye(KINDS)[category] + drawn['continuous'])
    logits = np.float64(q * v * fake)
    told = logits[np.arange(NUM), category]
    categorical = math.log(KINDS) - (np.log(np.exp(logits).sum(1)) - told).mean()
    gaps = drawn['continuous'][:, 0] - logits.mean(1)
    return categorical, (math.log(2) - (gaps**2 + math.log(2 * math.pi)) / 2).mean()


def test_both_losses_have_the_weighted_bounds_subtracted():
    weights = 0.3, 0.8
    game = make(codes(*weights))
    params = game.init(jax.random.key(0), BATCH)[0]
    found, plain = losses(game), losses(make(codes(0.0, 0.0)))
    want = bounds(params)
    for player in ('discriminator', 'generator'):
        value, (_, metrics) = found[player]
        gained = value - plain[player][0]
        np.testing.assert_allclose(gained, -np.dot(weights, want), rtol=1e-5)
        np.testing.assert_allclose(metrics['category_information'], want[0], rtol=1e-5)
        np.testing.assert_allclose(metrics['continuous_information'], want[1], rtol=1e-5)
        np.testing.assert_allclose(metrics['category_ceiling'], 1.0986123, rtol=1e-6)


def test_without_weight_it_is_the_game_of_two():
    plain = gan.make(
        generator=network.of_module(Told()),
        discriminator=network.of_module(Judge()),
        adversary=Adversary(objectives.non_saturating),
        prior=prior,
    )
    plain, found = losses(plain), losses(make(codes(0.0, 0.0)))
    for player in plain:
        assert float(plain[player][0]) == float(found[player][0])


def test_the_recognizer_has_gradients_in_both_turns_and_so_has_whoever_plays():
    """All by finite differences of the bounds, so no gradient is stopped on the way."""
    game = make()
    params, aux = game.init(jax.random.key(0), BATCH)
    plain = make(codes(0.0, 0.0))

    @jax.jit
    def gradients(params):
        pairs = zip(game.turns, plain.turns, strict=True)
        return {
            turn.label: [
                jax.grad(lambda p, x=x: x.loss(p, aux, BATCH, RNG)[0])(params)
                for x in (turn, other)
            ]
            for turn, other in pairs
        }

    slopes = gradients(params)
    for turn in game.turns:
        for player, name in (('generator', 'w'), ('discriminator', 'v'), ('recognizer', 'q')):
            own, without = (x[player][name] for x in slopes[turn.label])
            moved = [
                sum(bounds({**params, player: {name: params[player][name] + step}}))
                for step in (1e-3, -1e-3)
            ]
            slope = (moved[0] - moved[1]) / 2e-3
            np.testing.assert_allclose(own - without, -slope, rtol=2e-3, atol=1e-5)
    assert [turn.players for turn in game.turns] == [
        ('discriminator', 'recognizer'),
        ('generator', 'recognizer'),
    ]
    assert [turn.label for turn in game.turns] == ['discriminator', 'generator']


def test_a_lazy_penalty_does_not_move_the_recognizer():
    penalty = Penalty('r1', lambda critic, real, *_: critic(real) ** 2, 1.0, every=4)
    game = make(penalties=(penalty,))
    lazy = [turn for turn in game.turns if turn.lazy]
    assert [turn.players for turn in lazy] == [('discriminator',)]
    assert game.movers == {'generator', 'discriminator', 'recognizer'}


def test_codes_are_read_off_examples():
    game = make()
    params, aux = game.init(jax.random.key(0), BATCH)
    found = game.functions['recognize'](params, aux, jnp.asarray(IMAGES))
    np.testing.assert_allclose(found['category'], 1.4 * IMAGES, rtol=1e-6)
    np.testing.assert_allclose(found['continuous'][:, 0], 1.4 * IMAGES.mean(1), rtol=1e-5)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'generator': Untold()}, 'config.generator asks for no category'),
        ({'discriminator': Judge(False)}, 'gives no features to read codes off'),
    ],
)
def test_players_that_know_no_codes_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        losses(make(**changes))
