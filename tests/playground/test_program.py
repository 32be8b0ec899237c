"""What is compiled is `game.update`, of both players or of one, and nothing else."""

import jax
import jax.numpy as jnp
import methods
import numpy as np
import optax
import pytest

from gan_jax import game as game_lib
from gan_jax.game import Game, Turn
from gan_jax.playground import program, sets, settings

SMALL = methods.shrunk('playground', batch_size=8)
for player in ('generator', 'discriminator'):
    SMALL[player] |= {'width': 3, 'depth': 1}
POINTS = sets.draw(sets.find('ring8'))


def moved(before, after):
    """The players of whom any number has changed."""
    names = before.players
    pairs = {x: (before.players[x].params, after.players[x].params) for x in names}
    same = {x: jax.tree.map(np.array_equal, *pair) for x, pair in pairs.items()}
    return {x for x in names if not jax.tree.all(same[x])}


def begin(compiled):
    """The state before the first step, twice: the first of them will be donated."""
    return compiled.experiment.begin(), jax.device_get(compiled.experiment.begin())


@pytest.fixture(scope='module')
def compiled():
    return program.compiled(settings.choose(SMALL, {}).experiment)


@pytest.mark.parametrize(
    'player', ['discriminator', pytest.param('generator', marks=pytest.mark.slow)]
)
def test_a_step_of_one_player_moves_it_alone(compiled, player):
    state, before = begin(compiled)
    state, losses, counts = compiled.runs[player](state, POINTS, np.int32(1))
    assert moved(before, state) == {player}
    assert {*losses} == {player}
    assert counts[player] == 1
    assert state.step == 1


def test_two_steps_at_once_are_two_steps(compiled):
    state, before = begin(compiled)
    once, losses, counts = compiled.runs['both'](state, POINTS, np.int32(2))
    assert moved(before, once) == {'generator', 'discriminator'}
    assert dict(counts) == {'generator': 2, 'discriminator': 2}
    twice, first, _ = compiled.runs['both'](before, POINTS, np.int32(1))
    twice, second, _ = compiled.runs['both'](twice, POINTS, np.int32(1))
    jax.tree.map(np.testing.assert_array_equal, once, twice)
    for name, mean in losses.items():
        np.testing.assert_allclose(mean, (first[name] + second[name]) / 2, rtol=1e-6)


@pytest.mark.slow
def test_several_steps_are_as_many_updates(compiled):
    """On batches that are drawn by the seed and the step's number."""
    state, before = begin(compiled)
    state, losses, _ = compiled.runs['both'](state, POINTS, np.int32(2))
    experiment, expected = compiled.experiment, jax.tree.map(jnp.asarray, before)
    root = jax.random.fold_in(jax.random.key(experiment.config['seed']), 1)

    def one(state, batch):
        step = lambda state, batch: game_lib.update(  # noqa: E731
            experiment.game, state, batch, axis_name='data', prepare=experiment.prepare
        )
        return jax.vmap(step, axis_name='data', axis_size=1, in_axes=None)(state, batch)

    one, found = jax.jit(one), []
    for i in range(2):
        places = jax.random.randint(jax.random.fold_in(root, i), (8,), 0, len(POINTS))
        batch = {'real': POINTS[places], 'label': jnp.zeros(8, jnp.int32)}
        expected, metrics = jax.tree.map(lambda x: x[0], one(expected, batch))
        found.append(metrics)
    for name in ('generator', 'discriminator'):
        mean = np.mean([x[f'{name}/loss'] for x in found])
        np.testing.assert_allclose(losses[name], mean, rtol=1e-5)
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6),
            state.players[name].params,
            expected.players[name].params,
        )


def test_what_is_shown(compiled):
    state, _ = begin(compiled)
    state, *_ = compiled.runs['both'](state, POINTS, np.int32(0))
    centers = sets.padded(sets.find('ring8'))
    shown = compiled.show(state, POINTS, centers, np.float32(0.03))
    shapes = {name: x.shape[1:] for name, x in shown.items()}
    assert shapes == {
        'fake': (program.SAMPLES, 2),
        'manifold': (program.NET**2, 2),
        'field': (program.RESOLUTION**2,),
        'arrows': (program.ARROWS, 2),
        'modes': (),
        'quality': (),
    }
    assert {len(x) for x in shown.values()} == {1}
    # Of modes as wide as the plane each that is nearest to a point is there.
    near = np.linalg.norm(np.asarray(shown['fake'])[0][:, None] - centers[:8], axis=-1)
    wide = compiled.show(state, POINTS, centers, np.float32(1e3))
    assert wide['modes'].tolist() == [len({*near.argmin(axis=1)})]
    assert wide['quality'].tolist() == [1.0]


def test_a_rate_is_a_factor_in_the_optimizers_state():
    """A step of Adam by 3 x rate is three times the step; and the factor stays in the state."""
    params = {'w': jnp.array([1.0, -2.0])}
    plain = optax.adam(0.1)
    changed = program.with_factor(plain)
    player = game_lib.Player.create(apply_fn=None, params=params, tx=changed)
    state = game_lib.State(jnp.int32(0), {'generator': player}, {}, jnp.zeros(2, jnp.uint32))
    state = program.set_factors(state, {'generator': 3.0})
    player = state.players['generator'].apply_gradients(grads=params)
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        step = plain.update(params, plain.init(params), params)[0]['w']
    np.testing.assert_allclose(player.params['w'], params['w'] + 3 * step, rtol=1e-6)
    assert player.opt_state[1].hyperparams['step_size'] == 3.0


def test_turns_of_one_player_are_played_at_every_step_but_lazy_ones():
    loss = lambda *given: None  # noqa: E731
    turns = (
        Turn('discriminator', loss),
        Turn('discriminator', loss, every=16, name='r1', lazy=True),
        Turn('generator', loss, every=5, start=100, stop=200),
    )
    game = Game(loss, turns, {})
    assert program.of_player(game, 'discriminator').turns == turns[:2]
    assert program.of_player(game, 'generator').turns == (Turn('generator', loss),)


def state_of(width, inner=(), seeds=()):
    params = {'kernel': jnp.ones((*seeds, 2, width))}
    players = {
        'generator': game_lib.Player.create(apply_fn=None, params=params, tx=optax.sgd(1.0)),
        'discriminator': game_lib.Player.create(
            apply_fn=None, params={'bias': jnp.ones((*seeds, 3))}, tx=optax.chain(*inner)
        ),
    }
    return game_lib.State(jnp.int32(7), players, {}, jnp.zeros(2, jnp.uint32))


def test_players_whose_shapes_stay_are_kept():
    twice = lambda state: jax.tree.map(lambda x: 2 * x, state)  # noqa: E731
    old = twice(state_of(4, [optax.trace(0.9)]))
    new, names = program.kept(old, state_of(5, [optax.trace(0.9)]))
    assert names == ['discriminator']
    assert new.players['generator'].params['kernel'].shape == (2, 5)
    assert new.players['discriminator'].params['bias'].tolist() == [2.0] * 3
    assert new.step == 14
    # Of another optimizer the parameters alone.
    new, names = program.kept(old, state_of(4, [optax.scale_by_adam()]))
    assert {*names} == {'generator', 'discriminator'}
    assert new.players['discriminator'].opt_state[0].mu['bias'].tolist() == [0.0] * 3
    # Of another number of seeds nothing.
    new, names = program.kept(old, state_of(4, [optax.trace(0.9)], seeds=(2,)))
    assert names == []
    assert new.step == 7
