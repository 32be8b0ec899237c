"""What a turn can do beyond a player, a loss and its turn to play; on one device and on eight."""

import jax
import jax.numpy as jnp
import methods
import numpy as np
import optax
import pytest

from gan_jax import game as game_lib
from gan_jax import keys
from gan_jax.game import Carried, Game, Turn
from gan_jax.runtime import parallel

X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
START = {'a': np.float32([1.0, -2.0, 0.5]), 'b': np.float32([2.0, 1.0, 1.0]), 'c': np.float32(3.0)}


def init(rng, batch):
    return {k: {'w': jnp.asarray(x)} for k, x in START.items()}, {'a': {'seen': jnp.float32(0.0)}}


def square(params, aux, batch, rng):
    """c * mean (x . a)^2 + a . b."""
    a, b, c = (params[name]['w'] for name in 'abc')
    return c * jnp.mean(jnp.square(batch['x'] @ a)) + a @ b, (aux, {})


def begin(game, movers='ab', **options):
    return game_lib.init(game, dict.fromkeys(movers, optax.sgd(0.1)), 0, {'x': X}, **options)


def play(game, steps=1, devices=1, state=None, micro_batches=1, movers='ab', decays=None):
    """The state on the host after so many steps of the same batch, and the last metrics."""

    def step(state, batch):
        return game_lib.update(
            game, state, batch, axis_name=parallel.AXIS, micro_batches=micro_batches
        )

    used = jax.local_devices()[:devices]
    update = parallel.pmap_steps(step, used)
    state = begin(game, movers, decays=decays) if state is None else state
    state = parallel.replicate(state, used)
    for _ in range(steps):
        state, metrics = update(state, parallel.shard({'x': X[None]}, devices))
    return parallel.to_host(state), {k: v[0] for k, v in parallel.to_host(metrics).items()}


def params_of(state):
    return {name: own['w'] for name, own in game_lib.current(state)[0].items()}


def assert_close(one, other, rtol=1e-5):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol), one, other)


def test_several_players_move_in_one_turn_with_gradients_of_the_same_loss():
    turns = Turn(('a', 'b'), square), Turn('c', square)
    game = Game(init, turns, {})
    state, metrics = play(game, movers='abc')
    a, b, c = (np.float64(START[name]) for name in 'abc')
    gradient_a = 2 * c * np.mean((X @ a)[:, None] * X, axis=0) + b
    moved_a, moved_b = a - 0.1 * gradient_a, b - 0.1 * a  # b's is of a as it was
    moved_c = c - 0.1 * np.mean((X @ moved_a) ** 2)  # the next turn meets both as they moved
    assert_close(params_of(state), {'a': moved_a, 'b': moved_b, 'c': moved_c})
    assert {name.split('/')[0] for name in metrics} == {'a_b', 'c'}
    norm = np.sqrt(np.sum(gradient_a**2) + np.sum(a**2))
    np.testing.assert_allclose(metrics['a_b/gradient_norm'], norm, rtol=1e-5)
    together = np.sqrt(np.sum(moved_a**2) + np.sum(moved_b**2))
    np.testing.assert_allclose(metrics['a_b/parameter_norm'], together, rtol=1e-5)
    assert [int(state.players[name].step) for name in 'abc'] == [1, 1, 1]


def test_a_constant_player_needs_no_optimizer_and_does_not_change_by_one_bit():
    game = Game(init, (Turn(('a', 'b'), square),), {})
    assert game.movers == {'a', 'b'}
    before = begin(game, decays={'a': lambda step: jnp.float32(0.5)})
    after, _ = play(game, 3, state=before)
    np.testing.assert_array_equal(after.players['c'].params['w'], START['c'])
    assert after.players['c'].ema is None
    assert jax.tree.leaves(after.players['c'].opt_state) == []
    assert methods.any_difference(after.players['a'].ema, before.players['a'].ema)
    with pytest.raises(KeyError, match='b'):
        begin(game, movers='a')


@pytest.mark.parametrize(
    ('when', 'steps'),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7]),
        ({'start': 3}, [4, 5, 6, 7]),
        ({'stop': 3}, [1, 2, 3]),
        ({'start': 2, 'stop': 6, 'every': 2}, [4, 6]),
        ({'start': 1, 'stop': 5, 'every': 3}, [3]),
    ],
)
def test_a_turn_is_played_after_its_start_up_to_its_stop(when, steps):
    game = Game(init, (Turn('a', square), Turn('b', square, **when)), {})
    update = jax.jit(lambda state: game_lib.update(game, state, {'x': X}))
    state, seen, logged = begin(game), [], []
    for step in range(1, 8):
        after, metrics = update(state)
        if methods.any_difference(after.players['b'].params, state.players['b'].params):
            seen.append(step)
        assert methods.any_difference(after.players['a'].params, state.players['a'].params)
        if 'b/loss' in game_lib.played(game, metrics, step):
            logged.append(step)
        state = after
    assert seen == logged == steps
    assert int(state.players['b'].step) == len(steps)
    assert game.turns[1].always == (when == {})


def clipped(loss, own, aux, batch, rng):
    """Each example's gradient, no longer than 5."""

    def of_one(x, key):
        return game_lib.value_and_gradients(loss, own, aux, {'x': x[None]}, key[None])

    _, metrics, each = jax.vmap(of_one)(batch['x'], rng)
    norms = jnp.sqrt(sum(jnp.sum(x**2, axis=1) for x in jax.tree.leaves(each)))
    short = jax.tree.map(lambda x: x / jnp.maximum(norms / 5.0, 1.0)[:, None], each)
    means = jax.tree.map(lambda x: x.mean(0), (metrics, short))
    return aux, *means


# One program each: whole, split among devices, in parts, both.
SPLITS = [(1, 1), (8, 1), (1, 4), (8, 2)]


@pytest.mark.parametrize(('devices', 'micro_batches'), SPLITS)
def test_a_turn_may_take_its_gradients_example_by_example(devices, micro_batches):
    game = Game(init, (Turn('a', square, gradients=clipped),), {})
    state, metrics = play(game, 1, devices, micro_batches=micro_batches)
    a, b, c = (np.float64(START[name]) for name in 'abc')
    total = np.zeros(3)
    norms = []
    for x in np.float64(X):
        gradient = 2 * c * (x @ a) * x + b
        norms.append(np.linalg.norm(gradient))
        total += gradient / max(1.0, norms[-1] / 5.0)
    assert max(norms) > 5.0 > min(norms)
    assert_close(params_of(state)['a'], a - 0.1 * total / len(X))
    np.testing.assert_allclose(metrics['a/loss'], c * np.mean((X @ a) ** 2) + a @ b, rtol=1e-5)


@pytest.mark.parametrize(('devices', 'micro_batches'), SPLITS)
def test_what_finishes_gradients_is_called_once_for_the_whole_batch(devices, micro_batches):
    """The noise is that of one key on all devices; of several calls it would be averaged."""
    calls = []

    def noisy(key, gradients):
        calls.append(gradients.keys())
        return jax.tree.map(lambda x: x + jax.random.normal(key, x.shape), gradients)

    game = Game(init, (Turn('a', square, finish=noisy),), {})
    state, metrics = play(game, 1, devices, micro_batches=micro_batches)
    a, b, c = (np.float64(START[name]) for name in 'abc')
    key = keys.fold_in_name(jax.random.fold_in(jax.random.key(0), 1), 'a finish')
    gradient = 2 * c * np.mean((X @ a)[:, None] * X, axis=0) + b + jax.random.normal(key, (3,))
    assert_close(params_of(state)['a'], a - 0.1 * gradient)
    np.testing.assert_allclose(metrics['a/gradient_norm'], np.linalg.norm(gradient), rtol=1e-5)
    assert calls == [{'a'}]


def test_gradients_are_finished_with_another_key_at_each_step_and_in_each_turn():
    drawn = []

    def watched(key, gradients):
        drawn.append(tuple(jax.random.key_data(key).tolist()))
        return gradients

    turns = Turn('a', square, finish=watched), Turn('b', square, finish=watched)
    game = Game(init, turns, {})
    state = begin(game)
    for _ in range(2):
        state, _ = game_lib.update(game, state, {'x': X})
    assert len({*drawn}) == len(drawn) == 4


def test_players_are_taken_over_with_their_part_of_aux():
    def with_aux(rng, batch):
        own = {name: {'seen': jnp.float32(0.0)} for name in 'ab'}
        return init(rng, batch)[0], {**own, 'pool': jnp.zeros(2)}

    game = Game(with_aux, (Turn(('a', 'b', 'c'), square),), {})
    taken = {'a': {'w': jnp.float32([7.0, 8.0, 9.0])}, 'c': {'w': jnp.float32(5.0)}}
    others = {'a': {'seen': jnp.float32(4.0)}, 'b': {'seen': jnp.float32(6.0)}, 'pool': jnp.ones(2)}
    decays = {'a': lambda step: jnp.float32(0.5)}
    state = begin(game, 'abc', decays=decays, trained=(taken, others))
    params, aux = game_lib.current(state)
    np.testing.assert_array_equal(params['a']['w'], taken['a']['w'])
    np.testing.assert_array_equal(params['b']['w'], START['b'])
    assert params['c'] == {'w': 5.0}
    assert {name: float(aux[name]['seen']) for name in 'ab'} == {'a': 4.0, 'b': 0.0}
    assert (aux['pool'] == 0).all()
    np.testing.assert_array_equal(state.players['a'].ema['params']['w'], taken['a']['w'])
    assert state.players['a'].ema['aux'] == {'seen': 4.0}
    assert int(state.step) == int(state.players['a'].step) == 0


def seen(params, aux, batch, rng):
    """Draws noise for each example, and keeps the mean of all that was ever seen."""
    noise = jax.vmap(lambda key: jax.random.normal(key, (3,)))(rng)
    a, b = params['a']['w'], params['b']['w']
    value = jnp.mean(jnp.square((batch['x'] + noise) @ a)) - a @ b
    mean = parallel.mean(jnp.mean(batch['x'] @ a), parallel.AXIS)
    own = {'seen': 0.5 * aux['a']['seen'] + 0.5 * jax.lax.stop_gradient(mean)}
    return 0.1 * value, ({**aux, 'a': own}, {'noise': jnp.mean(noise)})


GAME = Game(init, (Turn('a', seen), Turn('b', square, every=2)), {})
DECAYS = {'a': lambda step: jnp.float32(0.5)}


def test_the_same_is_played_on_eight_devices_as_on_one():
    one, metrics = play(GAME, 3, 1, decays=DECAYS)
    eight, metrics_eight = play(GAME, 3, 8, decays=DECAYS)
    both = [(game_lib.current(x), game_lib.averaged(x)) for x in (one, eight)]
    assert_close(*both)
    assert_close(metrics, metrics_eight)
    assert game_lib.played(GAME, metrics, 3).keys() == {
        f'a/{name}' for name in ('loss', 'noise', 'gradient_norm', 'parameter_norm')
    }


def test_all_devices_hold_the_same_state():
    def step(state, batch):
        return game_lib.update(GAME, state, batch, axis_name=parallel.AXIS)

    update = parallel.pmap_steps(step)
    state = parallel.replicate(begin(GAME, decays=DECAYS))
    for _ in range(2):
        state, metrics = update(state, parallel.shard({'x': X[None]}, 8))
    for leaf in jax.tree.leaves((state, metrics)):
        copies = np.asarray(leaf)
        np.testing.assert_array_equal(copies, np.broadcast_to(copies[:1], copies.shape))


@pytest.mark.parametrize('devices', [1, 8])
def test_a_scan_of_steps_equals_the_loop(devices):
    def step(state, batch):
        return game_lib.update(GAME, state, batch, axis_name=parallel.AXIS)

    used = jax.local_devices()[:devices]
    update = parallel.pmap_steps(step, used)
    batches = np.stack([X, X[::-1], 2 * X])
    start = begin(GAME, decays=DECAYS)
    scan, scanned = update(parallel.replicate(start, used), parallel.shard({'x': batches}, devices))
    loop, logged = parallel.replicate(start, used), []
    for i in range(3):
        loop, metrics = update(loop, parallel.shard({'x': batches[i : i + 1]}, devices))
        logged.append(metrics)
    assert_close(*map(parallel.to_host, (scan, loop)), rtol=1e-6)
    logged = jax.tree.map(lambda *x: np.concatenate(x, axis=1), *logged)
    assert_close(scanned, logged, rtol=1e-5)
    assert scanned['a/loss'].shape == (devices, 3)


@pytest.mark.parametrize('devices', [1, 8])
def test_micro_batches_equal_the_whole_batch(devices):
    """And so does what a loss keeps: the running mean moves once in a step."""
    whole, metrics = play(GAME, 2, devices)
    parts, of_parts = play(GAME, 2, devices, micro_batches=2)
    assert_close(params_of(whole), params_of(parts))
    assert_close(metrics, of_parts)
    assert_close(whole.aux, parts.aux)


def test_of_what_is_kept_micro_batches_leave_the_mean_but_hand_on_what_is_carried():
    """Three parts with the means 1, 4 and 7; what none touches keeps its bits, three times 0.1."""

    def keeps(params, aux, batch, rng):
        kept, total = aux['kept'], aux['list']['total']
        mean = batch['x'].mean()
        new = {
            'kept': {'mean': kept['mean'] + mean, 'turns': kept['turns'] + 1},
            'list': Carried(total=total + mean, count=aux['list']['count'] + 1),
        }
        seen = {'mean': kept['mean'], 'total': total}
        return params['a']['w'].sum(), ({**aux, **new}, seen)

    kept = {'mean': jnp.float32(2.0), 'turns': jnp.int32(0)}
    given = {'kept': kept, 'list': Carried(total=jnp.float32(0.0), count=jnp.int32(0))}
    given |= {'still': jnp.float32([0.1, 0.7])}
    game = Game(lambda rng, batch: (init(rng, batch)[0], given), (Turn('a', keeps),), {})
    batch = {'x': jnp.arange(9.0)}
    state, metrics = game_lib.update(game, begin(game), batch, micro_batches=3)
    assert state.aux['kept'] == {'mean': 2.0 + 4.0, 'turns': 1}
    assert state.aux['list'] == {'total': 12.0, 'count': 3}
    np.testing.assert_array_equal(state.aux['still'], np.float32([0.1, 0.7]))
    np.testing.assert_allclose(metrics['a/mean'], 2.0)
    np.testing.assert_allclose(metrics['a/total'], (0 + 1 + 5) / 3)
