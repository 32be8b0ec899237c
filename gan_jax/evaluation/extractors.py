"""Which feature network a config names: the published one, a data set's classifier, or any other.

'classifier'            trained on the labels of the run's data set, once, and kept
'inception:PATH'        the FID's network, from pt_inception-2015-12-05-6726825d.pth
'package.module:name'   a `FeatureNetwork`, or a function of uint8 images [n, h, w, c] that
                        returns (features [n, d], logits [n, k])
"""

import hashlib
import inspect
import json
import os
import pathlib
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import logging
from flax import serialization

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.networks.features import FeatureNetwork, classifier, inception
from gan_jax.runtime import files, parallel

INCEPTION = 'inception:'
HELD_OUT = 10  # of a set without a test split every tenth image is kept from the classifier


def cache_folder() -> pathlib.Path:
    """The user's cache folder of this package."""
    root = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return pathlib.Path(root).expanduser() / 'gan_jax'


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
      train: what a classifier is trained on.
      test: what its accuracy is measured on; of None on every tenth image of `train`, left out.
      cache: where what was trained or converted is kept; the user's cache folder by default.
      thumbnails: stored examples -> the images that networks are given.
      own: what 'package.module:name' stands for.

    Raises:
      UserError: if it cannot be had; the message says what would help.
    """
    cache = cache or cache_folder()
    if thumbnails is None:
        raise UserError(
            f'{train.name} has no pictures to take features of; leave out the metrics of features'
        )
    if name == 'classifier':
        network = _classifier(train, test, cache, thumbnails)
    elif name.startswith(INCEPTION):
        path = name.removeprefix(INCEPTION)
        network = inception.load(path, cache=cache, compiled=parallel.over_examples)
    else:
        network = _own(name, own)
    return network._replace(apply=lambda examples: network.apply(thumbnails(examples)))


def _own(name: str, own: Any) -> FeatureNetwork:
    if isinstance(own, FeatureNetwork):
        return own
    if not callable(own):
        raise UserError(f'features={name} is neither a FeatureNetwork nor a function')
    try:
        source = inspect.getsource(own)
    except (OSError, TypeError):
        source = repr(own)
    return FeatureNetwork(
        name.partition(':')[2], hashlib.sha256(source.encode()).hexdigest(), 'its own', own
    )


def _classifier(
    train: data.Dataset, test: data.Dataset | None, cache: pathlib.Path, thumbnails: Callable
) -> FeatureNetwork:
    classes = len(train.class_names)
    if classes < 2:
        raise UserError(
            f'{train.name} has no labels to train a classifier on; give another feature network, '
            f'such as --features={INCEPTION}PATH'
        )
    places = np.arange(len(train))
    kept = np.ones(len(train), bool) if test else places % HELD_OUT != 0
    crc = zlib.crc32(train.labels.tobytes())
    for chunk in train.chunks():
        crc = zlib.crc32(chunk.tobytes(), crc)
    key = [train.name, train.shape, crc, bool(test), classifier.STEPS, classifier.VERSION]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    short = ''.join(x if x.isalnum() or x in '_-' else '_' for x in train.name.split('/')[-1])
    file = cache / 'classifiers' / f'{short}-{digest}.msgpack'
    tested = test or train
    some = places[~kept] if test is None else np.arange(len(test))
    if file.exists():
        params = serialization.msgpack_restore(file.read_bytes())
    else:
        logging.info('%s: training the classifier of features, once', train.name)
        chosen = _Pictures(train, places[kept], thumbnails)
        params = classifier.train(chosen, train.labels[places[kept]], classes)
        file.parent.mkdir(parents=True, exist_ok=True)
        files.replace(file, lambda part: part.write_bytes(serialization.to_bytes(params)))
    several = data.chunk_size(train.shape)
    network = classifier.network(
        f'{short}-classifier', params, classes, compiled=parallel.over_examples,
        batch=several,
    )  # fmt: skip
    held_out = some[:10_000]
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
