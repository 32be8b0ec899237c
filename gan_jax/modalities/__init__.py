"""What an example is: one module for each kind, a `Modality` made of plain settings.

A kind is named by its module, which has a function `make(settings) -> Modality`. Nothing outside
this folder asks which kind an example is.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from gan_jax.data import Dataset
from gan_jax.modalities.modality import Modality

__all__ = ['Modality', 'make', 'settings_of']


def settings_of(dataset: Dataset) -> dict[str, Any]:
    """The settings of a data set's modality, its name among them: what a config keeps."""
    classes = len(dataset.class_names)
    return {
        'name': dataset.kind,
        'shape': list(dataset.shape),
        'classes': classes if classes > 1 else None,
        **dataset.fitted,
    }


def make(settings: Mapping[str, Any]) -> Modality:
    """The modality of `settings_of`."""
    kind = importlib.import_module(f'{__name__}.{settings["name"]}')
    return kind.make({key: x for key, x in settings.items() if key != 'name'})
