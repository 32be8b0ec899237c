"""What an example is: one module for each kind, a `Modality` made of plain settings.

A kind is named by its module, which has a function `make(settings) -> Modality`. Nothing outside
this folder asks which kind an example is.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from gan_jax.data import Dataset
from gan_jax.modalities.modality import Modality

__all__ = ['Modality', 'image_options', 'make', 'settings_from', 'settings_of']


def settings_of(dataset: Dataset) -> dict[str, Any]:
    """The settings of a data set's modality, its name among them: what a config keeps."""
    classes = len(dataset.class_names)
    settings = {'name': dataset.kind, 'shape': list(dataset.shape)}
    return settings | {'classes': classes if classes > 1 else None, **dataset.fitted}


def settings_from(size: int | None, channels: int) -> dict[str, Any]:
    """Those of a config of version 0.1: of points, which had no size, or of images."""
    if size is None:
        return {'name': 'points', 'shape': [channels]}
    return {'name': 'images', 'shape': [size, size, channels]}


def image_options(settings: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """A config's image_size and channels that load such examples again; None of other kinds."""
    if settings['name'] != 'images':
        return None, None
    height, _, channels = settings['shape']
    return height, channels


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of `settings_of`."""
    kind = importlib.import_module(f'{__name__}.{settings["name"]}')
    return kind.make({key: x for key, x in settings.items() if key != 'name'})
