"""Which feature network a config names: the published one, a data set's classifier, or any other.

'classifier'            trained on the labels of the run's data set, once, and kept
'inception:PATH'        the FID's network, from pt_inception-2015-12-05-6726825d.pth
'package.module:name'   a `FeatureNetwork`, or a function of uint8 images [n, h, w, c] that
                        returns (features [n, d], logits [n, k])
"""

import hashlib
import inspect
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import logging
from flax import traverse_util

from gan_jax import data
from gan_jax.errors import UserError, one_line
from gan_jax.networks.features import FeatureNetwork, classifier, digest_of_outputs, inception
from gan_jax.runtime import cache as cache_lib
from gan_jax.runtime import parallel, processes

INCEPTION = 'inception:'
HELD_OUT = 10  # of a set without a test split every tenth image is kept from the classifier


def _themselves(images: np.ndarray) -> np.ndarray:
    return images


def load(
    name: str,
    train: data.Dataset,
    test: data.Dataset | None = None,
    cache: pathlib.Path | None = None,
    *,
    thumbnails: Callable | None = _themselves,
    own: Any = None,
) -> FeatureNetwork:
    """The network of that name.

    Args:
      name: see above.
      train: what a classifier is trained on; the published network does without.
      test: what its accuracy is measured on; of None on every tenth image of `train`, left out.
      cache: where what was trained or converted is kept; the user's cache folder by default.
      thumbnails: stored examples -> the images that networks are given.
      own: what 'package.module:name' stands for.

    Raises:
      UserError: if it cannot be had; the message says what would help.
    """
    cache = cache or cache_lib.folder()
    if thumbnails is None:
        raise UserError(
            f'{train.name} has no pictures to take features of; leave out the metrics of features'
        )
    if name == 'classifier':
        network = _classifier(train, test, cache, thumbnails)
    elif name.startswith(INCEPTION):
        path = name.removeprefix(INCEPTION)
        network = inception.load(path, cache=cache, compiled=parallel.everywhere)
    else:
        network = _own(name, own, thumbnails(train.batch(np.arange(1))['real']).shape[1:])
    return network._replace(apply=lambda examples: network.apply(thumbnails(examples)))


def _own(name: str, own: Any, shape: tuple[int, ...]) -> FeatureNetwork:
    if isinstance(own, FeatureNetwork):
        return own
    if not callable(own):
        raise UserError(f'features={name} is neither a FeatureNetwork nor a function')
    try:
        code = inspect.getsource(own)
    except (OSError, TypeError):
        code = repr(type(own))
    try:
        outputs = digest_of_outputs(own, _probes(shape))
    except Exception as error:  # foreign code: anything may be raised
        raise UserError(
            f'features={name} fails on uint8 images [8, {", ".join(map(str, shape))}]: it must '
            f'return (features [8, d], logits [8, k]) ({one_line(error)})'
        ) from error
    digest = hashlib.sha256(f'{code} {outputs}'.encode()).hexdigest()
    judge = processes.spread(lambda _, images: own(images))
    return FeatureNetwork(name.partition(':')[2], digest, 'its own', lambda x: judge(None, x))


def _probes(shape: tuple[int, ...]) -> np.ndarray:
    """Eight fixed images: black, white, all levels in order, and noise."""
    images = np.random.default_rng(0).integers(0, 256, (8, *shape), np.uint8)
    images[0], images[1] = 0, 255
    images[2] = np.arange(images[2].size).reshape(shape) % 256
    return images


def _classifier(
    train: data.Dataset, test: data.Dataset | None, cache: pathlib.Path | None, thumbnails: Callable
) -> FeatureNetwork:
    classes = len(train.class_names)
    if classes < 2:
        raise UserError(
            f'{train.name} has no labels to train a classifier on; give another feature network, '
            f'such as --features={INCEPTION}PATH'
        )
    places = np.arange(len(train))
    kept = np.ones(len(train), bool) if test else places % HELD_OUT != 0
    if len(np.unique(train.labels[kept])) < 2:
        raise UserError(
            f'{train.name} has too few images to train a classifier on ({kept.sum()}, of one '
            f'class); give another feature network, such as --features={INCEPTION}PATH'
        )
    short = ''.join(x if x.isalnum() or x in '_-' else '_' for x in train.name.split('/')[-1])

    def learn() -> dict[str, np.ndarray]:
        logging.info('%s: training the classifier of features, once', train.name)
        chosen = _Pictures(train, places[kept], thumbnails)
        params = classifier.train(chosen, train.labels[places[kept]], classes)
        return traverse_util.flatten_dict(params, sep='/')

    def learned() -> dict[str, np.ndarray]:
        digest = _digest_of_data(train, (classes, bool(test), HELD_OUT, *classifier.SETTINGS))
        file = cache and cache / 'classifiers' / f'{short}-{digest}.npz'
        return cache_lib.kept(file, learn)

    params = traverse_util.unflatten_dict(processes.on_first(learned), sep='/')
    several = data.chunk_size(train.shape)
    network = classifier.network(
        f'{short}-classifier', params, classes, compiled=parallel.everywhere,
        batch=several,
    )  # fmt: skip
    tested = test or train
    held_out = (places[~kept] if test is None else np.arange(len(test)))[:10_000]
    images = _Pictures(tested, held_out, thumbnails)
    accuracy = classifier.accuracy(network, images, tested.labels[held_out], several)
    logging.info(
        '%s: names %.2f%% of %d held-out images rightly', network.name, 100 * accuracy,
        len(held_out),
    )  # fmt: skip
    return network


class _Pictures:
    """What networks are given of some of a set's examples, read when they are asked for.

    Attributes:
      shape: that of all of them, as of an array.
    """

    def __init__(self, dataset: data.Dataset, places: np.ndarray, thumbnails: Callable):
        self._dataset, self._places, self._thumbnails = dataset, places, thumbnails
        self.shape = (len(places), *self[:1].shape[1:])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._thumbnails(self._dataset.fetch(self._places[rows]))


def _digest_of_data(train: data.Dataset, settings: tuple) -> str:
    """Of all that a classifier of a data set depends on."""
    digest = hashlib.sha256(repr((train.name, train.shape, settings)).encode())
    digest.update(train.labels.tobytes())
    for chunk in train.chunks():
        digest.update(np.ascontiguousarray(chunk).tobytes())
    return digest.hexdigest()[:16]
