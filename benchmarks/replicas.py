"""What several seeds as one program cost beside one seed.

    python -m benchmarks.replicas [--config ring8] [--seeds 10] [--rounds 7]

Rounds of one seed and of all seeds alternate in one process, 50 steps to a dispatch; printed are
the medians of a step and the ratio with its range over the rounds. What it is below the number of
seeds is what vmapping gains: little on a processor that products of matrices keep busy, much where
small operations leave it idle.
"""

import argparse
import importlib
import time

import jax
import numpy as np

from gan_jax import data
from gan_jax import game as game_lib
from gan_jax.config.experiment import build
from gan_jax.runtime import parallel, replicas
from gan_jax.runtime.process import keep_freed_memory

STEPS = 50


def compiled(config, num):
    """The update of so many seeds, its state and its batches."""
    config = config | {'num_replicas': num}
    experiment = build(config)

    def step(state, batch):
        return game_lib.update(
            experiment.game,
            state,
            batch,
            axis_name=parallel.AXIS,
            prepare=experiment.prepare,
        )

    update = parallel.pmap_steps(replicas.step(step, num, game_lib.REPLICA_AXES))
    batches = data.batches(
        experiment.fed,
        batch_size=config['batch_size'],
        seed=experiment.seeds if num > 1 else config['seed'],
        steps_per_dispatch=STEPS,
    )
    batch = parallel.shard(next(batches), jax.local_device_count())
    return update, parallel.replicate(experiment.init()), batch


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config', default='ring8')
    parser.add_argument('--seeds', type=int, default=10)
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    keep_freed_memory()
    config = importlib.import_module(f'configs.{args.config}').get_config().to_dict()
    runs = {num: compiled(config, num) for num in (1, args.seeds)}
    states = {num: run[1] for num, run in runs.items()}
    times = {num: [] for num in runs}
    for round_ in range(-1, args.rounds):
        for num, (update, _, batch) in runs.items():
            start = time.perf_counter()
            states[num], metrics = update(states[num], batch)
            jax.block_until_ready(metrics)
            if round_ >= 0:
                times[num].append((time.perf_counter() - start) / STEPS)
    one, many = (np.array(times[num]) for num in (1, args.seeds))
    ratios = many / one
    print(f'{args.config}: one seed {1e3 * np.median(one):.2f} ms a step, ', end='')
    print(
        f'{args.seeds} seeds {1e3 * np.median(many):.2f} ms; ratio {np.median(ratios):.2f} ', end=''
    )
    print(f'({ratios.min():.2f} to {ratios.max():.2f}), {args.rounds} rounds')


if __name__ == '__main__':
    main()
