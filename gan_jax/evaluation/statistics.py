"""What figures are computed from, gathered of real and of generated images.

Images pass chunk by chunk, and of each chunk only what the chosen figures name is kept, so that
memory does not grow with the number of images unless a figure needs every feature. What is
gathered of the reference is kept in the user's cache folder.
"""

import hashlib
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax import data, metrics
from gan_jax.errors import UserError, one_line
from gan_jax.networks.features import FeatureNetwork, digest_of_outputs
from gan_jax.runtime import cache as cache_lib
from gan_jax.runtime import processes, progress

CHUNK = 500
KEPT = 2500  # examples that are kept as they are
PARTS = 5  # of each side, for standard errors
PROBES = 16  # images of a reference that say whether a network is still what it was
WORDS = {'real': 'real', 'fake': 'generated', 'train': 'training'}  # of the sides, for people
OF_FEATURES = ('features', 'logits', 'parts')
SCORES = {f'{side}_scores' for side in WORDS}


class Missing(NamedTuple):
    """Evidence that there is not.

    Attributes:
      reason: why.
    """

    reason: str


def unusable(evidence: Any) -> str:
    """Why evidence cannot be used: it is missing, or holds numbers that are not finite; or ''."""
    if isinstance(evidence, Missing):
        return evidence.reason
    if isinstance(evidence, np.ndarray) and not np.isfinite(evidence).all():
        bad = np.sum(~np.isfinite(evidence.reshape(len(evidence), -1)).all(axis=1))
        return f'{bad} of {len(evidence)} are not finite (NaN or infinity)'
    return ''


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
      {name of evidence: value}; of features that cannot be had, `Missing`.
    """
    kinds = {x.removeprefix(f'{prefix}_') for x in wanted if x.startswith(f'{prefix}_')}
    names = ('every', 'examples', 'features', 'logits')
    kept: dict[str, list[np.ndarray]] = {x: [] for x in names}
    parts: list[metrics.Moments | None] = [None] * PARTS
    seen, trouble = 0, ''
    with progress.lines(f'{WORDS[prefix]} examples') as tell:
        for chunk in chunks:
            if 'every' in kinds:
                kept['every'].append(chunk)
            if seen < KEPT and 'examples' in kinds:
                kept['examples'].append(chunk[: KEPT - seen])
            if kinds & {*OF_FEATURES} and not trouble:
                features, logits, trouble = _features(network, chunk)
            if kinds & {*OF_FEATURES} and not trouble:
                kept['features'] += [features] if 'features' in kinds else []
                kept['logits'] += [logits] if 'logits' in kinds else []
                for i in range(PARTS if 'parts' in kinds else 0):
                    parts[i] = _add(parts[i], features[(i - seen) % PARTS :: PARTS])
            seen += len(chunk)
            tell(f'{seen} done')
    if trouble:
        kept.update(features=[], logits=[])
    found: dict[str, Any] = {
        f'{prefix}_{x}': np.concatenate(arrays)
        for x, arrays in kept.items()
        if arrays and x in kinds
    }
    if 'parts' in kinds:
        found[f'{prefix}_parts'] = [x for x in parts if x is not None]
    if trouble:
        found |= {f'{prefix}_{x}': Missing(trouble) for x in kinds & {*OF_FEATURES}}
    return found


def _features(
    network: FeatureNetwork | None, chunk: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """Features and logits; or why they cannot be used."""
    if network is None:
        raise ValueError('figures of features need a network')
    nothing = np.zeros((0, 0))
    try:
        features, logits = network.apply(chunk)
        features, logits = np.asarray(features), np.asarray(logits)
    except Exception as error:  # perhaps foreign code: anything may be raised
        return nothing, nothing, f'the network {network.name} fails: {one_line(error)}'
    for what, x in (('features', features), ('logits', logits)):
        if unusable(x):
            return nothing, nothing, f'{what} of {network.name}: {unusable(x)}'
    return features, logits, ''


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

    The key is a digest of the images in their order, of what is wanted, and of the network: what it
    says of itself, and its outputs for some of the images, since nothing else tells whether weights
    are still those that the name, the digest or the source text once stood for.

    Raises:
      UserError: if the network gives no finite features of real images.
    """
    mine = {x for x in wanted if x.startswith(f'{prefix}_')}
    featured = {x for x in mine if x.endswith(OF_FEATURES)}
    if network is None or not featured:
        return gather(reference.chunks(), mine, network, prefix)

    def made() -> dict[str, np.ndarray]:
        found = gather(reference.chunks(), featured, network, prefix)
        for value in found.values():
            if isinstance(value, Missing):
                raise UserError(f'of {reference.split} images: {value.reason}')
        return _flat(found)

    file = None
    if cache is not None:
        key = _key(reference, sorted(featured), network)
        file = cache / 'references' / f'{network.name}-{key}.npz'
    found = _unflat(cache_lib.kept(file, made, processes.in_all))
    return found | gather(reference.chunks(), mine - featured, None, prefix)


def _key(reference: Reference, featured: list[str], network: FeatureNetwork) -> str:
    dataset = reference.dataset
    told = (network.digest, network.resize, dataset.shape, CHUNK, PARTS, featured)
    digest = hashlib.sha256(repr(told).encode())
    for chunk in reference.chunks():
        digest.update(np.ascontiguousarray(chunk).tobytes())
    places = np.linspace(0, len(reference.places) - 1, PROBES).astype(int)
    probes = dataset.batch(reference.places[places])['real']
    try:
        digest.update(digest_of_outputs(network.apply, probes).encode())
    except Exception as error:  # perhaps foreign code: anything may be raised
        raise UserError(f'the network {network.name} fails: {one_line(error)}') from error
    return digest.hexdigest()[:32]


def _flat(found: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Evidence as arrays by name; of parts one for each field of each part."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in found.items():
        if isinstance(value, np.ndarray):
            arrays[name] = value
            continue
        for i, part in enumerate(value):
            arrays |= {f'{name}.{i}.{key}': np.asarray(x) for key, x in part._asdict().items()}
    return arrays


def _unflat(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in sorted({x.partition('.')[0] for x in arrays}):
        if name in arrays:
            found[name] = arrays[name]
            continue
        num = sum(x.startswith(f'{name}.') for x in arrays) // len(metrics.Moments._fields)
        parts = [[arrays[f'{name}.{i}.{x}'] for x in metrics.Moments._fields] for i in range(num)]
        found[name] = [metrics.Moments(int(count), *rest) for count, *rest in parts]
    return found


def judged(scores: Callable, chunks: Iterable[Any], labels: np.ndarray | None) -> np.ndarray:
    """The logits of all examples, each shown with its label if there are any."""
    found: list[np.ndarray] = []
    for chunk in chunks:
        start = sum(map(len, found))
        own = None if labels is None else labels[start : start + len(chunk)]
        found.append(scores(chunk, own))
    return np.concatenate(found)
