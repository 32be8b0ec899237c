"""Data sets of which only few labels are known."""

import dataclasses
import functools

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.errors import UserError


def choose(labels: np.ndarray, num: int, classes: int, seed: int) -> np.ndarray:
    """Places of `num` examples, as many of each class, drawn from the seed alone."""
    order = np.random.default_rng((seed, 0, 2, 1)).permutation(len(labels))
    own = labels[order]
    places = [order[own == label][: num // classes] for label in range(classes)]
    chosen = np.concatenate(places)
    chosen.flags.writeable = False  # since it is shared
    return chosen


def few_labels(dataset: Dataset, num: int) -> Dataset:
    """The same, the labels of `num` examples known, as many of each class; which, a seed says.

    Raises:
      UserError: if it has no classes, or they cannot have as many each.
    """
    what, classes = f'config.data.labelled={num}', len(dataset.class_names)
    if classes < 2:
        raise UserError(f'{what}: {dataset.name} has no classes; name another set')
    if num % classes:
        raise UserError(
            f'{what}: as many are taken of each of the {classes} classes of {dataset.name}; use a '
            f'multiple, such as {max(1, round(num / classes)) * classes}'
        )
    fewest = int(np.bincount(dataset.labels, minlength=classes).min())
    if num // classes > fewest:
        raise UserError(
            f'{what}: {num // classes} of each class are needed, and {dataset.name} has {fewest} '
            f'of one; use at most {fewest * classes}'
        )
    chosen = functools.lru_cache(maxsize=128)(
        functools.partial(choose, dataset.labels, num, classes)
    )
    return dataclasses.replace(dataset, labelled=chosen)
