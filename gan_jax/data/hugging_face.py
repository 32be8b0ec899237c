"""Data sets of Hugging Face's library `datasets` that lie on a disk; nothing is downloaded."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from gan_jax.data import pictures, sources
from gan_jax.errors import NoSplit, UserError, one_line, printable

HF = 'hf:'


def images(path: str, split: str = 'train') -> sources.Source:
    """The images of a set that `save_to_disk` wrote: its Image feature and its ClassLabel, if any.

    The feature called 'image' or else the only one that is an Image; 'label' or else the only
    ClassLabel. Without a ClassLabel all labels are 0 and the one class is ''.

    Args:
      path: the folder; ~ is the home.
      split: one of a set's splits; of a single split 'train' only.

    Raises:
      UserError: if the library is not installed, or the set cannot be read or has no images.
      NoSplit: if there is no such split.
    """
    what = f'config.dataset={printable(f"{HF}{path}")}'
    try:
        import datasets
    except ImportError as error:
        raise UserError(f"{what} needs {error.name}; pip install 'gan_jax[hf]'") from error
    try:
        loaded = datasets.load_from_disk(str(pathlib.Path(os.path.expanduser(path))))
    except Exception as error:  # foreign files: anything may be raised
        raise UserError(
            f'{what} cannot be read ({one_line(error)}); name a folder that save_to_disk wrote'
        ) from error
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {'train': loaded}
    if split not in splits:
        raise NoSplit(f'config.data.split={split!r} is no split of {path}: {", ".join(splits)}')
    rows = splits[split]
    image_key, image = sources.feature(rows.features, datasets.Image, 'image')
    label_key, label = sources.feature(rows.features, datasets.ClassLabel, 'label')
    if image is None or not len(rows):
        raise UserError(
            f'{what} has no feature of images; its features: {", ".join(rows.features)}'
        )
    rows = rows.select_columns([image_key, *([label_key] if label else [])])
    # As bytes, so that gan_jax.data.cleaning meets the broken ones.
    rows = rows.cast_column(image_key, datasets.Image(decode=False))

    def fetch(indices: Sequence[int]) -> Sequence[Any]:
        some = rows[[int(i) for i in indices]]
        return [
            *zip(some[image_key], some[label_key] if label else [0] * len(indices), strict=True)
        ]

    def parse(row: Any) -> sources.Record:
        held, place = row
        return pictures.opened(held['bytes'] or pathlib.Path(held['path'])), place

    name = printable(f'{HF}{path}')
    return sources.Source(
        name, len(rows), tuple(label.names) if label else ('',), fetch, parse,
        lambda i: f'{name} {split}[{i}]', labels=[*rows[label_key]] if label else None,
    )  # fmt: skip
