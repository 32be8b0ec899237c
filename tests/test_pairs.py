"""Every objective with every penalty in both first games, on one device and on eight.

Which of them is played is read from the state, so that all share one compiled program per game and
number of devices.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
from jax import lax

from gan_jax import augment, objectives, penalties
from gan_jax import game as game_lib
from gan_jax.config import resolve
from gan_jax.games import gan
from gan_jax.games.adversary import Adversary, Penalty
from gan_jax.runtime import parallel

OBJECTIVES = {k: v for k, v in vars(objectives).items() if isinstance(v, objectives.Objective)}
PENALTIES = {
    'none': None,
    'r1': penalties.r1,
    'r2': penalties.r2,
    'gradient_penalty': penalties.gradient_penalty,
    'one_sided': functools.partial(penalties.gradient_penalty, target=1e-3, one_sided=True),
    'zero_centered': penalties.zero_centered,
    'dragan': functools.partial(penalties.dragan, axis_name=parallel.AXIS),
    'lecam': penalties.lecam,
    'consistency': functools.partial(
        penalties.consistency, transform=augment.compose({'brightness': 0.5})
    ),
    'balanced_consistency': functools.partial(
        penalties.balanced_consistency, transform=augment.compose({'brightness': 0.5})
    ),
}
GAMES = ('gan', 'dcgan')


def test_the_tables_are_whole():
    public = [f for f in vars(penalties).values() if inspect.isfunction(f)]
    public = [f for f in public if 'critic' in inspect.signature(f).parameters]
    used = [getattr(f, 'func', f) for f in PENALTIES.values() if f]
    assert {f.__name__ for f in public if not f.__name__.startswith('_')} <= {
        f.__name__ for f in used
    }
    assert len(OBJECTIVES) == 11


def objective(which):
    """All objectives, chosen by a traced number."""

    def side(name):
        sides = [
            getattr(o.partial(axis_name=parallel.AXIS) if 'axis_name' in o.options() else o, name)
            for o in OBJECTIVES.values()
        ]
        return lambda real, fake: lax.switch(which, sides, real, fake)

    return objectives.Objective(side('discriminator'), side('generator'))


def penalty(which):
    """All penalties, chosen by a traced number."""

    def function(critic, real, fake, rng, anchors):
        given = {'real': real, 'fake': fake, 'rng': rng, 'anchors': anchors}

        def call(f):
            if f is None:
                return jnp.zeros(real.shape[0])
            known = inspect.signature(f).parameters
            return f(critic, **{k: v for k, v in given.items() if k in known})

        return lax.switch(which, [functools.partial(call, f) for f in PENALTIES.values()])

    return Penalty('penalty', function, 1.0, decay=0.9)


def switching(name):
    """The game of a config with all objectives and penalties; aux['which'] says which."""
    config = methods.sgd(methods.shrunk(name), 0.005)
    shape = (methods.SIZE, methods.SIZE, 1)
    built = resolve.build_game(config, shape=shape, axis_name=parallel.AXIS, dtype=jnp.float32)
    make = functools.partial(gan.make, **networks(config, shape))

    def with_adversary(which):
        chosen = Adversary(objective(which[0]), (penalty(which[1]),), axis_name=parallel.AXIS)
        return make(adversary=chosen)

    def turn(place):
        def loss(params, aux, batch, rng):
            return with_adversary(aux['which']).turns[place].loss(params, aux, batch, rng)

        return built.turns[place]._replace(loss=loss)

    def init(rng, batch):
        params, aux = with_adversary(jnp.zeros(2, jnp.int32)).init(rng, batch)
        return params, {**aux, 'which': jnp.zeros(2, jnp.int32)}

    game = game_lib.Game(init, (turn(0), turn(1)), built.functions)
    optimizers, _ = resolve.build_optimizers(config, game, ('generator', 'discriminator'))
    return config, game, optimizers


def networks(config, shape):
    built_in = {'shape': shape, 'axis_name': parallel.AXIS, 'dtype': jnp.float32}
    found = {x: resolve._network(x, config[x], built_in) for x in ('generator', 'discriminator')}
    return found | {'latent': resolve._latent('latent', config['latent'], {})}


@functools.cache
def compiled(name):
    config, game, optimizers = switching(name)

    traces = []

    def step(state, batch):
        traces.append(1)
        return game_lib.update(game, state, batch, axis_name=parallel.AXIS)

    state = game_lib.init(game, optimizers, 0, methods.batch(config, num=1))
    updates = {n: parallel.pmap_steps(step, jax.local_devices()[:n]) for n in (1, 8)}
    return (
        config,
        parallel.to_host(parallel.replicate(state, jax.local_devices()[:1])),
        updates,
        traces,
    )


def play(name, which, steps, devices, state=None):
    config, first, updates, _ = compiled(name)
    state = first if state is None else state
    start = int(state.step)
    state = state.replace(aux={**state.aux, 'which': np.array(which, np.int32)})
    state = parallel.replicate(state, jax.local_devices()[:devices])
    for seed in range(start, steps):
        batch = jax.tree.map(lambda x: x[None], methods.batch(config, seed))
        state, metrics = updates[devices](state, parallel.shard(batch, devices))
    return parallel.to_host(state), parallel.to_host(metrics)


PAIRS = [
    pytest.param(name, i, j, id=f'{name}-{o}-{p}')
    for name in GAMES
    for i, o in enumerate(OBJECTIVES)
    for j, p in enumerate(PENALTIES)
]


@pytest.mark.parametrize(('name', 'i', 'j'), PAIRS)
def test_a_pair_plays(name, i, j):
    """Finite, trained, the same on one device and on eight, and the same when resumed."""
    _, first, _, traces = compiled(name)
    half, _ = play(name, (i, j), 1, 1)
    one, metrics = play(name, (i, j), 2, 1)
    eight, metrics_eight = play(name, (i, j), 2, 8)
    traced = len(traces)
    resumed, _ = play(name, (i, j), 2, 1, state=half)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((one, metrics)))
    for player in first.players:
        before, after = first.players[player].params, one.players[player].params
        same = jax.tree.map(np.array_equal, before, after)
        assert not all(jax.tree.leaves(same))
    methods.assert_trees_equal(one, resumed)
    params = [game_lib.current(state)[0] for state in (one, eight)]
    methods.assert_trees_close(*([x] for x in params), 1e-5)
    assert methods.relative_error(metrics, metrics_eight) < 1e-4
    assert (metrics['discriminator/penalty'] != 0) == (list(PENALTIES)[j] != 'none')
    assert len(traces) == traced
