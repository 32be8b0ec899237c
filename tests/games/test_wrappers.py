"""What acts on a whole game, on one whose every step can be written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import keys
from gan_jax.game import Game, Turn
from gan_jax.games import wrappers

RNG = keys.per_example(jax.random.key(0), 4)
BATCH = {'x': jnp.zeros(4)}


def bilinear():
    """The generator minimises g * d, the discriminator d^2 / 2 - g * d."""

    def discriminator(params, aux, batch, rng):
        g, d = params['generator'], params['discriminator']
        return d**2 / 2 - g * d, (aux, {})

    def generator(params, aux, batch, rng):
        return params['generator'] * params['discriminator'], (aux, {})

    def init(rng, batch):
        return {'generator': jnp.float32(3.0), 'discriminator': jnp.float32(1.0)}, {}

    turns = (Turn('discriminator', discriminator), Turn('generator', generator))
    return Game(init, turns, {})


@pytest.mark.parametrize('steps', [1, 4])
def test_the_generator_differentiates_through_the_discriminators_steps(steps):
    """d_k = g + (1 - lr)^k (d - g), so d loss / d g has the term g * (1 - (1 - lr)^k)."""
    game = wrappers.unrolled(bilinear(), steps, 0.1)
    params, aux = game.init(None, BATCH)

    def loss(g):
        return game.turns[1].loss({**params, 'generator': g}, aux, BATCH, RNG)[0]

    value, gradient = jax.jit(jax.value_and_grad(loss))(params['generator'])
    kept = 0.9**steps
    g, d = 3.0, 1.0
    ahead = g + kept * (d - g)
    np.testing.assert_allclose(value, g * ahead, rtol=1e-6)
    np.testing.assert_allclose(gradient, ahead + g * (1 - kept), rtol=1e-6)


def test_the_discriminator_plays_on_from_where_it_was():
    game = wrappers.unrolled(bilinear(), 3, 0.1)
    params, aux = game.init(None, BATCH)
    assert float(game.turns[0].loss(params, aux, BATCH, RNG)[0]) == 0.5 - 3.0


def test_each_foreseen_step_has_draws_of_its_own():
    seen = []

    def discriminator(params, aux, batch, rng):
        jax.debug.callback(lambda key: seen.append(tuple(np.ravel(key))), jax.random.key_data(rng))
        return params['discriminator'] ** 2, (aux, {})

    game = bilinear()
    game = game._replace(turns=(Turn('discriminator', discriminator), game.turns[1]))
    game = wrappers.unrolled(game, 3, 0.1)
    params, aux = game.init(None, BATCH)
    game.turns[1].loss(params, aux, BATCH, RNG)
    jax.effects_barrier()
    assert len({*seen}) == 3


def test_a_game_without_the_opponent_is_refused():
    game = bilinear()
    with pytest.raises(ValueError, match='no player'):
        wrappers.unrolled(game._replace(turns=game.turns[1:]), 1, 0.1)


def test_history_is_the_mean_of_all_parameters_so_far():
    game = wrappers.historical_averaging(bilinear(), 2.0)
    params, aux = game.init(None, BATCH)
    values = [3.0, 5.0, 10.0]
    for i, value in enumerate(values):
        params = {**params, 'generator': jnp.float32(value)}
        loss, (aux, metrics) = game.turns[1].loss(params, aux, BATCH, RNG)
        mean = np.mean(values[: i + 1])
        np.testing.assert_allclose(metrics['historical_distance'], (value - mean) ** 2, rtol=1e-6)
        np.testing.assert_allclose(loss, value + 2 * (value - mean) ** 2, rtol=1e-6)
    history = aux[wrappers.HISTORY]
    np.testing.assert_allclose(history['means']['generator'], 6.0, rtol=1e-6)
    assert float(history['counts']['generator']) == 3
    assert float(history['counts']['discriminator']) == 0


def test_the_pull_is_towards_the_mean_which_is_held_fixed():
    """With history (3) and theta = 5 the mean is 4, and the gradient 2 w (5 - 4) + d."""
    game = wrappers.historical_averaging(bilinear(), 2.0)
    params, aux = game.init(None, BATCH)
    _, (aux, _) = game.turns[1].loss(params, aux, BATCH, RNG)

    def loss(g):
        return game.turns[1].loss({**params, 'generator': g}, aux, BATCH, RNG)[0]

    np.testing.assert_allclose(jax.grad(loss)(jnp.float32(5.0)), 4.0 + 1.0, rtol=1e-6)


def with_kernels():
    """bilinear() with parameters in trees, and kernels whose filters' product is 2."""
    game = bilinear()
    kernel = jnp.array([[1.0, 1.0], [0.0, 1.0], [2.0, 0.5]])

    def loss(turn):
        return lambda params, aux, batch, rng: turn.loss(
            {name: x['value'] for name, x in params.items()}, aux, batch, rng
        )

    def init(rng, batch):
        params, aux = game.init(rng, batch)
        return {name: {'value': x, 'kernel': kernel} for name, x in params.items()}, aux

    later = Turn(
        'generator', lambda params, aux, batch, rng: (jnp.zeros(()), (aux, {})), 2, 'later'
    )
    turns = (*(turn._replace(loss=loss(turn)) for turn in game.turns), later)
    return game._replace(init=init, turns=turns)


def test_orthogonal_filters_are_asked_of_the_generator_in_its_first_turn():
    """Both products off the diagonal are 1 + 0 + 1 = 2, so that the penalty is 8."""
    plain = with_kernels()
    game = wrappers.orthogonal(plain, 0.5)
    params, aux = game.init(None, BATCH)
    found = [turn.loss(params, aux, BATCH, RNG) for turn in game.turns]
    want = [turn.loss(params, aux, BATCH, RNG)[0] for turn in plain.turns]
    np.testing.assert_allclose([loss for loss, _ in found], np.add(want, [0, 0.5 * 8, 0]))
    assert [metrics for _, (_, metrics) in found] == [{}, {'orthogonal': 8}, {}]
    slopes = jax.grad(lambda p: game.turns[1].loss(p, aux, BATCH, RNG)[0])(params)
    assert not slopes['discriminator']['kernel'].any()
    kernel = np.float64(params['generator']['kernel'])
    np.testing.assert_allclose(
        slopes['generator']['kernel'], 0.5 * 4 * kernel @ [[0, 2], [2, 0]], rtol=1e-6
    )


def test_a_game_without_that_player_is_refused():
    with pytest.raises(ValueError, match="no player 'critic' whose kernels"):
        wrappers.orthogonal(bilinear(), 1.0, player='critic')
