"""One digit is normal, the others are not: f-AnoGAN and GANomaly beside classical detectors.

    python -m benchmarks.anomaly [--digits 0,4,8] [--seed 0] [--workdir runs/anomaly]

Protocol B of the field: trained on MNIST's training images of one digit alone, tested on all 10,000
test images, of which those of the other digits are anomalies. f-AnoGAN's first stage is
configs/wgan_gp.py for 7,500 steps; the rest is as configs/f_anogan.py and configs/ganomaly.py have
it. A run that is done is not run again, so digits may be added. It needs scikit-learn.

The baselines see pixels in [0, 1]: a one-class SVM (RBF, gamma 'scale', nu 0.1), an isolation
forest (100 trees, the same seed), and the distance to the nearest training image. Nothing is tuned,
on the test set or elsewhere.

What leaked in others' code does not here: test images are of MNIST's own test split; each is scored
in evaluation, by itself; the last checkpoint is scored, not the best; scores are compared as they
are, not scaled by the test set; there is no threshold.

It prints AUROC by digit and their means, and writes benchmarks/results/anomaly.json.
"""

import argparse
import csv
import json
import pathlib

import numpy as np
from absl import logging
from sklearn import ensemble, neighbors, svm

from benchmarks.runs import to_the_end
from configs import f_anogan, ganomaly, wgan_gp
from gan_jax import data, metrics
from gan_jax.commands import score
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_freed_memory

RESULTS = pathlib.Path(__file__).parent / 'results' / 'anomaly.json'
METHODS = ('f-AnoGAN', 'GANomaly', 'OC-SVM', 'isolation forest', 'nearest neighbour')
FIRST = {'steps': 7500, 'eval_every': 0, 'sample_every': 2500, 'checkpoint_every': 2500}


def trained(config, workdir, digit, seed, **changes):
    """The work directory of a run on one digit, trained now unless it was before."""
    config = config.get_config().to_dict() | {'dataset': 'mnist', 'seed': seed, **changes}
    config['data'] |= {'only_classes': (digit,)}
    if not (workdir / 'checkpoints' / str(config['steps'])).exists():
        to_the_end(config, workdir)
    return workdir


def scores_of(workdir):
    """A run's scores of all test images, in their order."""
    score.score(workdir)
    with (workdir / score.FOLDER / score.CSV).open() as file:
        return np.array([float(row['score']) for row in csv.DictReader(file)])


def digits(split):
    """MNIST's images as rows in [0, 1], and their labels."""
    dataset = data.load('mnist', image_size=28, split=split)
    images = dataset.fetch(np.arange(len(dataset)))
    return images.reshape(len(images), -1) / np.float32(255), dataset.labels


def classical(normal, test, seed):
    """The baselines' scores of test rows, the more the less normal."""
    forest = ensemble.IsolationForest(random_state=seed).fit(normal)
    nearest = neighbors.NearestNeighbors(n_neighbors=1).fit(normal)
    return {
        'OC-SVM': -svm.OneClassSVM(gamma='scale', nu=0.1).fit(normal).decision_function(test),
        'isolation forest': -forest.score_samples(test),
        'nearest neighbour': nearest.kneighbors(test)[0][:, 0],
    }


def measured(folder, digit, seed, sets):
    """{method: {'auroc', 'auprc'}} of one digit as normal."""
    (train_x, train_y), (test_x, test_y) = sets
    folder = folder / f'seed_{seed}'
    first = trained(wgan_gp, folder / f'first_{digit}', digit, seed, **FIRST)
    second = trained(f_anogan, folder / f'f_anogan_{digit}', digit, seed, init_from=str(first))
    other = trained(ganomaly, folder / f'ganomaly_{digit}', digit, seed)
    found = {'f-AnoGAN': scores_of(second), 'GANomaly': scores_of(other)}
    found |= classical(train_x[train_y == digit], test_x, seed)
    anomalous = test_y != digit
    return {
        name: {
            'auroc': round(metrics.auroc(found[name], anomalous), 4),
            'auprc': round(metrics.average_precision(found[name], anomalous), 4),
        }
        for name in METHODS
    }


def print_table(results):
    """AUROC by digit and seed, and the means."""
    print(f'{"digit, seed":12}' + ''.join(f'{name:>18}' for name in METHODS))
    for key, row in results.items():
        print(f'{key:12}' + ''.join(f'{row[name]["auroc"]:18.4f}' for name in METHODS))
    means = [np.mean([row[name]['auroc'] for row in results.values()]) for name in METHODS]
    print(f'{"mean":12}' + ''.join(f'{mean:18.4f}' for mean in means))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--digits', default='0,4,8')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workdir', type=pathlib.Path, default=pathlib.Path('runs/anomaly'))
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    sets = [digits(split) for split in ('train', 'test')]
    for digit in map(int, args.digits.split(',')):
        results[f'{digit}, {args.seed}'] = measured(args.workdir, digit, args.seed, sets)
        files.replace(RESULTS, lambda part: part.write_text(json.dumps(results, indent=1) + '\n'))
    print_table(dict(sorted(results.items())))


if __name__ == '__main__':
    main()
