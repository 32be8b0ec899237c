"""Whether samples of a GAN help a classifier of few images: none, classical, GAN, both.

    python -m benchmarks.augmentation [--per-class 5,10,20,50,100] [--seeds 5] [--dataset NAME]
        [--config cgan] [--gan-steps 1000] [--steps 200] [--size 16] [--generated 2000]
        [--augmentation none] [--workdir runs/augmentation]

A seed chooses so many images of each class from the training split; those of fewer are among those
of more. A conditional GAN, `--config` at half its width, is trained on these images alone, and its
last running average makes `--generated` images, as many of each class, before any classifier is
trained. The classifier is that of gan_jax/networks/features, and its four arms are shown

    none        the images as they are
    classical   the same, turned, moved and scaled anew in each batch: CLASSICAL
    gan         the images and, as often, generated ones
    both        the same, turned, moved and scaled

All are trained for as many batches of 128 from the same first weights, and tested on the whole test
split at the last batch; nothing is chosen by it. The set is MNIST, or the 5,000 digits where it is
not prepared; one without a test split has every fifth image held out. `--augmentation` is one of
gan_jax/games/augmentations, of all that the GAN's discriminator is shown.

An arm that is done is not run again. Printed, and written to benchmarks/results/augmentation.json,
are the accuracies and the differences to `none`: their means over the seeds with 95% intervals by
Student's t. It needs scipy.
"""

import argparse
import importlib
import json
import pathlib
import time

import jax
import numpy as np
from absl import logging
from PIL import Image
from scipy import stats

from benchmarks import legibility
from benchmarks.runs import to_the_end
from gan_jax import data
from gan_jax.config import experiment
from gan_jax.data import sources
from gan_jax.errors import NoSplit
from gan_jax.modalities import images as images_lib
from gan_jax.networks.features import classifier
from gan_jax.runtime import files
from gan_jax.runtime.process import keep_compiled, keep_freed_memory
from gan_jax.sampling import sampler

RESULTS = pathlib.Path(__file__).parent / 'results' / 'augmentation.json'
ARMS = ('none', 'classical', 'gan', 'both')
CLASSICAL = {'rotation': 10.0, 'translation': 0.08, 'scaling': 0.1}
SETTINGS = ('dataset', 'config', 'gan_steps', 'steps', 'size', 'generated', 'augmentation')


def unchanged(rng, images):
    """What the arms without classical augmentation are shown."""
    return images


def splits(name, size):
    """The data set that images are chosen from; (images, labels) that classifiers are tested on."""
    whole = data.load(name, image_size=size)
    try:
        test = data.load(name, image_size=size, split='test')
        return whole, (test.fetch(np.arange(len(test))), test.labels)
    except NoSplit:
        held_out = np.arange(len(whole)) % 5 == 0
        images, labels = whole.fetch(np.arange(len(whole))), whole.labels
        kept = sources.from_arrays(name, images[~held_out], labels[~held_out], whole.class_names)
        return data.load(kept, image_size=None), (images[held_out], labels[held_out])


def gan_config(args, folder, seed):
    """That of the GAN on a folder of few images."""
    config = importlib.import_module(f'configs.{args.config}').get_config().to_dict()
    config |= {'dataset': f'folder:{folder}', 'image_size': args.size, 'seed': seed}
    config |= {'steps': args.gan_steps, 'eval_every': 0, 'log_every': args.gan_steps // 5}
    config |= {'sample_every': args.gan_steps, 'checkpoint_every': args.gan_steps}
    for player in ('generator', 'discriminator'):
        config[player]['width'] //= 2
    name = args.augmentation
    config['cures']['augmentation'] = {} if name == 'none' else {'name': name}
    return config


def generate(workdir, num, seed):
    """So many samples of a run, as many of each class; and their labels."""
    run = experiment.restore(workdir)
    game, modality = run.experiment.game, run.experiment.modality
    labels = np.arange(num, dtype=np.int32) % modality.fields['classes']
    inputs = game.functions['prior'](jax.random.split(jax.random.key(seed), num))
    make = sampler.make_sampler(game, modality)
    return make(*run.variables(0), {**inputs, 'label': labels}), labels


def generated(images, labels, folder, seed, args):
    """The fixed set of a GAN that has seen these images alone; made unless it was before."""
    file = folder / 'generated.npz'
    if not file.exists():
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / 'few' / f'{label:04d}'
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.squeeze()).save(place / f'{i}.png')
        to_the_end(gan_config(args, folder / 'few', seed), folder / 'gan')
        made, asked = generate(folder / 'gan', args.generated, seed)
        files.write_npz(file, images=made, labels=asked)
    with np.load(file) as arrays:
        return arrays['images'], arrays['labels']


def halves(real, fake):
    """Two sets of images and labels as one of which each is half: the first is repeated."""
    return tuple(
        np.concatenate([np.resize(x, y.shape), y]) for x, y in zip(real, fake, strict=True)
    )


def arm_accuracy(arm, shown, test, seed, steps):
    """The accuracy of an arm's classifier on the test images, at its last batch."""
    classical = images_lib.make({'shape': shown[0].shape[1:]}).augment(CLASSICAL)
    change = classical if arm in ('classical', 'both') else unchanged
    classes = int(test[1].max()) + 1
    params = classifier.train(*shown, classes, change, steps=steps, seed=seed)
    return classifier.accuracy(classifier.network(arm, params, classes), *test)


def cell(num, seed, sides, args):
    """{arm: accuracy} of one number of images a class and one seed."""
    folder = args.workdir / f'{num}_per_class' / f'seed_{seed}'
    whole, test = sides
    places = data.few_labels(whole, num * len(whole.class_names)).labelled(seed)
    real, found = (whole.fetch(places), whole.labels[places]), {}
    for arm in ARMS:
        file = folder / f'{arm}.json'
        if not file.exists():
            start = time.monotonic()
            with_gan = arm in ('gan', 'both')
            shown = halves(real, generated(*real, folder, seed, args)) if with_gan else real
            accuracy = arm_accuracy(arm, shown, test, seed, args.steps)
            record = {'accuracy': accuracy, 'seconds': time.monotonic() - start}
            files.replace(file, lambda part, record=record: part.write_text(json.dumps(record)))
        found[arm] = json.loads(file.read_text())['accuracy']
    return found


def interval(differences):
    """The mean of paired differences, and half the width of its 95% interval by Student's t."""
    n = len(differences)
    if n < 2:
        return float(np.mean(differences)), float('nan')
    half = stats.t.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n)
    return float(np.mean(differences)), float(half)


def print_table(cells):
    """The accuracies, and in points the differences to `none` with their intervals."""
    print('| per class | none | ' + ' | '.join(ARMS[1:]) + ' | both - classical |')
    print('|---' * 6 + '|')
    for num, arms in cells.items():
        row = [num, f'{np.mean(arms["none"]):.1%}']
        for arm, other in (*((x, 'none') for x in ARMS[1:]), ('both', 'classical')):
            mean, half = interval(100 * (np.array(arms[arm]) - arms[other]))
            own = f'{np.mean(arms[arm]):.1%}, ' if other == 'none' else ''
            row.append(f'{own}{mean:+.1f} +- {half:.1f}')
        print(f'| {" | ".join(row)} |')


def claim(folder, settings):
    """Ends if the folder has runs of other settings, which would be taken for these."""
    file = folder / 'settings.json'
    if not file.exists():
        files.replace(file, lambda part: part.write_text(json.dumps(settings)))
    elif json.loads(file.read_text()) != settings:
        raise SystemExit(f'{folder} has runs of other settings, see {file}; name another --workdir')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--per-class', default='5,10,20,50,100')
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--dataset', default=legibility.default_data())
    parser.add_argument('--config', default='cgan', help='a conditional one')
    parser.add_argument('--gan-steps', type=int, default=1000)
    parser.add_argument('--steps', type=int, default=200, help='of the classifier')
    parser.add_argument('--size', type=int, default=16, help='of images')
    parser.add_argument('--generated', type=int, default=2000)
    parser.add_argument('--augmentation', default='none', help='none, diffaugment, ada')
    parser.add_argument('--workdir', type=pathlib.Path, default=pathlib.Path('runs/augmentation'))
    args = parser.parse_args()
    logging.set_verbosity(logging.INFO)
    keep_freed_memory()
    settings = {name: getattr(args, name) for name in SETTINGS}
    claim(args.workdir, settings)
    keep_compiled(str(args.workdir / 'compiled'))
    sides = splits(args.dataset, args.size)
    found = {num: [] for num in map(int, args.per_class.split(','))}
    for seed in range(args.seeds):  # seed by seed: what is ended early has a table of fewer seeds
        for num, arms in found.items():
            arms.append(cell(num, seed, sides, args))
    cells = {str(num): {x: [arm[x] for arm in arms] for x in ARMS} for num, arms in found.items()}
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[args.augmentation] = {'settings': settings, 'accuracies': cells}
    files.replace(RESULTS, lambda part: part.write_text(json.dumps(kept, indent=1) + '\n'))
    print_table(cells)


if __name__ == '__main__':
    main()
