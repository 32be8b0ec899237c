"""Loading a data set once: every record is decoded, and what cannot be used is left out."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.data import (
    archives,
    cleaning,
    hugging_face,
    kinds,
    npz,
    pictures,
    series,
    sources,
    tables,
    transforms,
    vectors,
)
from gan_jax.data import domains as pairs
from gan_jax.data.dataset import Dataset, stack
from gan_jax.data.decoding import decoded
from gan_jax.data.share import ALONE, Share
from gan_jax.errors import UserError, printable

DEFAULT_SIZE = 64
# With what names begin that have a path or another name behind a colon.
PREFIXES = (
    archives.NPZ, archives.ZIP, hugging_face.HF, sources.FOLDER, sources.STACKED, sources.PAIRED,
    sources.UNPAIRED, vectors.VECTORS, series.SERIES, tables.TABLE,
)  # fmt: skip


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
    share: Share = ALONE,
    **options: Any,
) -> Dataset:
    """Opens a data set, decodes every record once and leaves out those that cannot be used.

    Args:
      dataset: 'mnist_5k', 'folder:PATH', 'npz:PATH', 'zip:PATH', 'hf:PATH', a TFDS name, or a
        source (sources.from_arrays); 'stacked:NAME' for stacks of the images of one of these
        (dataset.stack); 'paired:PATH', 'unpaired:PATH' or 'unpaired:NAME,NAME' for images of two
        domains (pairs.open_domains); or the name of a mixture of points (synthetic.MIXTURES);
        'vectors:PATH' (vectors.vectors); 'sines', 'sines_paper' or 'series:PATH' (series.load);
        'table:PATH' (tables.table); 'text:PATH' (text.texts); 'oracle' (oracle.load); or
        'folder:PATH' without pictures (sounds.sounds).
      image_size: the side of the square images; None is the set's own if its images are all
        squares of one size, else 64. None for points.
      split: which part of it.
      channels: 1 or 3; None is 1 if all images are stored as grey, else 3. None for points.
      max_bad: the share of unusable records that is borne.
      min_size: the least length of a usable image's shorter side, before resizing.
      memory_gb: what the decoded records of the process may take, 10^9 bytes; more are decoded as
        they are read.
      max_pixels: the most pixels of a usable picture, before resizing.
      data_dir: the folder of the prepared TFDS sets; None is TFDS's own.
      share: the process's part of the records; all processes call this, and all come to one data
        set, or to one error. What is no picture is held by each.
      **options: what is said of some kinds alone, kinds.USUAL.

    Raises:
      UserError: if it is missing, not prepared, or too much of it cannot be used; if it is asked
        for what it cannot be.
    """
    kind = kinds.find(dataset)
    told = kinds.chosen(dataset, kind, options)
    if kind is not None and isinstance(dataset, str):
        _refuse_image_options(dataset, image_size, channels)
        read = functools.partial(kind.read, dataset, split, max_bad, memory_gb, **told)
        return _agreed(read, share)
    if isinstance(dataset, str) and dataset.startswith(sources.STACKED):
        base = _base_of_stacks(dataset, channels)
        try:
            grey = load(
                base, image_size=image_size, split=split, channels=1, max_bad=max_bad,
                min_size=min_size, memory_gb=memory_gb, max_pixels=max_pixels, data_dir=data_dir,
                share=share,
            )  # fmt: skip
        except UserError as error:
            raise type(error)(f'{dataset}: {error}') from error
        return stack(grey, dataset, split)
    pictures.permit(max_pixels)
    limits = min_size, max_pixels
    if isinstance(dataset, str) and dataset.startswith((sources.PAIRED, sources.UNPAIRED)):
        domains = pairs.open_domains(
            dataset, split=split, data_dir=data_dir, max_pixels=max_pixels, share=share
        )
        both = domains.a, domains.b
        for source in both:
            _check_alike(source, share)
        shape = domains.common(*(_native(x, image_size, channels, *limits, share) for x in both))
        parts = [len(x) for x in both]
        loaded = decoded(domains.joined(), shape, limits, memory_gb, share, parts)
        return domains.dataset(loaded, max_bad)
    source = _opened(dataset, split, data_dir, share)
    _check_alike(source, share)
    shape = _native(source, image_size, channels, *limits, share)
    loaded = decoded(source, shape, limits, memory_gb, share)
    cleaning.report(source.name, loaded.bad, len(source), max_bad)
    return loaded


def _opened(
    dataset: str | sources.Source, split: str, data_dir: str | None, share: Share
) -> sources.Source:
    if not isinstance(dataset, str):
        return dataset
    return share.agreed(lambda: archives.open_source(dataset, split=split, data_dir=data_dir))


def _agreed(read: Callable[[], Dataset], share: Share) -> Dataset:
    """What each process holds all of."""
    rows = share.agreed(read)
    _check_alike(rows, share)
    return rows


def _check_alike(read: sources.Source | Dataset, share: Share) -> None:
    """Raises UserError unless all processes see as many records of the same classes."""
    seen = share.gather((len(read), read.class_names))
    for i, (size, classes) in enumerate(seen):
        if (size, classes) != seen[0]:
            raise UserError(
                f'{read.name}: process {i} sees {size} records of {len(classes)} classes, process '
                f'0 {seen[0][0]} of {len(seen[0][1])}; give all of them the same files'
            )


def _refuse_image_options(name: str, image_size: int | None, channels: int | None) -> None:
    for key, value in (('image_size', image_size), ('data.channels', channels)):
        if value is not None:
            raise UserError(f'config.{key}={value}: {name} has no images; leave it None')


def _base_of_stacks(name: str, channels: int | None) -> str:
    """The set whose images 'stacked:NAME' stacks."""
    base = name.removeprefix(sources.STACKED)
    unfit = (sources.STACKED, sources.PAIRED, sources.UNPAIRED)
    if kinds.find(base) or base.startswith(unfit):
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
    share: Share,
) -> tuple[int, int]:
    """The side and the channels to use; looks into the images only for what is not yet known."""
    height, width, depth = source.shape
    if not image_size and height and width:
        image_size = _side({(height, width)})
    if not channels and depth:
        channels = 1 if depth == 1 else 3
    if image_size and channels:
        return image_size, channels
    known = bool(image_size), bool(channels)
    part = share.of(len(source))
    kinds = share.everyones(lambda: _kinds(source, part, (min_size, max_pixels), known))
    sizes = {size for found, _ in kinds for size in found}
    grey = all(each for _, each in kinds)
    return image_size or _side(sizes), channels or (1 if grey else 3)


def _kinds(
    source: sources.Source,
    part: slice,
    limits: tuple[int, int],
    known: tuple[bool, bool],
) -> tuple[set[tuple[int, int]], bool]:
    """The sizes in a part of the records, and whether all are grey, until that decides."""
    (min_size, max_pixels), (size_known, channels_known) = limits, known
    sizes, grey = set(), True
    for index in range(part.start, part.stop):
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
        if (size_known or len(sizes) > 1) and (channels_known or not grey):
            break
    return sizes, grey


def _side(sizes: set[tuple[int, int]]) -> int:
    """The side that all images share if they are equal squares, else 64."""
    (height, width), *others = sizes or {(0, 1)}
    return height if height == width and not others else DEFAULT_SIZE


def load_as_is(flag: str, name: str) -> Dataset:
    """Images to compare as they are: nothing is cropped or resized.

    Args:
      flag: what names them, for messages.
      name: a data set, 'folder:PATH', or PATH.npz of uint8 images [n, side, side, 1 or 3].

    Raises:
      UserError: if there are none, or they are not all squares of one size.
    """
    if name.endswith('.npz') and not name.startswith(archives.NPZ):
        return _stored_as_is(flag, name)
    source = single_images(flag, name)
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


def single_images(flag: str, name: str) -> sources.Source:
    """The images of a data set, as they are.

    Args:
      flag: what names it, for messages.
      name: a data set.

    Raises:
      UserError: if there is none, or it is no set of single images.
    """
    prefixes = sources.STACKED, sources.PAIRED, sources.UNPAIRED
    if kinds.find(name) or name.startswith(prefixes):
        raise UserError(
            f'{flag}={name} is no set of single images; name folder:PATH, PATH.npz or such a set'
        )
    return archives.open_source(name)


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
