"""Several seeds in one program are the same as one after the other."""

import os
import subprocess
import sys

import jax
import methods
import numpy as np
import pytest

from gan_jax import game as game_lib
from gan_jax.config.experiment import rebuild
from gan_jax.runtime import parallel, replicas

SEEDS = [3, 4, 5]


def play(config, seeds, devices=1):
    """The state after three steps, on batches that belong to each seed."""
    game = rebuild(config).game

    def step(state, batch):
        return game_lib.update(game, state, batch, axis_name=parallel.AXIS)

    together = replicas.step(step, len(seeds), game_lib.REPLICA_AXES)
    update = parallel.pmap_steps(together, jax.local_devices()[:devices])
    state = rebuild(config | {'seed': seeds[0], 'num_replicas': len(seeds)}).init()
    state = parallel.replicate(state, jax.local_devices()[:devices])
    for i in range(3):
        each = [methods.batch(config, 100 * i + seed) for seed in seeds]
        batch = jax.tree.map(lambda *x: np.stack(x, axis=1), *each) if len(seeds) > 1 else each[0]
        stacked = jax.tree.map(lambda x: x[None], batch)
        state, metrics = update(state, parallel.shard(stacked, devices))
    return parallel.to_host(state), parallel.to_host(metrics)


@pytest.mark.slow
@pytest.mark.parametrize('row', ['gan-lazy', 'ring8'])
def test_three_seeds_together_equal_each_alone(row):
    config = methods.sgd(methods.method(row))
    together, metrics = play(config, SEEDS)
    assert together.step == 3
    for i, seed in enumerate(SEEDS):
        alone, own = play(config, [seed])
        parts = replicas.split(game_lib.current(together), len(SEEDS))
        methods.assert_trees_close(game_lib.current(alone), parts[i], 1e-5)
        for name, values in metrics.items():
            np.testing.assert_allclose(values[..., i], own[name], rtol=1e-4, atol=1e-6)


BEGIN = """
import jax
from gan_jax.config import experiment, overrides
config = overrides.load('configs/rcgan.py').to_dict() | {'num_replicas': 2}
jax.block_until_ready(experiment.build(config).begin())
"""


@pytest.mark.slow
def test_orthogonal_kernels_of_several_seeds_are_made_by_two_threads():
    """Side by side they waited for each other for ever."""
    environment = os.environ | {'PJRT_NPROC': '2', 'XLA_FLAGS': ''}
    subprocess.run(
        [sys.executable, '-c', BEGIN], cwd=methods.ROOT, env=environment, timeout=120, check=True
    )


@pytest.mark.slow
def test_eight_devices_share_the_batches_of_three_seeds():
    config = methods.sgd(methods.method('gan-lazy', penalties=methods.R1))
    one, _ = play(config, SEEDS)
    eight, _ = play(config, SEEDS, devices=8)
    methods.assert_trees_close(game_lib.current(one), game_lib.current(eight), 1e-5)


def test_names_hold_the_seed():
    assert replicas.seeds(3, 2) == [3, 4]
    assert replicas.named({'loss': 1.5}, [3]) == {'loss': 1.5}
    found = replicas.with_errors({'loss': [1.0, 2.0, 3.0]}, SEEDS)
    assert found == {
        'loss': 2.0, 'loss/seed_3': 1.0, 'loss/seed_4': 2.0, 'loss/seed_5': 3.0,
        'loss/stderr': pytest.approx(1 / np.sqrt(3)),
    }  # fmt: skip
    assert replicas.with_errors({'loss': [1.0]}, [3]) == {'loss': 1.0}
    assert replicas.suffix(3, 1) == ''
    assert replicas.suffix(3, 2) == '_seed_3'
