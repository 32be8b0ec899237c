import zlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import game as game_lib
from gan_jax.game import Game, Turn

BATCH = {'x': jnp.arange(4.0)}


def init(rng, batch):
    return {'a': {'w': jnp.float32(1.0)}, 'b': {'w': jnp.float32(2.0)}}, {'a': {}, 'b': {}}


def bilinear(sign, player):
    """The game x * y: min over a, max over b."""

    def loss(params, aux, batch, rng):
        value = sign * params['a']['w'] * params['b']['w']
        return value, (aux, {'product': value})

    return Turn(player, loss)


def state_of(game, rate=0.1, decays=None):
    optimizers = dict.fromkeys('ab', optax.sgd(rate))
    return jax.jit(lambda: game_lib.init(game, optimizers, 0, BATCH, decays))()


def update(game, state, **options):
    return jax.jit(lambda state: game_lib.update(game, state, BATCH, **options))(state)


def test_turns_alternate_each_with_its_own_gradient():
    game = Game(init, (bilinear(1.0, 'a'), bilinear(-1.0, 'b')), {})
    state, metrics = update(game, state_of(game))
    a = 1.0 - 0.1 * 2.0
    b = 2.0 + 0.1 * a  # b sees the a of this step
    np.testing.assert_allclose(state.players['a'].params['w'], a, rtol=1e-6)
    np.testing.assert_allclose(state.players['b'].params['w'], b, rtol=1e-6)
    np.testing.assert_allclose(metrics['a/gradient_norm'], 2.0)
    np.testing.assert_allclose(metrics['b/product'], -2.0 * a, rtol=1e-6)
    np.testing.assert_allclose(metrics['b/parameter_norm'], b, rtol=1e-6)
    assert int(state.step) == 1


def test_simultaneous_turns_meet_the_others_as_they_were_before_the_step():
    game = Game(init, (bilinear(1.0, 'a'), bilinear(-1.0, 'b')), {}, simultaneous=True)
    state, metrics = update(game, state_of(game))
    np.testing.assert_allclose(state.players['a'].params['w'], 0.8, rtol=1e-6)
    np.testing.assert_allclose(state.players['b'].params['w'], 2.1, rtol=1e-6)
    np.testing.assert_allclose(metrics['b/product'], -2.0)
    state, metrics = update(game, state)
    np.testing.assert_allclose(state.players['a'].params['w'], 0.8 - 0.21, rtol=1e-6)
    np.testing.assert_allclose(state.players['b'].params['w'], 2.1 + 0.08, rtol=1e-6)


@pytest.mark.parametrize('every', [1, 2, 3])
def test_a_turn_is_played_at_multiples_of_every(every):
    game = Game(init, (bilinear(1.0, 'a'), bilinear(-1.0, 'b')._replace(every=every)), {})
    state = state_of(game)
    step_once = jax.jit(lambda s: game_lib.update(game, s, BATCH))
    for step in range(1, 8):
        before = state.players['b'].params['w']
        state, metrics = step_once(state)
        assert (state.players['b'].params['w'] != before) == (step % every == 0)
        assert int(state.players['b'].step) == step // every
        assert int(state.players['a'].step) == step
        kept = game_lib.played(game, metrics, step)
        assert ('b/loss' in kept) == (step % every == 0)
        assert 'a/loss' in kept


def noise_game(**turn):
    def loss(params, aux, batch, rng):
        noise = jax.vmap(jax.random.normal)(rng)
        mean = jnp.mean(noise * batch['x'] * params['a']['w'])
        return mean, (aux, {'noise': jnp.mean(noise)})

    return Game(init, (Turn('a', loss, **turn), Turn('a', loss, name='again')), {})


def test_no_key_is_used_twice():
    game, seen = noise_game(), []
    state = state_of(game)
    for _ in range(3):
        state, metrics = update(game, state)
        seen += [float(metrics['a/noise']), float(metrics['again/noise'])]
    assert len({*seen}) == 6


def test_keys_are_folded_from_the_root_the_step_the_turns_name_and_the_place():
    game = noise_game()
    state = state_of(game)
    for step in (1, 2):
        state, metrics = update(game, state)
        for name in ('a', 'again'):
            of_turn = jax.random.fold_in(jax.random.key(0), step)
            of_turn = jax.random.fold_in(of_turn, zlib.crc32(name.encode()))
            draws = [jax.random.normal(jax.random.fold_in(of_turn, i)) for i in range(4)]
            np.testing.assert_allclose(metrics[f'{name}/noise'], np.mean(draws), rtol=1e-5)


def test_a_step_can_be_replayed_from_its_number():
    game = noise_game()
    state = state_of(game)
    for _ in range(2):
        state, _ = update(game, state)
    fresh = state_of(game).replace(step=state.step, players=state.players)
    chex.assert_trees_all_equal(update(game, state)[1], update(game, fresh)[1])


def test_micro_batches_draw_the_same_noise():
    game = noise_game()
    whole, metrics = update(game, state_of(game))
    parts, part_metrics = update(game, state_of(game), micro_batches=2)
    chex.assert_trees_all_close(whole.players['a'].params, parts.players['a'].params, rtol=1e-6)
    chex.assert_trees_all_close(metrics, part_metrics, rtol=1e-5)


def test_of_several_devices_gradients_and_metrics_are_the_means():
    def loss(params, aux, batch, rng):
        return params['a']['w'] * batch['x'].mean(), (aux, {})

    game = Game(init, (Turn('a', loss),), {})
    start = state_of(game)

    def of_a_device(x):
        return game_lib.update(game, start, {'x': x}, axis_name='data')

    on_each = jax.jit(jax.vmap(of_a_device, axis_name='data'))
    state, metrics = on_each(np.arange(8, dtype=np.float32).reshape(2, 4))
    np.testing.assert_allclose(state.players['a'].params['w'], [0.65, 0.65], rtol=1e-6)
    np.testing.assert_allclose(metrics['a/loss'], [3.5, 3.5])
    np.testing.assert_allclose(metrics['a/gradient_norm'], [3.5, 3.5])


def test_batches_are_prepared_first():
    game = Game(
        init,
        (Turn('a', lambda p, aux, batch, rng: (p['a']['w'] * batch['x'].sum(), (aux, {}))),),
        {},
    )
    state, _ = update(game, state_of(game), prepare=lambda rng, batch: {'x': 2.0 * batch['x']})
    np.testing.assert_allclose(state.players['a'].params['w'], 1.0 - 0.1 * 12.0, rtol=1e-6)


def test_the_running_average_follows_parameters_and_the_players_part_of_aux():
    def loss(params, aux, batch, rng):
        seen = {'mean': aux['a']['mean'] + 1.0}
        return params['a']['w'], ({**aux, 'a': seen}, {})

    def init_with_aux(rng, batch):
        return init(rng, batch)[0], {'a': {'mean': jnp.float32(0.0)}, 'pool': jnp.zeros(2)}

    game = Game(init_with_aux, (Turn('a', loss),), {})
    state = state_of(game, decays={'a': lambda step: jnp.float32(0.75)})
    want_w, want_mean = 1.0, 0.0
    for step in range(1, 4):
        state, _ = update(game, state)
        want_w = 0.75 * want_w + 0.25 * (1.0 - 0.1 * step)
        want_mean = 0.75 * want_mean + 0.25 * step
    params, aux = game_lib.averaged(state)
    np.testing.assert_allclose(params['a']['w'], want_w, rtol=1e-6)
    np.testing.assert_allclose(aux['a']['mean'], want_mean, rtol=1e-6)
    assert params['b']['w'] == 2.0
    assert (aux['pool'] == 0).all()
    np.testing.assert_allclose(game_lib.current(state)[0]['a']['w'], 0.7, rtol=1e-6)
    assert state.players['b'].ema is None


def test_a_running_average_copies_what_is_called_buffers():
    """Of aux alone: parameters of that name are averaged."""

    def loss(params, aux, batch, rng):
        seen = jax.tree.map(lambda x: x + 1.0, aux['a'])
        return params['a']['buffers'], ({**aux, 'a': seen}, {})

    def init_with_buffers(rng, batch):
        zero = jnp.float32(0.0)
        return {'a': {'buffers': zero}}, {'a': {'part': {'buffers': {'x': zero}, 'mean': zero}}}

    game = Game(init_with_buffers, (Turn('a', loss),), {})
    state, _ = update(game, state_of(game, decays={'a': lambda step: jnp.float32(0.75)}))
    params, aux = game_lib.averaged(state)
    assert aux['a'] == {'part': {'buffers': {'x': 1.0}, 'mean': 0.25}}
    np.testing.assert_allclose(params['a']['buffers'], 0.25 * -0.1, rtol=1e-6)


def test_turns_of_one_name_are_refused():
    game = Game(init, (bilinear(1.0, 'a'), bilinear(-1.0, 'a')), {})
    with pytest.raises(ValueError, match='names of their own'):
        state_of(game)
