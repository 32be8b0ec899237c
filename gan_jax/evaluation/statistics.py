"""What figures are computed from, gathered of real and of generated images.

Images pass chunk by chunk, and of each chunk only what the chosen figures name is kept, so that
memory does not grow with the number of images unless a figure needs every feature. What is
gathered of the reference is kept in the user's cache folder.
"""

import hashlib
import json
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax import data, metrics
from gan_jax.networks.features import FeatureNetwork
from gan_jax.runtime import files

CHUNK = 500
KEPT = 2500  # examples that are kept as they are
PARTS = 5  # of the samples, for standard errors
OF_FEATURES = ('features', 'logits', 'moments', 'parts')


class Reference(NamedTuple):
    """What samples are compared with.

    Attributes:
      dataset: the data set.
      places: which of its examples, [n].
      split: what they are, for the record.
    """

    dataset: data.Dataset
    places: np.ndarray
    split: str

    def chunks(self) -> Iterator[np.ndarray]:
        """The images, chunk by chunk."""
        return self.dataset.chunks(self.places)

    def labels(self) -> np.ndarray:
        """The labels of all, in the same order."""
        return self.dataset.labels[self.places]


def choose(dataset: data.Dataset, num: int, seed: int, split: str) -> Reference:
    """A random choice of `num` examples, all in a random order if there are not so many."""
    order = np.random.default_rng(seed).permutation(len(dataset))
    return Reference(dataset, order[:num], split)


def gather(
    chunks: Iterable[np.ndarray], wanted: set[str], network: FeatureNetwork | None, prefix: str
) -> dict[str, Any]:
    """What is wanted of a set of images.

    Args:
      chunks: stored examples [n, ...].
      wanted: names of evidence; those with another prefix are left alone.
      network: what makes features; it may be None where none are wanted.
      prefix: 'real', 'fake' or 'train'.

    Returns:
      {name of evidence: value}.
    """
    kinds = {x.removeprefix(f'{prefix}_') for x in wanted if x.startswith(f'{prefix}_')}
    kept: dict[str, list[np.ndarray]] = {x: [] for x in ('examples', 'features', 'logits')}
    parts: list[metrics.Moments | None] = [None] * PARTS
    whole: metrics.Moments | None = None
    seen = 0
    for chunk in chunks:
        if seen < KEPT and 'examples' in kinds:
            kept['examples'].append(chunk[: KEPT - seen])
        if kinds & set(OF_FEATURES):
            if network is None:
                raise ValueError('figures of features need a network')
            features, logits = network.apply(chunk)
            kept['features'] += [features] if 'features' in kinds else []
            kept['logits'] += [logits] if 'logits' in kinds else []
            if 'moments' in kinds:
                whole = _add(whole, features)
            if 'parts' in kinds:
                for i in range(PARTS):
                    parts[i] = _add(parts[i], features[(i - seen) % PARTS :: PARTS])
        seen += len(chunk)
    found: dict[str, Any] = {
        f'{prefix}_{x}': np.concatenate(arrays)
        for x, arrays in kept.items()
        if arrays and x in kinds
    }
    if 'moments' in kinds:
        found[f'{prefix}_moments'] = whole
    if 'parts' in kinds:
        found[f'{prefix}_parts'] = [x for x in parts if x is not None]
    return found


def _add(before: metrics.Moments | None, features: np.ndarray) -> metrics.Moments | None:
    if not len(features):
        return before
    new = metrics.moments(features)
    return new if before is None else metrics.add_moments(before, new)


def gather_reference(
    reference: Reference,
    wanted: set[str],
    network: FeatureNetwork | None,
    cache: pathlib.Path | None,
    prefix: str = 'real',
) -> dict[str, Any]:
    """`gather` of a reference; from the cache where the same was gathered before.

    The key holds the network's digest, what it does to images, the images themselves by their CRC,
    their order and number, and what is wanted.
    """
    mine = sorted(x for x in wanted if x.startswith(f'{prefix}_'))
    featured = [x for x in mine if x.endswith(OF_FEATURES)]
    if cache is None or network is None or not featured:
        return gather(reference.chunks(), {*mine}, network, prefix)
    crc = 0
    for chunk in reference.chunks():
        crc = zlib.crc32(np.ascontiguousarray(chunk).tobytes(), crc)
    dataset = reference.dataset
    key = (network.digest, network.resize, dataset.name, dataset.shape, reference.split, crc, mine)
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    file = cache / 'references' / f'{network.name}-{name}.npz'
    found = _read(file, prefix)
    if found is None:
        found = gather(reference.chunks(), {*featured}, network, prefix)
        _write(file, found)
    examples = {*mine} - {*featured}
    return found | gather(reference.chunks(), examples, None, prefix)


def _write(file: pathlib.Path, found: Mapping[str, Any]) -> None:
    arrays: dict[str, np.ndarray] = {}
    for name, value in found.items():
        if isinstance(value, metrics.Moments):
            arrays |= {f'{name}.{key}': np.asarray(x) for key, x in value._asdict().items()}
        else:
            arrays[name] = value
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace(file, lambda part: np.savez(part, **arrays))  # type: ignore[arg-type]


def _read(file: pathlib.Path, prefix: str) -> dict[str, Any] | None:
    """What was written; None if nothing was, or it cannot be read."""
    try:
        with np.load(file) as stored:
            arrays = dict(stored)
    except (OSError, ValueError, KeyError, EOFError):
        return None
    name = f'{prefix}_moments'
    fields = {key: arrays.pop(f'{name}.{key}', None) for key in metrics.Moments._fields}
    if fields['mean'] is not None:
        fields['count'] = int(fields['count'])
        arrays[name] = metrics.Moments(**fields)
    return arrays
