"""Data sets that somebody's own code gives: sources, whole data sets, or arrays."""

from typing import Any

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.sources import Source, from_arrays
from gan_jax.errors import UserError


def source_of(name: str, given: Any) -> Source | Dataset:
    """What was given, as a source of records or a data set.

    Args:
      name: what arrays are called.
      given: a `Source`; a `Dataset`; images [n, h, w, c] or [n, h, w], uint8 or floats in
        [-1, 1], c 1 or 3; or (images, labels), integers [n] from 0.

    Raises:
      UserError: if it is none of these, or holds nothing.
    """
    return given if isinstance(given, Source | Dataset) else of_arrays(name, given)


def of_arrays(name: str, given: Any) -> Source:
    """Images, or (images, labels), as a source; see `source_of`."""
    images, labels = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    try:
        images = np.asarray(images)
    except ValueError:  # of rows that are not equally long
        images = np.empty(0)
    images = images[..., None] if images.ndim == 3 else images
    numbers = images.dtype == np.uint8 or images.dtype.kind == 'f'
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images) or not numbers:
        raise UserError(
            f'{name} gives {type(given).__name__} {images.dtype} {images.shape}; a gan_jax Source '
            f'or Dataset, images [n, h, w, 1 or 3], uint8 or floats in [-1, 1], or (images, '
            f'labels) are needed'
        )
    return from_arrays(name, images, labels)
