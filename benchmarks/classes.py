"""Whether labels helped: a conditional run beside an unconditional one of equal length.

    python -m benchmarks.classes CONDITIONAL UNCONDITIONAL [--num 5000]

Both are work directories of runs on the same data. Of each, samples of seed 0 with the running
averages are compared with all training images in the features of the data set's classifier:

    accuracy  the share of samples for which it names the class that was asked for;
    within    the intra-class Frechet distance, the mean over the classes;
    all       the Frechet distance of all classes together.

An unconditional run cannot be asked. Its samples are given the classes that the classifier names,
which flatters it, and once classes by lot, which is what asking it would come to. Where a class has
fewer than two samples there is no distance within: -.
"""

import argparse
import pathlib

import numpy as np

from gan_jax import metrics
from gan_jax.config import experiment as experiment_lib
from gan_jax.config import features
from gan_jax.sampling import sampler


def distance(real, fake):
    sides = [metrics.moments(x) for x in (real, fake)]
    return metrics.frechet_distance(*(y for x in sides for y in (x.mean, metrics.covariance(x))))


def within(real, labels, fake, classes):
    """The mean distance of the classes as it is printed."""
    try:
        return f'{metrics.intra_class_frechet_distance(real, labels, fake, classes)[0]:.3g}'
    except ValueError:  # a class is missing
        return '-'


def figures(workdir, num):
    """{how classes were given: (accuracy, within, all)}"""
    run = experiment_lib.restore(workdir)
    experiment = run.experiment
    game, dataset = experiment.game, experiment.dataset
    network = features.load('classifier', experiment.modality, dataset, experiment.held_out, None)
    inputs = sampler.draw_inputs(game, 0, num)
    samples = sampler.make_sampler(game, experiment.modality)(*run.variables(0), inputs)
    batch = dataset.batch(np.arange(len(dataset)))
    real, _ = network.apply(batch['real'])
    fake, logits = network.apply(samples)
    named, labels = logits.argmax(-1), np.asarray(batch['label'])
    by_lot = np.random.default_rng(0).integers(0, logits.shape[-1], num)
    given = {'asked for': np.asarray(inputs['label'])} if 'label' in inputs else {}
    given = given or {'as named': named, 'by lot': by_lot}
    return {
        how: (
            metrics.label_accuracy(logits, classes)[0],
            within(real, labels, fake, classes),
            distance(real, fake),
        )
        for how, classes in given.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('conditional', type=pathlib.Path)
    parser.add_argument('unconditional', type=pathlib.Path)
    parser.add_argument('--num', type=int, default=5000)
    args = parser.parse_args()
    for workdir in (args.conditional, args.unconditional):
        for how, (accuracy, inside, together) in figures(workdir, args.num).items():
            print(
                f'{workdir}, {how}: accuracy {accuracy:.1%}, within {inside}, all {together:.3g}',
                flush=True,
            )


if __name__ == '__main__':
    main()
