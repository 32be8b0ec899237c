"""What every method must do, whatever it is: one table, many tests."""

import functools
import json

import jax
import methods
import numpy as np
import pytest

from gan_jax import game as game_lib
from gan_jax.config import resolve
from gan_jax.config.experiment import build_players
from gan_jax.runtime import checkpoint, parallel


def compile_update(game, config, devices=1, traces=None):
    """The pmapped update on so many devices; appends to `traces` whenever it is traced."""

    def step(state, batch):
        if traces is not None:
            traces.append(devices)
        return game_lib.update(
            game, state, batch, axis_name=parallel.AXIS, micro_batches=config['micro_batches']
        )

    return parallel.pmap_steps(step, jax.local_devices()[:devices])


TRACES = []


@functools.cache
def compiled(config_json, devices):
    """Compiled once for all tests of a method: the game, its update, its first state."""
    config = json.loads(config_json)
    players = build_players(config)
    state = parallel.replicate(players.init(), jax.local_devices()[:1])
    return (
        players.game,
        compile_update(players.game, config, devices, TRACES),
        parallel.to_host(state),
    )


def play(config, num_steps, devices=1, several=1, state=None):
    """The state after so many steps, on the host, and the last metrics."""
    _, update, first_state = compiled(json.dumps(config), devices)
    state = first_state if state is None else state
    start = int(state.step)
    state = parallel.replicate(state, jax.local_devices()[:devices])
    for first in range(start, num_steps, several):
        batches = [methods.batch(config, seed) for seed in range(first, first + several)]
        stacked = jax.tree.map(lambda *x: np.stack(x), *batches)
        state, metrics = update(state, parallel.shard(stacked, devices))
    return parallel.to_host(state), parallel.to_host(metrics)


@pytest.mark.parametrize('row', methods.METHODS)
class TestMethod:
    def test_a_turn_changes_only_its_own_players_parameters(self, row):
        config = methods.method(row)
        game, _, state = compiled(json.dumps(config), 1)
        params, aux = game_lib.current(state)
        batches = parallel.shard({k: v[None] for k, v in methods.batch(config).items()}, 1)
        for turn in game.turns:
            alone = game._replace(turns=(turn._replace(every=1),))
            replicated = parallel.replicate(state, jax.local_devices()[:1])
            after, _ = compile_update(alone, config)(replicated, batches)
            after_params, after_aux = game_lib.current(parallel.to_host(after))
            for name in params:
                if name == turn.player:
                    assert methods.any_difference(params[name], after_params[name])
                else:
                    methods.assert_trees_equal(params[name], after_params[name])
                    methods.assert_trees_equal(aux[name], after_aux[name])

    def test_every_parameter_is_trained(self, row):
        config = methods.method(row)
        before = game_lib.current(compiled(json.dumps(config), 1)[2])[0]
        after = game_lib.current(play(config, 3)[0])[0]
        same = jax.tree.map(lambda x, y: np.array_equal(x, y), before, after)
        assert not any(jax.tree.leaves(same)), same

    def test_the_second_step_is_not_compiled_again(self, row):
        config = methods.method(row)
        _, update, state = compiled(json.dumps(config), 1)
        compilations = []
        state = parallel.replicate(state, jax.local_devices()[:1])
        batch = parallel.shard({k: v[None] for k, v in methods.batch(config).items()}, 1)
        state, _ = update(state, batch)
        traced = len(TRACES)
        jax.monitoring.register_event_duration_secs_listener(
            lambda event, *_, **__: compilations.append(event) if 'compile' in event else None
        )
        for _ in range(2):
            state, _ = update(state, batch)
        jax.monitoring.clear_event_listeners()
        assert len(TRACES) == traced > 0
        assert not compilations

    def test_resumed_equals_uninterrupted(self, row, tmp_path):
        config = methods.method(row)
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
        config = methods.sgd(methods.method(row))
        one, metrics_one = play(config, 10)
        eight, metrics_eight = play(config, 10, devices=8)
        relative = 1e-5
        methods.assert_trees_close(game_lib.current(one), game_lib.current(eight), relative)
        methods.assert_trees_close(game_lib.averaged(one), game_lib.averaged(eight), relative)
        assert methods.relative_error(metrics_one, metrics_eight) < 10 * relative

    def test_a_scan_of_steps_equals_the_loop(self, row):
        config = methods.sgd(methods.method(row))
        loop, _ = play(config, 6)
        scan, _ = play(config, 6, several=3)
        methods.assert_trees_close(game_lib.current(loop), game_lib.current(scan), 1e-6)

    def test_all_devices_hold_the_same_state(self, row):
        config = methods.sgd(methods.method(row))
        _, update, state = compiled(json.dumps(config), 8)
        batches = jax.tree.map(lambda x: x[None], methods.batch(config))
        state, _ = update(parallel.replicate(state), parallel.shard(batches, 8))
        for leaf in jax.tree.leaves(state):
            copies = np.asarray(leaf)
            np.testing.assert_array_equal(copies, np.broadcast_to(copies[:1], copies.shape))

    def test_metrics_are_of_the_turns_played(self, row):
        config = methods.method(row)
        game, _, _ = compiled(json.dumps(config), 1)
        _, metrics = play(config, 1)
        for step in range(1, 7):
            kept = game_lib.played(game, metrics, step)
            for turn in game.turns:
                assert (f'{turn.label}/loss' in kept) == (step % turn.every == 0)

    def test_another_seed_is_another_game(self, row):
        config = methods.method(row)
        state = compiled(json.dumps(config), 1)[2]
        seeded = state.replace(rng=np.asarray(jax.random.key_data(jax.random.key(1))))
        one, _ = play(config, 3)  # CycleGAN draws nothing before its pools are full
        other, _ = play(config, 3, state=seeded)
        assert methods.any_difference(game_lib.current(one)[0], game_lib.current(other)[0])


def test_in_bfloat16_only_the_networks_compute_so():
    """State and metrics stay in float32, and a step is that of float32 to two digits."""
    half, half_metrics = play(methods.method('dcgan', **methods.HALF), 1)
    whole, whole_metrics = play(methods.method('dcgan', penalties=methods.R1), 1)
    for leaf in jax.tree.leaves((half.players, half.aux, half_metrics)):
        assert leaf.dtype != jax.numpy.bfloat16
    for name in ('discriminator/loss', 'generator/loss', 'discriminator/r1'):
        assert half_metrics[name] != whole_metrics[name]
        np.testing.assert_allclose(half_metrics[name], whole_metrics[name], rtol=3e-2)
    methods.assert_trees_close(game_lib.current(half), game_lib.current(whole), 3e-2)


def test_in_bfloat16_one_device_equals_eight_to_two_digits():
    """A gradient has 8 bits on each device."""
    config = methods.sgd(methods.method('dcgan', **methods.HALF))
    one, eight = (play(config, 1, devices=n)[0] for n in (1, 8))
    methods.assert_trees_close(game_lib.current(one), game_lib.current(eight), 2e-3)


def test_in_bfloat16_the_products_of_matrices_are_in_bfloat16():
    """On other platforms than CPUs, where there is something to be gained."""
    config = methods.method('dcgan', **methods.HALF)
    batch = methods.batch(config)
    shape = batch['real'].shape[1:]
    game = resolve.build_game(config, shape=shape, axis_name=None, dtype=jax.numpy.bfloat16)
    optimizers, _ = resolve.build_optimizers(config, game, config['optimizers'])
    state = jax.eval_shape(lambda: game_lib.init(game, optimizers, 0, batch))
    traced = jax.jit(lambda s, b: game_lib.update(game, s, b)).trace(state, batch)
    text = traced.lower(lowering_platforms=('cuda',)).as_text()
    lines = [x for x in text.splitlines() if 'stablehlo.convolution' in x]
    assert len(lines) > 10
    assert all('xbf16>' in line.split('->')[1] for line in lines)


@pytest.mark.parametrize('row', ['gan-lazy'])
def test_micro_batches_equal_the_whole_batch(row):
    """Without batch statistics, accumulation is exact."""
    config = methods.sgd(methods.method(row))
    whole, _ = play(config, 3)
    parts, _ = play(config | {'micro_batches': 4}, 3)
    methods.assert_trees_close(game_lib.current(whole), game_lib.current(parts), 1e-5)


def test_micro_batches_carry_batch_statistics_on():
    config = methods.method('dcgan', micro_batches=2)
    state, _ = play(config, 1)
    assert methods.any_difference(state.aux, compiled(json.dumps(config), 1)[2].aux)
