"""How good the samples of configs are on several data sets: the results table of the README.

    python -m benchmarks.quality [--configs dcgan,wgan_gp] [--data mnist,fashion_mnist,cifar10]
        [--seeds 3] [--steps 2000] [--num 10000] [--workdir runs/quality]

Each cell is one run of a config, all seeds as one vmapped program, evaluated four times while it
trains; the checkpoint that is best on the mean over the seeds and the last are then evaluated with
`--num` samples against the test split. Features are those of the classifier of the set's labels. A
cell that is done is not run again. Printed, and written to benchmarks/results/quality.json: the
Frechet distance of both, mean +- standard deviation over the seeds, and what real images have.
"""

import argparse
import importlib
import json
import pathlib
import time

import numpy as np
from absl import logging

from benchmarks.runs import to_the_end
from gan_jax.commands.evaluate import evaluate
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_freed_memory

RESULTS = pathlib.Path(__file__).parent / 'results' / 'quality.json'
METRICS = ('frechet_distance', 'precision_recall', 'class_entropy')


def cell_config(name, dataset, seeds, steps):
    """The config of one cell."""
    config = importlib.import_module(f'configs.{name}').get_config().to_dict()
    config |= {'dataset': dataset, 'num_replicas': seeds, 'steps': steps, 'eval_samples': 2000}
    config['eval_every'] = config['checkpoint_every'] = config['sample_every'] = steps // 4
    config['evaluation'] |= {'metrics': METRICS, 'best': 'frechet_distance'}
    return config


def cell(name, dataset, args):
    """Trains and evaluates one cell."""
    workdir = args.workdir / f'{name}_{dataset}'
    file = workdir / 'cell.json'
    if file.exists():
        return json.loads(file.read_text())
    config = cell_config(name, dataset, args.seeds, args.steps)
    start = time.monotonic()
    to_the_end(config, workdir)
    found = {
        'steps': args.steps,
        'batch': config['batch_size'],
        'seconds': time.monotonic() - start,
    }
    changes = {'metrics': METRICS}
    for kind, best in (('last', False), ('best', True)):
        content = evaluate(workdir, num=args.num, best=best, changes=changes)
        found[kind] = content['each_seed'] | {'step': content['settings']['step']}
    found['real'] = {name: row['real'] for name, row in content['figures'].items()}
    found['settings'] = content['settings']
    file.write_text(files.json_text(found))
    return found


def shown(values):
    return f'{np.mean(values):.1f} +- {np.std(values, ddof=1) if len(values) > 1 else 0:.1f}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--configs', default='dcgan,wgan_gp')
    parser.add_argument('--data', default='mnist,fashion_mnist,cifar10')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, default=2000)
    parser.add_argument('--num', type=int, default=10_000)
    parser.add_argument('--workdir', type=pathlib.Path, default=pathlib.Path('runs/quality'))
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    results = {}
    for name in args.configs.split(','):
        for dataset in args.data.split(','):
            results[f'{name} on {dataset}'] = cell(name, dataset, args)
    print('| | features | best | at step | last | real | steps | minutes |')
    print('|---|---|---|---|---|---|---|---|')
    for title, found in results.items():
        figure = next(x for x in found['real'] if x.startswith('frechet_distance'))
        cells = [
            title, figure.partition('[')[2].rstrip(']'), shown(found['best'][figure]),
            str(found['best']['step']), shown(found['last'][figure]),
            f'{found["real"][figure]:.1f}', str(found['steps']), f'{found["seconds"] / 60:.0f}',
        ]  # fmt: skip
        print(f'| {" | ".join(cells)} |')
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(files.json_text(kept | results, indent=1) + '\n')


if __name__ == '__main__':
    main()
