"""Digits from few labels: the GAN's classifier beside the same network taught by the labels alone.

    python -m benchmarks.semi_supervised [--dataset mnist] [--labelled 100] [--splits 3]
        [--steps 20000] [--supervised-steps 3000] [--rates 3e-3,1e-3,3e-4]
        [--workdir runs/semi_supervised]

A split is a seed: which labels are known, the networks' beginnings and all noise follow from it.
The arm `gan` is configs/semi_supervised.py. The arms of the baseline are the same network with the
same labels, noise and running average, without an adversarial loss or a generator, one for each
learning rate; the best of them by its mean error on the test images is the baseline, a choice that
favours it. An arm that is done is not run again. Printed are the errors on the whole test split,
mean +- standard deviation over the splits, and of each split.
"""

import argparse
import importlib
import json
import pathlib

import numpy as np
from absl import logging

from benchmarks.runs import to_the_end
from gan_jax.commands.evaluate import evaluate
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_freed_memory

ALL = 10_000
FIGURE = 'classification_error'


def arm_config(args, steps, rate=None):
    """That of the GAN, or with a learning rate that of the labels alone."""
    config = importlib.import_module('configs.semi_supervised').get_config().to_dict()
    config |= {'dataset': args.dataset, 'steps': steps, 'eval_every': 0}
    config |= {'sample_every': 0, 'checkpoint_every': steps // 2, 'log_every': steps // 10}
    config['data']['labelled'] = args.labelled
    if rate is not None:
        config |= {'adversarial_weight': 0.0, 'generator_every': steps}
        config['optimizers']['discriminator']['learning_rate']['init_value'] = rate
    return config


def arm(name, config, args):
    """The error of each split on the test images."""
    file = args.workdir / f'{name}.json'
    if not file.exists():
        errors = []
        for split in range(args.splits):
            workdir = args.workdir / name / f'split_{split}'
            to_the_end({**config, 'seed': split}, workdir)
            content = evaluate(workdir, num=ALL, changes={'metrics': (FIGURE,)})
            errors.append(content['figures'][FIGURE]['ema'])
        files.replace(file, lambda new: new.write_text(json.dumps(errors)))
    return json.loads(file.read_text())


def said(name, errors):
    spread = np.std(errors, ddof=1) if len(errors) > 1 else 0.0
    each = ', '.join(f'{x:.2%}' for x in errors)
    return f'{name}: {np.mean(errors):.2%} +- {spread:.2%} ({each})'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--dataset', default='mnist')
    parser.add_argument('--labelled', type=int, default=100)
    parser.add_argument('--splits', type=int, default=3)
    parser.add_argument('--steps', type=int, default=20_000)
    parser.add_argument('--supervised-steps', type=int, default=3000)
    parser.add_argument('--rates', default='3e-3,1e-3,3e-4')
    parser.add_argument('--arms', default='supervised,gan')
    parser.add_argument(
        '--workdir', type=pathlib.Path, default=pathlib.Path('runs/semi_supervised')
    )
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    args.workdir.mkdir(parents=True, exist_ok=True)
    if 'supervised' in args.arms:
        found = {}
        for rate in args.rates.split(','):
            name = f'supervised_{rate}'
            config = arm_config(args, args.supervised_steps, float(rate))
            found[name] = arm(name, config, args)
            print(said(name, found[name]), flush=True)
        best = min(found, key=lambda name: np.mean(found[name]))
        print(said(f'baseline, {best}', found[best]), flush=True)
    if 'gan' in args.arms:
        print(said('gan', arm('gan', arm_config(args, args.steps), args)), flush=True)


if __name__ == '__main__':
    main()
