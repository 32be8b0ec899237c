"""Drawing batches from a data set without end.

Batch `step` is a function of (seed, step) alone. The stream of examples is one permutation of
the data set after another, that of epoch e drawn from (seed, e), and batch `step` is its part
[step * batch_size, (step + 1) * batch_size): it may straddle epochs and be larger than one. Where
the examples of two domains are in no relation, the sources have a stream of their own, of epochs of
their own length, drawn from (seed, e, 1). Where few labels are known, so have the examples with
labels, drawn from (seed, e, 2). Where examples are drawn by conditions there are no epochs: batch
`step` is drawn from (seed, step, 3).

Of several processes each gives the whole batch with zeros wherever another one gives the numbers,
so that their sum is the batch: what is in it does not depend on how many they are.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import grain
import numpy as np
from absl import logging

from gan_jax.data.dataset import Batch, Dataset
from gan_jax.data.share import ALONE, Share

PREFETCH = 4
SOURCES = 1  # the stream of those that are in no relation to the examples
LABELLED = 2  # the stream of examples whose labels are known
CONDITIONED = 3  # of examples that are drawn by conditions
POISSON = 4  # where every example comes or not


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


def batch_at(
    dataset: Dataset, step: int, *, batch_size: int, seed: int, share: Share = ALONE
) -> Batch:
    """The batch of step 0, 1, ...: {'real': stored examples [batch_size, ...], 'label': int32}.

    Images are uint8 [batch_size, h, w, c], points float32 [batch_size, 2]. Of two domains there is
    a 'source', of the same kind, too. Where few labels are known there is 'labelled', as many
    examples as in the batch, and 'label' is theirs. Where examples are drawn by conditions there is
    'condition', int32 [batch_size, 1].

    Args:
      dataset: the data.
      step: its number.
      batch_size: over all processes.
      seed: at least 0.
      share: the process's part; there are zeros in place of what the others give.
    """
    start, stop = step * batch_size, (step + 1) * batch_size
    conditions = {}
    if dataset.conditioned is None:
        places = examples(len(dataset), seed, start, stop)
    else:
        generator = np.random.default_rng((seed, step, CONDITIONED))
        places, conditions['condition'] = dataset.conditioned(generator, batch_size)
    of_sources = None
    if dataset.num_sources is not None:
        of_sources = examples(dataset.num_sources, seed, start, stop, SOURCES)
    labelled = None
    if dataset.labelled is not None:
        known = dataset.labelled(seed)
        labelled = known[examples(len(known), seed, start, stop, LABELLED)]
    if share.count == 1:
        return dataset.batch(places, of_sources, labelled) | conditions
    part = share.of(batch_size)
    if dataset.own is not None:
        batch = dataset.own.batch(places, of_sources, labelled)
        return {**batch, 'label': _among_zeros(batch['label'][part], part, batch_size)}
    of_sources, labelled = (None if x is None else x[part] for x in (of_sources, labelled))
    batch = dataset.batch(places[part], of_sources, labelled)
    batch |= {name: x[part] for name, x in conditions.items()}
    return {name: _among_zeros(x, part, batch_size) for name, x in batch.items()}


def poisson(num_examples: int, expected: float, step: int, seed: int) -> np.ndarray:
    """Places of the examples that step 0, 1, ... draws, each with probability expected / num.

    As many as a binomial draw says, without replacement: that is the same.
    """
    rng = np.random.default_rng((seed, step, POISSON))
    count = rng.binomial(num_examples, expected / num_examples)
    return rng.choice(num_examples, count, replace=False)


def poisson_batch_at(
    dataset: Dataset, step: int, *, batch_size: int, seed: int, rows: int, share: Share = ALONE
) -> Batch:
    """As `batch_at`, of examples that come independently of each other, `batch_size` on average.

    The batch has `rows` rows, zeros behind its examples, and a 'weight' float32 [rows], 1 where
    there is an example. Of more examples those left over, at random, are left out with a warning.
    """
    places = poisson(len(dataset), batch_size, step, seed)
    if len(places) > rows:
        logging.warning(
            'step %d draws %d examples and has room for %d; the others are left out',
            step + 1, len(places), rows,
        )  # fmt: skip
        places = places[:rows]
    part = share.of(rows)
    mine = slice(part.start, max(part.start, min(part.stop, len(places))))
    if dataset.own is not None and share.count > 1:
        batch = dataset.own.batch(places)
        batch = {name: _among_zeros(x, slice(len(x)), rows) for name, x in batch.items()}
        batch['label'] = _among_zeros(dataset.labels[places[mine]], mine, rows)
    else:
        batch = dataset.batch(places[mine])
        batch = {name: _among_zeros(x, mine, rows) for name, x in batch.items()}
    weight = np.ones(mine.stop - mine.start, np.float32)
    return {**batch, 'weight': _among_zeros(weight, mine, rows)}


def _among_zeros(x: np.ndarray, part: slice, num: int) -> np.ndarray:
    """So many rows: x in its part of them, zeros elsewhere."""
    rows = np.zeros((num, *x.shape[1:]), x.dtype)
    rows[part] = x
    return rows


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
    share: Share = ALONE,
    batch_at: Callable[..., Batch] = batch_at,
) -> grain.DatasetIterator:
    """Batches without end, read ahead by a thread.

    Args:
      dataset: the data.
      batch_size: over all processes.
      seed: at least 0; each epoch's order follows from it and from the epoch's number. Of several
        seeds the batches are stacked behind the examples: [steps_per_dispatch, batch_size, seeds,
        ...].
      steps_per_dispatch: how many consecutive batches make an element.
      share: the process's part; there are zeros in place of what the others give.
      batch_at: what a batch is made by.

    Returns:
      grain's iterator of {'real': [steps_per_dispatch, batch_size, ...], 'label': int32
      [steps_per_dispatch, batch_size]}; of two domains with 'source', as 'real'. Its get_state()
      is a dict that JSON can hold, whatever the share; set_state(it) goes on exactly there.
    """
    at = functools.partial(batch_at, dataset, batch_size=batch_size, share=share)

    def batch(step: int) -> Batch:
        if isinstance(seed, int):
            return at(step, seed=seed)
        each = [at(step, seed=one) for one in seed]
        return {key: np.stack([one[key] for one in each], axis=1) for key in each[0]}

    elements = grain.MapDataset.source(_Dispatches(batch, steps_per_dispatch))
    return iter(
        elements.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=PREFETCH))
    )
