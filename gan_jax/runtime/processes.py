"""Several processes that play one run together: what knows of them stands here.

Each holds its share of the data and its devices; the first one alone writes. All run the same
program, so what is called here by one must be called by all, in the same order, from one thread.
"""

import functools
import itertools
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax._src import distributed
from jax.experimental import multihost_utils

T = TypeVar('T')
PATIENCE = 3600  # seconds; what a process waits for may read a whole data set
_numbers = itertools.count()


def index() -> int:
    """Which process this is, from 0."""
    return jax.process_index()


def count() -> int:
    """How many there are."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this is the process that writes."""
    return index() == 0


def on_first(function: Callable[[], T]) -> T:
    """What the first process gets of function(), in all of them; its errors too.

    Args:
      function: returns what can be pickled; called in the first process only.

    Raises:
      Exception: what `function` raises, in every process.
    """
    if count() == 1:
        return function()
    outcome: tuple[Any, BaseException | None] = (None, None)
    if is_first():
        try:
            outcome = function(), None
        except Exception as error:
            outcome = None, error
    value, error = pickle.loads(_broadcast(pickle.dumps(outcome)))
    if error is not None:
        raise error
    return value


def _broadcast(content: bytes) -> bytes:
    """The first process's bytes, by way of the coordinator."""
    client, name = distributed.global_state.client, f'gan_jax/{next(_numbers)}'
    if is_first():
        client.key_value_set_bytes(name, content)
        return content
    return client.blocking_key_value_get_bytes(name, PATIENCE * 1000)


def gather(tree: Any) -> Any:
    """The arrays [n, ...] of all processes behind one another, in their order; n may differ."""
    if count() == 1:
        return tree
    return jax.tree.map(_gather, tree)


def _gather(x: Any) -> np.ndarray:
    x = np.asarray(x)
    lengths = multihost_utils.process_allgather(np.int32(len(x)))
    padded = np.pad(x, ((0, int(max(lengths)) - len(x)), *((0, 0),) * (x.ndim - 1)))
    parts = multihost_utils.process_allgather(padded)
    return np.concatenate([part[:n] for part, n in zip(parts, lengths, strict=True)])


def everyones(value: Any) -> list[Any]:
    """Each process's value, in their order.

    Args:
      value: what can be pickled. Others may come to have theirs much later.
    """
    if count() == 1:
        return [value]
    client: Any = distributed.global_state.client
    client.wait_at_barrier(f'gan_jax/{next(_numbers)}', PATIENCE * 1000)
    content = np.frombuffer(pickle.dumps(value), np.uint8)
    ends = np.cumsum(gather(np.array([len(content)], np.int32)))
    return [pickle.loads(part.tobytes()) for part in np.split(gather(content), ends[:-1])]


def share(num: int) -> slice:
    """This process's part of so many things, contiguous; the parts differ by one at most."""
    return slice(index() * num // count(), (index() + 1) * num // count())


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """(shared, x) -> a tree of arrays [n, ...], each process computing its share of the n.

    Args:
      function: the same in one process; x is an array [n, ...] or a tree of them.
    """
    if count() == 1:
        return function

    @functools.wraps(function)
    def apply(shared: Any, x: Any) -> Any:
        part = share(jax.tree.leaves(x)[0].shape[0])
        return gather(function(shared, jax.tree.map(lambda y: np.asarray(y)[part], x)))

    return apply
