"""Data sets in one file: arrays in an .npz, pictures in a zip archive as they are."""

import collections
import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_jax.data import given, hugging_face, npz, sources
from gan_jax.errors import NoSplit, UserError, one_line, printable

NPZ, ZIP = 'npz:', 'zip:'
CLASSES = 'classes'  # their names, among arrays
MOST_BYTES = 2**28  # of a picture's file: bytes are packed a thousandfold


def open_source(
    dataset: str, *, split: str = 'train', data_dir: str | None = None
) -> sources.Source:
    """The records that a config's `dataset` names, as `sources.open_source`, these among them."""
    if dataset.startswith(NPZ):
        return arrays(dataset.removeprefix(NPZ), split)
    if dataset.startswith(ZIP):
        return pictures(dataset.removeprefix(ZIP), split)
    if dataset.startswith(hugging_face.HF):
        return hugging_face.images(dataset.removeprefix(hugging_face.HF), split)
    return sources.open_source(dataset, split=split, data_dir=data_dir)


def arrays(path: str, split: str = 'train') -> sources.Source:
    """The images of an .npz file, with their labels if it has any.

    Args:
      path: a file with arrays 'images' and perhaps 'labels' and 'classes', the names of what these
        are, which are the split 'train'; or for each split 'x_train' and perhaps 'y_train', as
        Keras writes them. Images are [n, h, w, 1 or 3] or [n, h, w], uint8 or floats in [-1, 1];
        labels integers from 0. ~ is the home.
      split: which of them.

    Raises:
      UserError: if the file cannot be read, or holds no such arrays.
      NoSplit: if it has no such split.
    """
    dataset = printable(f'{NPZ}{path}')
    needed = "name an .npz file with 'images', and perhaps 'labels', or 'x_train' and 'y_train'"
    pairs = [(f'x_{split}', f'y_{split}')] + [('images', 'labels')] * (split == 'train')
    names: list[str] = []

    def choose(stored: list[str]) -> list[str]:
        names.extend(stored)
        pair = next((x for x in pairs if x[0] in stored), ())
        named = (CLASSES,) if 'labels' in pair and 'labels' in stored else ()
        return [x for x in (*pair, *named) if x in stored]

    found = npz.read(f'config.dataset={dataset}', path, choose, needed)
    if not found:
        held = [x.removeprefix('x_') for x in names if x.startswith('x_')]
        held += ['train'] if 'images' in names else []
        if held:
            raise NoSplit(
                f'config.data.split={split!r} is no split of {dataset}; valid: {", ".join(held)}'
            )
        raise UserError(f'config.dataset={dataset} holds {", ".join(names) or "nothing"}; {needed}')
    classes = found.pop(CLASSES, None)
    images, *labels = found.values()
    source = given.of_arrays(dataset, (images, labels[0].ravel()) if labels else images)
    return source if classes is None else _named(source, classes)


def _named(source: sources.Source, names: np.ndarray) -> sources.Source:
    texts = names.dtype.kind == 'U' and names.ndim == 1
    if not texts or len({*names.tolist()}) < max(len(names), len(source.class_names)):
        raise UserError(
            f"{source.name}: 'classes' is {names.dtype} {names.shape}; a text for each of its "
            f'{len(source.class_names)} classes is needed, no two alike, or none'
        )
    return dataclasses.replace(source, class_names=tuple(map(printable, names.tolist())))


def pictures(path: str, split: str = 'train') -> sources.Source:
    """The pictures in a zip archive, which is not unpacked, in the order of their sorted names.

    The class is the first folder on the way to a picture, '' if there is none, as `sources.folder`
    has it; hidden files and what is no picture are passed over.

    Args:
      path: the file; ~ is the home.
      split: 'train' only; name another archive for another split.

    Raises:
      UserError: if it is no such archive, or holds no pictures.
      NoSplit: of another split.
    """
    dataset = printable(f'{ZIP}{path}')
    if split != 'train':
        raise NoSplit(f"config.data.split={split!r}: {dataset} has no split but 'train'")
    file = pathlib.Path(os.path.expanduser(path))
    passed: collections.Counter[str] = collections.Counter()
    try:
        if not file.is_file():
            raise ValueError('it is not a regular file' if file.exists() else 'it is not there')
        archive = zipfile.ZipFile(file)
        members = {
            x.filename: x
            for x in archive.infolist()
            if not x.is_dir()
            and not any(y.startswith(('.', '__MACOSX')) for y in x.filename.split('/')[:-1])
            and sources.is_image(x.filename.rsplit('/', 1)[-1], passed)
        }
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f'config.dataset={dataset} cannot be read ({one_line(error)}); name a zip archive of '
            f'images'
        ) from error
    if not members:
        raise UserError(f'config.dataset={dataset} holds no images; name a zip archive of images')
    sources.tell_passed(dataset, path, passed)
    names = sorted(members)

    def read(name: str) -> bytes:
        """A picture's file; of one that cannot be read nothing, which no picture is."""
        if members[name].file_size > MOST_BYTES:
            return b''
        try:
            return archive.read(name)
        except Exception:  # foreign bytes: anything may be raised
            return b''

    def fetch(indices: Sequence[int]) -> Sequence[Any]:
        return [(i, read(names[i])) for i in indices]

    return sources.of_files(dataset, names, fetch)
