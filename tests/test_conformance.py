"""What every method must do, whatever it is: one table, many tests.

What `update` does with any game (turns in their order, every, metrics, several devices, a scan of
steps, micro-batches) is in test_turn.py, with games of a few numbers. Here is what a method's own
losses and networks could break. Each method is compiled once for one device and once for eight.
"""

import functools
import json

import jax
import methods
import numpy as np
import optax
import pytest

from gan_jax import game as game_lib
from gan_jax.config import experiment
from gan_jax.runtime import checkpoint, parallel


def step_of(game, config):
    """(state, batch) -> (state, metrics) on each device."""
    return functools.partial(
        game_lib.update, game, axis_name=parallel.AXIS, micro_batches=config['micro_batches']
    )


# These take nearly as long to compile as all others together.
SLOW = (
    'biggan',
    'cyclegan',
    'gan-ada',
    'ganomaly',
    'infogan',
    'pix2pix',
    'rcgan',
    'reacgan',
    'semi_supervised',
    'seqgan',
    'sngan',
    'stylegan2',
    'timegan',
    'vocoder',
    'words',
)
DRAWLESS = ('f_anogan', 'ganomaly', 'vocoder')  # their players make examples of no noise
ROWS = [pytest.param(row, marks=pytest.mark.slow if row in SLOW else ()) for row in methods.METHODS]


@functools.cache
def built(config_json):
    """The game and its first state on the host."""
    players = experiment.rebuild(json.loads(config_json))
    return players.game, jax.tree.map(np.asarray, players.init())


@functools.cache
def compiled(config_json, devices):
    """The update, compiled once for all tests of a method, and a list of its traces."""
    config, traces = json.loads(config_json), []
    step = step_of(built(config_json)[0], config)

    def traced(state, batch):
        traces.append(devices)
        return step(state, batch)

    return parallel.pmap_steps(traced, jax.local_devices()[:devices]), traces


def first_state(config):
    return built(json.dumps(config))[1]


def play(config, num_steps, devices=1, state=None):
    """The state after so many steps, on the host, and the last metrics."""
    update, _ = compiled(json.dumps(config), devices)
    state = first_state(config) if state is None else state
    start = int(state.step)
    state = parallel.replicate(state, jax.local_devices()[:devices])
    for seed in range(start, num_steps):
        batch = jax.tree.map(lambda x: x[None], methods.batch(config, seed))
        state, metrics = update(state, parallel.shard(batch, devices))
    return parallel.to_host(state), parallel.to_host(metrics)


def row_config(row, **changes):
    return methods.sgd(methods.method(row, **changes))


@pytest.mark.parametrize('row', ROWS)
class TestMethod:
    def test_a_turn_changes_only_its_own_players_parameters(self, row):
        """Nor the other players' part of aux: a traced turn hands on the very variables."""
        config = row_config(row)
        game, state = built(json.dumps(config))
        for turn in game.turns:
            alone = game._replace(turns=(turn._replace(every=1, start=0, stop=None),))
            step = step_of(alone, config)
            batch = methods.batch(config)
            traced, shape = jax.make_jaxpr(step, axis_env=[(parallel.AXIS, 1)], return_shape=True)(
                state, batch
            )
            names = jax.tree.unflatten(jax.tree.structure((state, batch)), traced.jaxpr.invars)
            before = game_lib.current(names[0])
            outcome = jax.tree.unflatten(jax.tree.structure(shape), traced.jaxpr.outvars)
            after = game_lib.current(outcome[0])
            for player in before[0]:
                same = [x is y for x, y in leaves(before[0][player], after[0][player])]
                assert not any(same) if player in turn.players else all(same), player
                if player not in turn.players:
                    assert all(x is y for x, y in leaves(before[1][player], after[1][player]))

    def test_every_parameter_is_trained(self, row):
        """Each has a gradient, which a step of SGD may be too small to show.

        At one of two steps: a lazy penalty, which comes last at the second, may spare some.
        """
        config = row_config(row)
        game, before = built(json.dumps(config))
        first, after = (play(config, num_steps)[0] for num_steps in (1, 2))
        assert before.players.keys() >= game.movers
        for name in game.movers:
            player = after.players[name]
            assert methods.any_difference(before.players[name].params, player.params)
            states = first.players[name].opt_state, player.opt_state
            gradients = [optax.tree.get(state, 'trace') for state in states]
            still = jax.tree.map(lambda x, y: not np.any(x) and not np.any(y), *gradients)
            assert jax.tree.structure(still) == jax.tree.structure(player.params)
            assert not any(jax.tree.leaves(still)), still

    def test_constant_players_stay_as_they_were_to_the_last_bit(self, row):
        config = row_config(row)
        game, before = built(json.dumps(config))
        after, _ = play(config, 2)
        for name in before.players.keys() - game.movers:
            methods.assert_trees_equal(before.players[name], after.players[name])
            methods.assert_trees_equal(before.aux.get(name, {}), after.aux.get(name, {}))

    def test_the_second_step_is_not_compiled_again(self, row):
        config = row_config(row)
        update, traces = compiled(json.dumps(config), 1)
        compilations = []
        state = parallel.replicate(first_state(config), jax.local_devices()[:1])
        batch = parallel.shard({k: v[None] for k, v in methods.batch(config).items()}, 1)
        state, _ = update(state, batch)
        traced = len(traces)

        def listen(event, *_, **__):
            if 'compile' in event:
                compilations.append(event)

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            for _ in range(2):
                state, _ = update(state, batch)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
        assert len(traces) == traced > 0
        assert not compilations

    def test_resumed_equals_uninterrupted(self, row, tmp_path):
        config = row_config(row)
        whole, whole_metrics = play(config, 4)
        half, _ = play(config, 2)
        checkpoints = checkpoint.Checkpoints(tmp_path)
        checkpoints.save(2, half, {}, {})
        checkpoints.close()
        step, state, _ = checkpoint.Checkpoints(tmp_path).restore(half)
        assert step == 2
        resumed, metrics = play(config, 4, state=state)
        methods.assert_trees_equal(whole, resumed)
        methods.assert_trees_equal(whole_metrics, metrics)

    def test_one_device_equals_eight(self, row):
        """After two steps: the second meets the other player, and the pools, as they moved."""
        config = row_config(row)
        one, metrics_one = play(config, 2)
        eight, metrics_eight = play(config, 2, devices=8)
        relative = 1e-5
        methods.assert_trees_close(game_lib.current(one), game_lib.current(eight), relative)
        methods.assert_trees_close(game_lib.averaged(one), game_lib.averaged(eight), relative)
        assert methods.relative_error(metrics_one, metrics_eight) < 10 * relative

    def test_another_seed_is_another_game(self, row):
        config = row_config(row)
        key = np.asarray(jax.random.key_data(jax.random.key(1)))
        one, _ = play(config, 3)  # CycleGAN draws nothing before its pools are full
        other, _ = play(config, 3, state=first_state(config).replace(rng=key))
        differ = methods.any_difference(game_lib.current(one)[0], game_lib.current(other)[0])
        assert differ == (row not in DRAWLESS)


def leaves(one, other):
    return zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)


@pytest.mark.slow
def test_in_bfloat16_only_the_networks_compute_so():
    """State and metrics stay in float32, and a step is that of float32 to two digits."""
    half, half_metrics = play(row_config('dcgan', **methods.HALF), 1)
    whole, whole_metrics = play(row_config('dcgan', penalties=methods.R1), 1)
    for leaf in jax.tree.leaves((half.players, half.aux, half_metrics)):
        assert leaf.dtype != jax.numpy.bfloat16
    for name in ('discriminator/loss', 'generator/loss', 'discriminator/r1'):
        assert half_metrics[name] != whole_metrics[name]
        np.testing.assert_allclose(half_metrics[name], whole_metrics[name], rtol=3e-2)
    methods.assert_trees_close(game_lib.current(half), game_lib.current(whole), 3e-2)


@pytest.mark.slow
def test_in_bfloat16_one_device_equals_eight_to_two_digits():
    """A gradient has 8 bits on each device."""
    config = row_config('dcgan', **methods.HALF)
    one, eight = (play(config, 1, devices=n)[0] for n in (1, 8))
    methods.assert_trees_close(game_lib.current(one), game_lib.current(eight), 2e-3)


def test_in_bfloat16_the_products_of_matrices_are_in_bfloat16():
    """On other platforms than CPUs, where there is something to be gained."""
    config = row_config('dcgan', **methods.HALF)
    game, state = built(json.dumps(config))
    step = jax.vmap(step_of(game, config), axis_name=parallel.AXIS)
    given = jax.tree.map(lambda x: x[None], (state, methods.batch(config)))
    text = jax.jit(step).trace(*given).lower(lowering_platforms=('cuda',)).as_text()
    lines = [x for x in text.splitlines() if 'stablehlo.convolution' in x]
    assert len(lines) > 10
    assert all('xbf16>' in line.split('->')[1] for line in lines)


@pytest.mark.parametrize('row', ['gan-lazy'])
def test_micro_batches_equal_the_whole_batch(row):
    """Without batch statistics, accumulation is exact."""
    config = row_config(row)
    whole, _ = play(config, 3)
    parts, _ = play(config | {'micro_batches': 4}, 3)
    methods.assert_trees_close(game_lib.current(whole), game_lib.current(parts), 1e-5)


def test_micro_batches_carry_batch_statistics_on():
    config = row_config('dcgan', micro_batches=2)
    state, _ = play(config, 1)
    assert methods.any_difference(state.aux, first_state(config).aux)
