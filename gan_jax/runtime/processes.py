"""Several processes that play one run together: what knows of them stands here.

Each holds its share of the data and its devices; the first one alone writes. All run the same
program, so what is called here by one must be called by all, in the same order, from one thread.
"""

import contextlib
import functools
import itertools
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import jax
import numpy as np
from jax._src import distributed
from jax.experimental import multihost_utils

T = TypeVar('T')
PATIENCE = 3600  # seconds; what a process waits for may read a whole data set
AT_A_TIME = 4  # items of each process that are held
_numbers = itertools.count()
_alone: list[object] = []  # what the first process does by itself, the innermost last


def index() -> int:
    """Which process this is, from 0."""
    return jax.process_index()


def count() -> int:
    """How many play together here and now: one in what only the first one does."""
    return 1 if _alone else jax.process_count()


def is_first() -> bool:
    """Whether this is the process that writes."""
    return index() == 0


def on_first(function: Callable[[], T]) -> T:
    """What the first process gets of function(), in all of them; its errors too.

    What stands here and is called inside is then done by the first process alone.

    Args:
      function: returns what can be pickled; called in the first process only.

    Raises:
      Exception: what `function` raises, in every process.
    """
    if count() == 1:
        return function()
    outcome: tuple[Any, Exception | None] = (None, None)
    if is_first():
        _alone.append(function)
        try:
            outcome = function(), None
        except Exception as error:
            outcome = None, error
        finally:
            _alone.pop()
    value, failure = _broadcast(outcome)
    if failure is not None:
        raise failure
    return value


def together(function: Callable[[], T]) -> T:
    """function() in every process, or the same error in all of them if it fails in any.

    Raises:
      Exception: that of the first process in which there is one.
    """
    if count() == 1:
        return function()
    outcome: tuple[Any, Exception | None] = (None, None)
    try:
        outcome = function(), None
    except Exception as error:
        outcome = None, error
    failed = multihost_utils.process_allgather(np.int32(outcome[1] is not None))
    if failed.any():
        raise _broadcast(outcome, source=int(failed.argmax()))[1]
    return cast('T', outcome[0])


class Idle:
    """In place of what only the first process has: does nothing, whatever it is asked."""

    def __getattr__(self, name: str) -> 'Idle':
        """Any method."""
        return self

    def __call__(self, *args: Any, **named: Any) -> contextlib.AbstractContextManager[None]:
        """Does nothing; what is expected to be a context is one."""
        return contextlib.nullcontext()


def of_first(make: Callable[[], T]) -> T:
    """make() in the first process; in the others what does nothing in its place.

    Raises:
      Exception: what `make` raises, in every process.
    """
    return together(make if is_first() else cast('Callable[[], T]', Idle))


def in_all(answer: bool) -> bool:
    """Whether the answer is yes in every process."""
    return (
        bool(multihost_utils.process_allgather(np.int32(answer)).all()) if count() > 1 else answer
    )


def _broadcast(outcome: tuple[Any, Exception | None], source: int = 0) -> tuple[Any, Any]:
    """The value and the error of one process, by way of the coordinator."""
    client: Any = distributed.global_state.client
    name = f'gan_jax/{next(_numbers)}'
    if index() == source:
        client.key_value_set_bytes(name, _packed(outcome))
        return outcome
    return pickle.loads(client.blocking_key_value_get_bytes(name, PATIENCE * 1000))


def _packed(outcome: tuple[Any, Exception | None]) -> bytes:
    value, error = outcome
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # some libraries' errors cannot be made again of their arguments
        error = RuntimeError(f'{type(error).__name__}: {error}')
    return pickle.dumps((value, error))


def gather(tree: Any) -> Any:
    """The arrays [n, ...] of all processes behind one another, in their order; n may differ."""
    return tree if count() == 1 else jax.tree.map(_gather, tree)


def _gather(x: Any) -> np.ndarray:
    """As bytes, since JAX would make float64 float32."""
    x = np.ascontiguousarray(x)
    rows = x.view(np.uint8).reshape(len(x), math.prod(x.shape[1:]) * x.itemsize)
    lengths = multihost_utils.process_allgather(np.int32(len(rows)))
    padded = np.pad(rows, ((0, int(max(lengths)) - len(rows)), (0, 0)))
    parts = multihost_utils.process_allgather(padded)
    whole = np.concatenate([part[:n] for part, n in zip(parts, lengths, strict=True)])
    return whole.view(x.dtype).reshape(-1, *x.shape[1:])


def everyones(value: Any) -> list[Any]:
    """Each process's value, in their order; one that can be pickled."""
    if count() == 1:
        return [value]
    content = np.frombuffer(pickle.dumps(value), np.uint8)
    ends = np.cumsum(_gather(np.array([len(content)], np.int64)))
    return [pickle.loads(part.tobytes()) for part in np.split(_gather(content), ends[:-1])]


def shared_out(function: Callable[[Any], T], items: Sequence[Any]) -> Iterator[T]:
    """function(item) of all items in their order, each process computing its share of a few."""
    several = 1 if count() == 1 else AT_A_TIME * count()
    for start in range(0, len(items), several):
        some = items[start : start + several]
        mine = some[share(len(some))]
        for part in everyones(together(functools.partial(_each, function, mine))):
            yield from part


def _each(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    return [function(x) for x in items]


def share(num: int) -> slice:
    """This process's part of so many things, contiguous; the parts differ by one at most."""
    return slice(index() * num // count(), (index() + 1) * num // count())


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """(shared, x) -> a tree of arrays [n, ...], each process computing its share of the n.

    Args:
      function: the same in one process, of each example by itself; x is an array [n, ...] or a
        tree of them.
    """

    def apply(shared: Any, x: Any) -> Any:
        if count() == 1:
            return function(shared, x)
        num = jax.tree.leaves(x)[0].shape[0]
        each = -(-num // count())  # as many in all of them, the last one again and again
        rows = np.minimum(np.arange(index() * each, (index() + 1) * each), num - 1)
        mine = jax.tree.map(lambda y: np.asarray(y)[rows], x)
        results = together(lambda: jax.tree.map(np.asarray, function(shared, mine)))
        return jax.tree.map(lambda y: y[:num], gather(results))

    return apply
