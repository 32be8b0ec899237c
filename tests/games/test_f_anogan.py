"""The encoder's loss and the score against the formula, and whom they depend on."""

import jax
import numpy as np
import pytest
from linear_players import BATCH, PERMUTED, RNG, Critic, Linear, X

from gan_jax import latents
from gan_jax.games import f_anogan, network


def make(kappa=1.0):
    return f_anogan.make(
        generator=network.of_module(Linear(0.5, normalized=True)),
        discriminator=network.of_module(Critic()),
        encoder=network.of_module(Linear(3.0)),
        prior=lambda rng: {'latent': latents.normal(rng, 3)},
        kappa=kappa,
    )


def begun(game):
    return game.init(jax.random.key(0), BATCH)


@pytest.mark.parametrize('kappa', [0.0, 1.0, 2.5])
def test_the_loss_and_the_score_are_equation_five(kappa):
    """G(E(x)) = 1.5 x: the error is x / 2, that of the six features x and 0."""
    game = make(kappa)
    params, aux = begun(game)
    of_examples = np.square(X / 2).mean(axis=1)
    of_features = np.square(X).sum(axis=1) / 6
    expected = of_examples + kappa * of_features
    loss, (_, metrics) = game.turns[0].loss(params, aux, BATCH, RNG)
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['example_error'], of_examples.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics['feature_error'], of_features.mean(), rtol=1e-5)
    np.testing.assert_allclose(game.functions['anomaly'](params, aux, X), expected, rtol=1e-5)
    np.testing.assert_allclose(game.functions['encode'](params, aux, X), 3 * X, rtol=1e-5)
    np.testing.assert_allclose(game.functions['reconstruct'](params, aux, X), 1.5 * X, rtol=1e-5)


def test_the_gradient_is_the_closed_form():
    """Of mean((1 - w / 2)^2 x^2) + mean over 6 of 4 (1 - w / 2)^2 x^2 at w = 3, G and f at rest."""
    game = make()
    params, aux = begun(game)
    own = params['encoder']

    def loss(own):
        return game.turns[0].loss({**params, 'encoder': own}, aux, BATCH, RNG)[0]

    square = np.square(X).mean()
    expected = 2 * (1 - 1.5) * -0.5 * (square + 4 * square / 2)
    np.testing.assert_allclose(jax.grad(loss)(own)['w'], expected, rtol=1e-5)
    assert game.movers == {'encoder'}


def test_scores_do_not_depend_on_the_batch_or_the_order():
    game = make()
    params, aux = begun(game)
    score = jax.jit(game.functions['anomaly'])
    scores = score(params, aux, X)
    np.testing.assert_allclose(score(params, aux, X[PERMUTED]), scores[PERMUTED], rtol=1e-6)
    for i in range(5):
        np.testing.assert_allclose(score(params, aux, X[i : i + 1])[0], scores[i], rtol=1e-6)
