"""How many of a thousand modes are found on stacked MNIST: PacGAN's table 3, with a row of our own.

    python -m benchmarks.stacked_mnist [--rows "DCGAN;PacGAN2"] [--seeds 3] [--steps 5000]
        [--dataset stacked:mnist_5k] [--workdir runs/stacked_mnist]

Each row is one run of configs/stacked_mnist.py with the row's changes, all seeds as one vmapped
program. 25,600 samples of each seed are named, colour by colour, by the classifier of digits of
benchmarks/legibility.py; a mode counts if it has a sample, and the divergence is the reverse KL of
the histogram of the 1,000 modes from the uniform one. A row that is done is not run again. Printed,
and written to benchmarks/results/stacked_mnist.json: mean +- standard error, beside the paper's
figures (Lin et al., 2018; 500,000 steps; a discriminator a quarter of the generator).
"""

import argparse
import json
import pathlib

import numpy as np
from absl import logging

from benchmarks import legibility
from benchmarks.mode_collapse import changed
from benchmarks.runs import to_the_end
from configs import stacked_mnist
from gan_jax import metrics
from gan_jax.commands.sample import sample
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_freed_memory

RESULTS = pathlib.Path(__file__).parent / 'results' / 'stacked_mnist.json'
SAMPLES = 25_600


def r3gan(config):
    """R3GAN's objective on the same networks, the discriminator without BatchNorm."""
    config['objective'] = 'relativistic_pairing_non_saturating'
    config['penalties'] = {'r1': {'weight': 0.05}, 'r2': {'weight': 0.05}}
    changed(config, 'discriminator.norm', 'none')


ROWS = {
    'DCGAN': lambda config: None,
    'PacGAN2': lambda config: changed(config, 'cures.packing', 2),
    "R3GAN's objective": r3gan,
}

# Modes, reverse KL (PacGAN, table 3; D is a quarter of G).
PAPER = {'DCGAN': ('78.5 +- 17.6', '5.21'), 'PacGAN2': ('484.5', '2.61')}


def run(row, args, workdir):
    """Trains a row unless it has been; the files of its samples, one for each seed."""
    config = stacked_mnist.get_config().to_dict()
    config['num_replicas'], config['dataset'] = args.seeds, args.dataset
    if args.steps:
        config['steps'] = args.steps
    ROWS[row](config)
    if not (workdir / 'checkpoints' / str(config['steps'])).exists():
        to_the_end(config, workdir)
    written = [sample(workdir, num=SAMPLES, seed=0, replica=x) for x in range(args.seeds)]
    return [next(x for x in some if x.suffix == '.npz') for some in written]


def histogram(params, file):
    """How many samples each of the thousand modes has."""
    images = np.load(file)['images']
    digits = [legibility.probabilities(params, images[..., c : c + 1]).argmax(1) for c in range(3)]
    modes = 100 * digits[0] + 10 * digits[1] + digits[2]
    return np.asarray(metrics.mode_histogram(modes, 1000))


def score(made, params):
    """{'modes', 'reverse_kl'}: a value per file of samples."""
    histograms = [histogram(params, file) for file in made]
    return {
        'modes': [int(metrics.modes_in_histogram(h)) for h in histograms],
        'reverse_kl': [float(metrics.reverse_kl(h)) for h in histograms],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rows', default=';'.join(ROWS), help='separated by ;')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, default=0, help="0: the config's own")
    parser.add_argument('--dataset', default='stacked:mnist_5k')
    parser.add_argument('--workdir', type=pathlib.Path, default=pathlib.Path('runs/stacked_mnist'))
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    data = legibility.default_data()
    *train_digits, _, _ = legibility.load_digits(data)
    params = legibility.trained(data, train_digits)
    results = {}
    for row in args.rows.split(';'):
        workdir = args.workdir / row.replace(' ', '_').replace("'", '')
        made = run(row, args, workdir)
        steps = json.loads((workdir / 'config.json').read_text())['steps']
        results[row] = score(made, params) | {'steps': steps}
    print('| | modes | reverse KL | paper: modes | KL | steps | each seed |')
    print('|---|---|---|---|---|---|---|')
    for row, found in results.items():
        error = np.sqrt(args.seeds)
        cells = [
            f'{np.mean(x):.{d}f} +- {np.std(x, ddof=1) / error if args.seeds > 1 else 0:.{d}f}'
            for x, d in ((found['modes'], 1), (found['reverse_kl'], 2))
        ]
        cells += [*PAPER.get(row, ('', '')), str(found['steps']), str(found['modes'])]
        print(f'| {row} | {" | ".join(cells)} |')
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(files.json_text(kept | results, indent=1) + '\n')


if __name__ == '__main__':
    main()
