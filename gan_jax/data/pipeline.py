"""Loading a data set once, and drawing batches from it without end.

Batch `step` is a function of (seed, step) alone. The stream of examples is one permutation of
the data set after another, that of epoch e drawn from (seed, e), and batch `step` is its part
[step * batch_size, (step + 1) * batch_size): it may straddle epochs and be larger than one. Where
the images of two domains are in no relation, the sources have a stream of their own, of epochs of
their own length, drawn from (seed, e, 1).
"""

import dataclasses
import functools
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grain
import numpy as np
from absl import logging

from gan_jax.data import cleaning, sources, synthetic, transforms
from gan_jax.data import domains as pairs
from gan_jax.data.dataset import Batch, Dataset, points, stack
from gan_jax.errors import UserError

Result = TypeVar('Result')

CHUNK = 64  # records that a thread fetches at once
DEFAULT_SIZE = 64
PREFETCH = 4
SOURCES = 1  # the stream of those that are in no relation to the images
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
    data_dir: str | None = None,
) -> Dataset:
    """Opens a data set, decodes every record once and leaves out those that cannot be used.

    Args:
      dataset: 'mnist_5k', 'folder:PATH', a TFDS name, or a source (sources.from_arrays);
        'stacked:NAME' for stacks of the images of one of these (dataset.stack); 'paired:PATH',
        'unpaired:PATH' or 'unpaired:NAME,NAME' for images of two domains (pairs.open_domains); or
        the name of a mixture of points (synthetic.MIXTURES).
      image_size: the side of the square images; None is the set's own if its images are all
        squares of one size, else 64. None for points.
      split: which part of it.
      channels: 1 or 3; None is 1 if all images are stored as grey, else 3. None for points.
      max_bad: the share of unusable records that is borne.
      min_size: the least length of a usable image's shorter side, before resizing.
      memory_gb: what the decoded set may take, 10^9 bytes; a larger one is decoded as it is read.
      data_dir: the folder of the prepared TFDS sets; None is TFDS's own.

    Raises:
      UserError: if it is missing, not prepared, or too much of it cannot be used; if it is asked
        for what it cannot be.
    """
    if isinstance(dataset, str) and dataset in synthetic.MIXTURES:
        _refuse_image_options(dataset, image_size, channels)
        return points(dataset, split)
    if isinstance(dataset, str) and dataset.startswith(sources.STACKED):
        base = _base_of_stacks(dataset, channels)
        try:
            grey = load(
                base, image_size=image_size, split=split, channels=1, max_bad=max_bad,
                min_size=min_size, memory_gb=memory_gb, data_dir=data_dir,
            )  # fmt: skip
        except UserError as error:
            raise type(error)(f'{dataset}: {error}') from error
        return stack(grey, dataset, split)
    if isinstance(dataset, str) and dataset.startswith((sources.PAIRED, sources.UNPAIRED)):
        domains = pairs.open_domains(dataset, split=split, data_dir=data_dir)
        natives = [_native(x, image_size, channels, min_size) for x in (domains.a, domains.b)]
        size, depth = domains.common(*natives)
        loaded = _decoded(domains.joined(), size, depth, min_size, memory_gb)
        return domains.dataset(loaded, max_bad)
    if isinstance(dataset, str):
        source = sources.open_source(dataset, split=split, data_dir=data_dir)
    else:
        source = dataset
    size, depth = _native(source, image_size, channels, min_size)
    loaded = _decoded(source, size, depth, min_size, memory_gb)
    cleaning.report(source.name, loaded.bad, len(source), max_bad)
    return loaded


def _decoded(
    source: sources.Source, size: int, depth: int, min_size: int, memory_gb: float
) -> Dataset:
    """The usable records, however few."""
    held = len(source) * size * size * depth <= memory_gb * 1e9
    images = np.empty((len(source) if held else 0, size, size, depth), np.uint8)
    labels = np.zeros(len(source), np.int32)

    def read(index: int, raw: Any) -> str | None:
        """Why a record is bad; a good one is put in its place."""
        try:
            image, labels[index] = cleaning.read(source, raw, min_size)
        except cleaning.BadRecord as error:
            return error.args[0]
        if held:
            images[index] = transforms.fit(image, size, depth)
        return None

    reasons = _for_each(read, source)
    bad = tuple((source.describe(i), reason) for i, reason in enumerate(reasons) if reason)
    good = np.array([i for i, reason in enumerate(reasons) if not reason], np.intp)
    fetch: Callable[[np.ndarray], np.ndarray]
    if held:
        fetch = (images[good] if bad else images).__getitem__
    else:
        fetch = _decoder(source, good, size, depth, min_size)
    return Dataset(source.name, (size, size, depth), source.class_names, labels[good], fetch, bad)


def _refuse_image_options(name: str, image_size: int | None, channels: int | None) -> None:
    for key, value in (('image_size', image_size), ('data.channels', channels)):
        if value is not None:
            raise UserError(f'config.{key}={value}: {name} has points, not images; leave it None')


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
    source: sources.Source, image_size: int | None, channels: int | None, min_size: int
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
        if min(extent) < min_size:  # it will be skipped
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
    source: sources.Source, good: np.ndarray, size: int, channels: int, min_size: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Places among the good records -> their images, decoded now, on all cores."""
    pool = ThreadPoolExecutor(_cores())

    def decode(index: int, raw: Any) -> np.ndarray:
        try:
            image, _ = cleaning.read(source, raw, min_size)
        except cleaning.BadRecord as error:
            raise UserError(
                f'{source.describe(index)} is {error} now and was not when {source.name} was '
                'loaded; put it back or start again without it'
            ) from error
        return transforms.fit(image, size, channels)

    def fetch(indices: np.ndarray) -> np.ndarray:
        records = good[indices].tolist()
        return np.stack(list(pool.map(decode, records, source.fetch(records))))

    return fetch


@functools.lru_cache(maxsize=128)
def _permutations(
    num_examples: int, seed: int, stream: tuple[int, ...]
) -> Callable[[int], np.ndarray]:
    """epoch -> its order; each stream keeps two, however many seeds are read in turn."""
    order = functools.partial(_permutation, num_examples, seed, stream)
    return functools.lru_cache(maxsize=2)(order)


def _permutation(num_examples: int, seed: int, stream: tuple[int, ...], epoch: int) -> np.ndarray:
    order = np.random.default_rng((seed, epoch, *stream)).permutation(num_examples)
    order.flags.writeable = False  # since it is shared
    return order


def examples(num_examples: int, seed: int, start: int, stop: int, *stream: int) -> np.ndarray:
    """Places [start, stop) of the stream of examples: indices into the data set.

    That of epoch e is drawn from (seed, e, *stream).
    """
    order = _permutations(num_examples, seed, stream)
    epochs, places = np.divmod(np.arange(start, stop), num_examples)
    return np.concatenate([order(int(e))[places[epochs == e]] for e in np.unique(epochs)])


def _local(batch_size: int, process_index: int, process_count: int) -> slice:
    """A process's part of each global batch."""
    if batch_size < 1 or batch_size % process_count:
        raise UserError(
            f'config.batch_size={batch_size} cannot be divided among {process_count} processes; '
            f'use a multiple of {process_count}, such as '
            f'{max(1, round(batch_size / process_count)) * process_count}'
        )
    share = batch_size // process_count
    return slice(process_index * share, (process_index + 1) * share)


def batch_at(
    dataset: Dataset,
    step: int,
    *,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Batch:
    """The batch of step 0, 1, ...: {'image': uint8 [local, h, w, c], 'label': int32 [local]}.

    Points are float32 [local, 2], under the same key. Of two domains there is a 'source', uint8
    [local, h, w, c], too.

    Args:
      dataset: the data.
      step: its number.
      batch_size: over all processes.
      seed: at least 0.
      process_index: which process this is.
      process_count: how many there are; each reads batch_size / process_count examples.

    Raises:
      UserError: if the batch cannot be divided among the processes.
    """
    part = _local(batch_size, process_index, process_count)
    start, stop = step * batch_size + part.start, step * batch_size + part.stop
    places = examples(len(dataset), seed, start, stop)
    if dataset.num_sources is None:
        return dataset.batch(places)
    return dataset.batch(places, examples(dataset.num_sources, seed, start, stop, SOURCES))


@dataclasses.dataclass(frozen=True)
class _Dispatches:
    """grain's source: element i is the batches of steps_per_dispatch steps, stacked."""

    batch: Callable[[int], Batch]
    steps_per_dispatch: int

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, index: Any) -> Batch:
        first = int(index) * self.steps_per_dispatch
        steps = [self.batch(first + i) for i in range(self.steps_per_dispatch)]
        return {key: np.stack([step[key] for step in steps]) for key in steps[0]}


def batches(
    dataset: Dataset,
    *,
    batch_size: int,
    seed: int | Sequence[int],
    steps_per_dispatch: int = 1,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.DatasetIterator:
    """Batches without end, read ahead by a thread.

    Args:
      dataset: the data.
      batch_size: over all processes.
      seed: at least 0; each epoch's order follows from it and from the epoch's number. Of several
        seeds the batches are stacked behind the examples: [steps_per_dispatch, local, seeds, ...].
      steps_per_dispatch: how many consecutive batches make an element.
      process_index: which process this is.
      process_count: how many there are.

    Returns:
      grain's iterator of {'image': uint8 [steps_per_dispatch, local, h, w, c], 'label': int32
      [steps_per_dispatch, local]}; points are float32 [steps_per_dispatch, local, 2]; of two
      domains with 'source', shaped as 'image'. Its get_state() is a dict that JSON can hold;
      set_state(it) goes on exactly there.

    Raises:
      UserError: if the batch cannot be divided among the processes.
    """
    _local(batch_size, process_index, process_count)
    at = functools.partial(
        batch_at, dataset, batch_size=batch_size,
        process_index=process_index, process_count=process_count,
    )  # fmt: skip

    def batch(step: int) -> Batch:
        if isinstance(seed, int):
            return at(step, seed=seed)
        each = [at(step, seed=one) for one in seed]
        return {key: np.stack([one[key] for one in each], axis=1) for key in each[0]}

    elements = grain.MapDataset.source(_Dispatches(batch, steps_per_dispatch))
    return iter(
        elements.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=PREFETCH))
    )
