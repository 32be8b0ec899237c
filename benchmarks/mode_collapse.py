"""Which cures keep all modes of a ring and of a grid: PacGAN's table 1, with rows of our own.

    python -m benchmarks.mode_collapse [--rows "GAN;R3GAN"] [--data ring8,grid25] [--seeds 10]
        [--steps 25000] [--workdir runs/mode_collapse]

Each cell is one run of configs/ring8.py or grid25.py with the changes of its row, all seeds as one
vmapped program. A cell that is done is not run again, so several processes can share the work; the
table is of all cells in the work directory that have ended. The last line of each run's
metrics.jsonl is the evaluation: 2,500 samples per seed, the nearest mode of each, high quality
within three standard deviations, the reverse KL divergence of the histogram of all samples.

It prints, and writes to benchmarks/results/mode_collapse.json, mean +- standard error over the
seeds beside the paper's figures (Lin et al., 2018; 400 epochs of networks six times as wide).
Another cure is one more line in ROWS.
"""

import argparse
import json
import pathlib

from absl import logging

from benchmarks.runs import to_the_end
from configs import grid25, ring8
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_freed_memory

RESULTS = pathlib.Path(__file__).parent / 'results' / 'mode_collapse.json'
METRICS = ('modes', 'high_quality', 'reverse_kl')
CONFIGS = {'ring8': ring8, 'grid25': grid25}


def changed(config, path, value):
    """Sets config.a.b.c, given as 'a.b.c'."""
    *parents, last = path.split('.')
    for key in parents:
        config = config[key]
    config[last] = value


def with_average(config):
    """Samples from running averages."""
    config['ema'] = {'generator': {'half_life': 20_000, 'ramp_up': 0.05}}


def without_norm(config):
    """Networks without BatchNorm, whose first weights suit their widths."""
    changed(config, 'generator.norm', 'none')
    for player in ('generator', 'discriminator'):
        changed(config, f'{player}.weights', 'he')


def cosine(config, rate):
    """Adam with beta1 0.5 and a rate that falls along a cosine to a fifth of itself."""
    for player in ('generator', 'discriminator'):
        changed(config, f'optimizers.{player}.learning_rate.init_value', rate)
        changed(config, f'optimizers.{player}.learning_rate.alpha', 0.2)
        changed(config, f'optimizers.{player}.b1', 0.5)


def wgan_gp(config):
    config['objective'] = 'wasserstein'
    config['penalties'] = {'gradient_penalty': {'weight': 0.1}}
    without_norm(config)
    cosine(config, 2e-3)
    with_average(config)


def r3gan(config):
    config['objective'] = 'relativistic_pairing_non_saturating'
    config['penalties'] = {'r1': {'weight': 0.005}, 'r2': {'weight': 0.005}}
    without_norm(config)
    cosine(config, 4e-3)
    with_average(config)


def r3gan_top_k(config):
    r3gan(config)
    changed(config, 'cures.top_k', 0.75)
    changed(config, 'cures.top_k_steps', config['steps'] // 2)


ROWS = {
    'GAN': lambda config: None,
    'PacGAN2': lambda config: changed(config, 'cures.packing', 2),
    'PacGAN4': lambda config: changed(config, 'cures.packing', 4),
    'minibatch discrimination': lambda config: changed(
        config, 'discriminator.minibatch', 'discrimination'
    ),
    'WGAN-GP': wgan_gp,
    'R3GAN': r3gan,
    'R3GAN, top-k': r3gan_top_k,
}

# Modes, high quality (%), reverse KL: mean and standard error of 10 trials (PacGAN, table 1).
PAPER = {
    ('GAN', 'ring8'): ((6.3, 0.5), (98.2, 0.2), (0.45, 0.09)),
    ('GAN', 'grid25'): ((17.3, 0.8), (94.8, 0.7), (0.70, 0.07)),
    ('PacGAN2', 'ring8'): ((7.9, 0.1), (95.6, 2.0), (0.07, 0.03)),
    ('PacGAN2', 'grid25'): ((23.8, 0.7), (91.3, 0.8), (0.13, 0.04)),
    ('PacGAN4', 'ring8'): ((7.8, 0.1), (95.9, 1.4), (0.07, 0.02)),
    ('PacGAN4', 'grid25'): ((24.8, 0.2), (93.6, 0.6), (0.04, 0.01)),
}


def cell_config(row, data, seeds, steps):
    """The config of one cell."""
    config = CONFIGS[data].get_config().to_dict()
    config['num_replicas'] = seeds
    if steps:
        config['steps'] = steps
    config['sample_every'] = config['checkpoint_every'] = config['eval_every'] = (
        config['steps'] // 4
    )
    ROWS[row](config)
    return config


def folder(root, row, data):
    """A cell's work directory."""
    return root / f'{data}_{row.replace(" ", "_").replace(",", "")}'


def found(workdir):
    """{metric: (mean, standard error, values)} of a run that has ended, and its steps; or None."""
    file = workdir / 'metrics.jsonl'
    if not file.exists():
        return None
    config = json.loads((workdir / 'config.json').read_text())
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    ends = [x for x in lines if x['step'] == config['steps'] and 'eval/modes' in x]
    if not ends:
        return None
    seeds = [config['seed'] + i for i in range(config['num_replicas'])]
    cell = {'steps': config['steps'], 'seeds': len(seeds)}
    for name in METRICS:
        cell[name] = {
            'mean': ends[0][f'eval/{name}'],
            'stderr': ends[0].get(f'eval/{name}/stderr'),
            'each': [ends[0].get(f'eval/{name}/seed_{s}') for s in seeds],
        }
    return cell


def shown(cell):
    """One row's figures."""
    parts = []
    for name in METRICS:
        factor, digits = (100, 1) if name == 'high_quality' else (1, 2)
        mean, stderr = cell[name]['mean'] * factor, (cell[name]['stderr'] or 0) * factor
        worst = max if name == 'reverse_kl' else min
        worst = worst(x for x in cell[name]['each'] or [mean] if x is not None) * factor
        parts.append(f'{mean:.{digits}f} +- {stderr:.{digits}f} ({worst:.{digits}f})')
    return parts


def table(root, data):
    """Prints the table of a data set; returns its cells."""
    cells = {}
    print(f"\n{data}: mean +- standard error (worst seed); the paper's mean +- standard error\n")
    print('| | modes | high quality % | reverse KL | paper: modes | HQ % | KL | steps |')
    print('|---|---|---|---|---|---|---|---|')
    for row in ROWS:
        cell = found(folder(root, row, data))
        if cell is None:
            continue
        cells[row] = cell
        paper = PAPER.get((row, data))
        paper = [f'{m} +- {e}' for m, e in paper] if paper else ['', '', '']
        print(f'| {" | ".join([row, *shown(cell), *paper, str(cell["steps"])])} |')
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rows', default=';'.join(ROWS), help='separated by ;')
    parser.add_argument('--data', default='ring8,grid25')
    parser.add_argument('--seeds', type=int, default=10)
    parser.add_argument('--steps', type=int, default=0, help="0: the config's own")
    parser.add_argument('--workdir', type=pathlib.Path, default=pathlib.Path('runs/mode_collapse'))
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    for data in filter(None, args.data.split(',')):
        for row in filter(None, args.rows.split(';')):
            workdir = folder(args.workdir, row, data)
            if found(workdir) is None:
                to_the_end(cell_config(row, data, args.seeds, args.steps), workdir)
    results = {data: table(args.workdir, data) for data in CONFIGS}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(files.json_text(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
