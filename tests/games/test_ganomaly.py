"""The losses of GANomaly against the formula, with networks small enough to write out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_players import BATCH, PERMUTED, RNG, Critic, Linear, X

from gan_jax import objectives
from gan_jax.games import ganomaly, network
from gan_jax.games.adversary import Adversary


def make(packing=1, **weights):
    return ganomaly.make(
        generator=network.of_module(Linear(0.5)),
        discriminator=network.of_module(Critic()),
        encoder=network.of_module(Linear(3.0)),
        adversary=Adversary(objectives.non_saturating, packing=packing),
        **weights,
    )


def begun(game):
    return game.init(jax.random.key(0), BATCH)


def generators(game, params, aux):
    (turn,) = (x for x in game.turns if x.player == 'generator')
    return turn.loss(params, aux, BATCH, RNG)


@pytest.mark.parametrize('weights', [(1.0, 50.0, 1.0), (0.5, 0.0, 3.0)])
def test_the_generators_loss_is_the_papers(weights):
    """z = 3 x, x' = 1.5 x, F(x') = 4.5 x; features 2 x and |x - mean|, of which 6."""
    names = ('adversarial_weight', 'reconstruction_weight', 'latent_weight')
    game = make(**dict(zip(names, weights, strict=True)))
    params, aux = begun(game)
    loss, (_, metrics) = generators(game, params, aux)
    apart = np.abs(X - X.mean(axis=0))
    features = (np.square(X).sum(1) + np.square(apart / 2).sum(1)) / 6
    terms = {
        'adversarial': features.mean(),
        'reconstruction': np.abs(X / 2).mean(),
        'latent': np.square(1.5 * X).mean(),
    }
    for name, value in terms.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-5)
    np.testing.assert_allclose(loss, np.dot(weights, [*terms.values()]), rtol=1e-5)


def test_the_discriminator_tells_examples_from_their_reconstructions():
    game = make()
    params, aux = begun(game)
    loss, (after, _) = game.turns[0].loss(params, aux, BATCH, RNG)
    kernel, bias = (np.asarray(x) for x in jax.tree.leaves(params['discriminator'])[::-1])

    def logits(x):
        return (np.concatenate([2 * x, np.abs(x - x.mean(axis=0))], -1) @ kernel + bias)[:, 0]

    expected = jax.nn.softplus(-logits(X)) + jax.nn.softplus(logits(1.5 * X))
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-5)
    assert jax.tree.structure(after) == jax.tree.structure(aux)


def test_the_score_is_how_far_the_latents_are_apart_by_itself():
    game = make()
    params, aux = begun(game)
    assert {*params['generator']} == {'encoder', 'decoder', 'second'}
    params['generator']['second'] = {'w': jnp.float32(4.0)}  # the second encoder is its own
    score = jax.jit(game.functions['anomaly'])
    scores = score(params, aux, X)
    np.testing.assert_allclose(scores, np.square(3 * X).mean(1), rtol=1e-5)
    np.testing.assert_allclose(score(params, aux, X[PERMUTED]), scores[PERMUTED], rtol=1e-6)
    np.testing.assert_allclose(game.functions['encode'](params, aux, X), 3 * X, rtol=1e-6)


def test_packs_are_refused():
    with pytest.raises(ValueError, match=r'leave cures\.packing at 1'):
        make(packing=2)
