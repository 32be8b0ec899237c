"""Loading a data set once: every record is decoded, and what cannot be used is left out."""

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from absl import logging

from gan_jax.data import cleaning, npz, pictures, sources, synthetic, transforms
from gan_jax.data import domains as pairs
from gan_jax.data.dataset import Dataset, points, stack
from gan_jax.data.vectors import VECTORS, vectors
from gan_jax.errors import UserError, printable

Result = TypeVar('Result')

CHUNK = 64  # records that a thread fetches at once
DEFAULT_SIZE = 64
SECONDS_BETWEEN_LINES = 10.0


def load(
    dataset: str | sources.Source,
    *,
    image_size: int | None,
    split: str = 'train',
    channels: int | None = None,
    max_bad: float = 0.01,
    min_size: int = 8,
    memory_gb: float = 4.0,
    max_pixels: int = pictures.MAX_PIXELS,
    data_dir: str | None = None,
) -> Dataset:
    """Opens a data set, decodes every record once and leaves out those that cannot be used.

    Args:
      dataset: 'mnist_5k', 'folder:PATH', a TFDS name, or a source (sources.from_arrays);
        'stacked:NAME' for stacks of the images of one of these (dataset.stack); 'paired:PATH',
        'unpaired:PATH' or 'unpaired:NAME,NAME' for images of two domains (pairs.open_domains); or
        the name of a mixture of points (synthetic.MIXTURES); or 'vectors:PATH' (vectors.vectors).
      image_size: the side of the square images; None is the set's own if its images are all
        squares of one size, else 64. None for points.
      split: which part of it.
      channels: 1 or 3; None is 1 if all images are stored as grey, else 3. None for points.
      max_bad: the share of unusable records that is borne.
      min_size: the least length of a usable image's shorter side, before resizing.
      memory_gb: what the decoded set may take, 10^9 bytes; a larger one is decoded as it is read.
      max_pixels: the most pixels of a usable picture, before resizing.
      data_dir: the folder of the prepared TFDS sets; None is TFDS's own.

    Raises:
      UserError: if it is missing, not prepared, or too much of it cannot be used; if it is asked
        for what it cannot be.
    """
    if isinstance(dataset, str) and dataset in synthetic.MIXTURES:
        _refuse_image_options(dataset, image_size, channels)
        return points(dataset, split)
    if isinstance(dataset, str) and dataset.startswith(VECTORS):
        _refuse_image_options(dataset, image_size, channels)
        return vectors(dataset.removeprefix(VECTORS), split, max_bad)
    if isinstance(dataset, str) and dataset.startswith(sources.STACKED):
        base = _base_of_stacks(dataset, channels)
        try:
            grey = load(
                base, image_size=image_size, split=split, channels=1, max_bad=max_bad,
                min_size=min_size, memory_gb=memory_gb, max_pixels=max_pixels, data_dir=data_dir,
            )  # fmt: skip
        except UserError as error:
            raise type(error)(f'{dataset}: {error}') from error
        return stack(grey, dataset, split)
    pictures.permit(max_pixels)
    limits = min_size, max_pixels
    if isinstance(dataset, str) and dataset.startswith((sources.PAIRED, sources.UNPAIRED)):
        domains = pairs.open_domains(dataset, split=split, data_dir=data_dir, max_pixels=max_pixels)
        natives = [_native(x, image_size, channels, *limits) for x in (domains.a, domains.b)]
        shape = domains.common(*natives)
        loaded = _decoded(domains.joined(), shape, limits, memory_gb)
        return domains.dataset(loaded, max_bad)
    if isinstance(dataset, str):
        source = sources.open_source(dataset, split=split, data_dir=data_dir)
    else:
        source = dataset
    shape = _native(source, image_size, channels, *limits)
    loaded = _decoded(source, shape, limits, memory_gb)
    cleaning.report(source.name, loaded.bad, len(source), max_bad)
    return loaded


def _decoded(
    source: sources.Source, shape: tuple[int, int], limits: tuple[int, int], memory_gb: float
) -> Dataset:
    """The usable records, however few, of a side and channels; of pictures within the limits."""
    size, depth = shape
    held = len(source) * size * size * depth <= memory_gb * 1e9
    images = np.empty((len(source) if held else 0, size, size, depth), np.uint8)
    labels, several = np.zeros(len(source), np.int32), np.zeros(len(source), bool)

    def read(index: int, raw: Any) -> str | None:
        """Why a record is bad; a good one is put in its place."""
        try:
            record = cleaning.fitted(source, raw, shape, *limits)
        except cleaning.BadRecord as error:
            return error.args[0]
        labels[index], several[index] = record.label, record.several
        if held:
            images[index] = record.image
        return None

    reasons = _for_each(read, source)
    if several.any():
        names = [source.describe(i) for i in np.flatnonzero(several).tolist()]
        logging.info(
            '%s: %d images have several frames, of which only the first is used: %s', source.name,
            len(names), cleaning.listed(names),
        )  # fmt: skip
    bad = tuple((source.describe(i), reason) for i, reason in enumerate(reasons) if reason)
    good = np.array([i for i, reason in enumerate(reasons) if not reason], np.intp)
    fetch: Callable[[np.ndarray], np.ndarray]
    if held:
        fetch = (lambda places: images[good[places]]) if bad else images.__getitem__
    else:
        fetch = _decoder(source, good, shape, limits)
    return Dataset(source.name, (size, size, depth), source.class_names, labels[good], fetch, bad)


def _refuse_image_options(name: str, image_size: int | None, channels: int | None) -> None:
    for key, value in (('image_size', image_size), ('data.channels', channels)):
        if value is not None:
            raise UserError(f'config.{key}={value}: {name} has no images; leave it None')


def _base_of_stacks(name: str, channels: int | None) -> str:
    """The set whose images 'stacked:NAME' stacks."""
    base = name.removeprefix(sources.STACKED)
    unfit = (sources.STACKED, sources.PAIRED, sources.UNPAIRED)
    if base in synthetic.MIXTURES or base.startswith(unfit):
        raise UserError(f'config.dataset={name}: {base} cannot be stacked; name a set of images')
    if channels not in (None, 3):
        raise UserError(f'config.data.channels={channels}: {name} has 3; leave it None or say 3')
    return base


def _native(
    source: sources.Source,
    image_size: int | None,
    channels: int | None,
    min_size: int,
    max_pixels: int,
) -> tuple[int, int]:
    """The side and the channels to use; looks into the images only for what is not yet known."""
    height, width, depth = source.shape
    if not image_size and height and width:
        image_size = _side({(height, width)})
    if not channels and depth:
        channels = 1 if depth == 1 else 3
    if image_size and channels:
        return image_size, channels
    sizes, grey = set(), True
    for index in range(len(source)):
        try:
            image, _ = source.record(index)
        except Exception:  # cleaning will count it
            continue
        if isinstance(image, np.ndarray):
            extent, is_grey = (image.shape[0], image.shape[1]), image.shape[-1] == 1
        else:
            extent, is_grey = image.size, image.mode in cleaning.GREY_MODES
        if min(extent) < min_size or math.prod(extent) > max_pixels:  # it will be skipped
            continue
        sizes.add(extent)
        grey &= is_grey
        if (image_size or len(sizes) > 1) and (channels or not grey):
            break
    return image_size or _side(sizes), channels or (1 if grey else 3)


def _side(sizes: set[tuple[int, int]]) -> int:
    """The side that all images share if they are equal squares, else 64."""
    (height, width), *others = sizes or {(0, 1)}
    return height if height == width and not others else DEFAULT_SIZE


def _for_each(read: Callable[[int, Any], Result], source: sources.Source) -> list[Result]:
    """read(index, raw) of every record, on all cores: decoders release Python's lock."""

    def read_chunk(start: int) -> list[Result]:
        indices = range(start, min(start + CHUNK, len(source)))
        return list(map(read, indices, source.fetch(indices)))

    results: list[Result] = []
    said = time.monotonic()
    with ThreadPoolExecutor(_cores()) as pool:
        for chunk in pool.map(read_chunk, range(0, len(source), CHUNK)):
            results += chunk
            if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                logging.info('%s: decoded %d of %d', source.name, len(results), len(source))
    return results


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _decoder(
    source: sources.Source, good: np.ndarray, shape: tuple[int, int], limits: tuple[int, int]
) -> Callable[[np.ndarray], np.ndarray]:
    """Places among the good records -> their images, decoded now, on all cores."""
    pool = ThreadPoolExecutor(_cores())

    def decode(index: int, raw: Any) -> np.ndarray:
        try:
            return cleaning.fitted(source, raw, shape, *limits).image
        except cleaning.BadRecord as error:
            raise UserError(
                f'{source.describe(index)} is {error} now and was not when {source.name} was '
                'loaded; put it back or start again without it'
            ) from error

    def fetch(indices: np.ndarray) -> np.ndarray:
        records = good[indices].tolist()
        return np.stack(list(pool.map(decode, records, source.fetch(records))))

    return fetch


def load_as_is(flag: str, name: str) -> Dataset:
    """Images to compare as they are: nothing is cropped or resized.

    Args:
      flag: what names them, for messages.
      name: a data set, 'folder:PATH', or PATH.npz of uint8 images [n, side, side, 1 or 3].

    Raises:
      UserError: if there are none, or they are not all squares of one size.
    """
    if name.endswith('.npz'):
        return _stored_as_is(flag, name)
    prefixes = sources.STACKED, sources.PAIRED, sources.UNPAIRED, VECTORS
    if name in synthetic.MIXTURES or name.startswith(prefixes):
        raise UserError(
            f'{flag}={name} is no set of single images; name folder:PATH, PATH.npz or such a set'
        )
    source = sources.open_source(name)
    height, width, _ = source.shape
    if height and width:
        found = {(width, height)}
    else:
        found = {size for i in range(len(source)) if (size := _size(source, i))}
    if len(found) > 1:
        some = ', '.join(f'{w}x{h}' for w, h in sorted(found)[:3])
        raise UserError(
            f'{flag}={name} has images of {len(found)} sizes ({some}, ...); make them alike: '
            f'figures of rescaled images are figures of the rescaling'
        )
    for width, height in found:
        _check_square(flag, name, (height, width))
    return load(source, image_size=None, min_size=1)


def _stored_as_is(flag: str, name: str) -> Dataset:
    """The images of an .npz: those called 'images', or else the first array; with its 'labels'."""

    def choose(names: list[str]) -> list[str]:
        others = [name for name in names if name != 'labels']
        return [*(['images'] if 'images' in names else others[:1]), *({'labels'} & {*names})]

    needed = 'uint8 [n, side, side, 1 or 3] is needed'
    what = f'{flag}={name}'
    arrays = npz.read(what, name, choose, needed)
    labels = arrays.pop('labels', None)
    if not arrays:
        raise UserError(f'{what} holds no images; {needed}')
    (images,) = arrays.values()
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise UserError(f'{what} holds {images.dtype} {images.shape}; {needed}')
    _check_square(flag, name, images.shape[1:3])
    source = sources.from_arrays(printable(name), images, labels)
    cleaning.report(source.name, (), len(images), 0.0)
    labels = np.asarray(source.labels, np.int32)
    return Dataset(source.name, images.shape[1:], source.class_names, labels, images.__getitem__)


def _check_square(flag: str, name: str, size: tuple[int, ...]) -> None:
    height, width = size
    if height != width:
        raise UserError(
            f'{flag}={name} has images of {(height, width)}, not squares; crop or pad them first: '
            f'figures of rescaled images are figures of the rescaling'
        )


def _size(source: sources.Source, index: int) -> tuple[int, int] | None:
    """Width and height of an upright record; None of a bad one, which cleaning names."""
    try:
        picture = source.record(index)[0]  # not decoded yet
        if isinstance(picture, np.ndarray):
            return picture.shape[1], picture.shape[0]
        return transforms.extent(picture)
    except Exception:
        return None
