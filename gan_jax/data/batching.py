"""Drawing batches from a data set without end.

Batch `step` is a function of (seed, step) alone. The stream of examples is one permutation of
the data set after another, that of epoch e drawn from (seed, e), and batch `step` is its part
[step * batch_size, (step + 1) * batch_size): it may straddle epochs and be larger than one. Where
the examples of two domains are in no relation, the sources have a stream of their own, of epochs of
their own length, drawn from (seed, e, 1).
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import grain
import numpy as np

from gan_jax.data.dataset import Batch, Dataset
from gan_jax.errors import UserError

PREFETCH = 4
SOURCES = 1  # the stream of those that are in no relation to the examples


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
    """The batch of step 0, 1, ...: {'real': stored examples [local, ...], 'label': int32 [local]}.

    Images are uint8 [local, h, w, c], points float32 [local, 2]. Of two domains there is a
    'source', of the same kind, too.

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
      grain's iterator of {'real': [steps_per_dispatch, local, ...], 'label': int32
      [steps_per_dispatch, local]}; of two domains with 'source', as 'real'. Its
      get_state() is a dict that JSON can hold; set_state(it) goes on exactly there.

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
