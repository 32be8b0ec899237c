"""What a config's sweep() is made of: iterables of override dicts, such as {'steps': 100}.

A space is a dict of lists, {'seed': [0, 1]}, which stands for all combinations of its values, or
any iterable of override dicts, so that what one helper gives may be handed to another. All are
lazy: nothing is drawn or combined before it is asked for.
"""

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Overrides = dict[str, Any]
Space = Mapping[str, Iterable[Any]] | Iterable[Overrides]


def product(*spaces: Space) -> Iterator[Overrides]:
    """Every combination of one element of each space; the last space turns fastest.

    product({'batch_size': [32, 64], 'seed': [0, 1]}) gives four dicts of two keys each.
    """
    for parts in itertools.product(*(tuple(_elements(space)) for space in spaces)):
        yield _merged(parts)


def zipped(*spaces: Space) -> Iterator[Overrides]:
    """The first elements of all spaces together, then the second ones, ...

    In a dict of lists the lists are zipped, too: zipped({'a': [1, 2], 'b': [3, 4]}) gives
    {'a': 1, 'b': 3} and {'a': 2, 'b': 4}.

    Raises:
      ValueError: if they are not of one length.
    """
    columns: list[Iterable[Overrides]] = []
    for space in spaces:
        if isinstance(space, Mapping):
            columns += [[{key: value} for value in values] for key, values in space.items()]
        else:
            columns.append(space)
    for parts in zip(*columns, strict=True):
        yield _merged(parts)


def chained(*spaces: Space) -> Iterator[Overrides]:
    """The elements of the first space, then those of the second, ..."""
    for space in spaces:
        yield from _elements(space)


def seeds(n: int, first: int = 0) -> Iterator[Overrides]:
    """The seeds first, first + 1, ..., n of them."""
    for seed in range(first, first + n):
        yield {'seed': seed}


def log_uniform(key: str, low: float, high: float, num: int, seed: int) -> Iterator[Overrides]:
    """Values of one key drawn between two positive bounds, uniformly on a logarithmic scale.

    They are rounded to three digits, so that names stay short, and the same for one seed.

    Args:
      key: the key that is overridden.
      low: the least.
      high: the most.
      num: how many.
      seed: of the draws.
    """
    draw = random.Random(seed)
    for _ in range(num):
        yield {key: float(f'{math.exp(draw.uniform(math.log(low), math.log(high))):.3g}')}


def _elements(space: Space) -> Iterator[Overrides]:
    if not isinstance(space, Mapping):
        yield from space
        return
    for values in itertools.product(*space.values()):
        yield dict(zip(space, values, strict=True))


def _merged(parts: Iterable[Overrides]) -> Overrides:
    """One dict of them all; raises ValueError if two have one key."""
    merged: Overrides = {}
    for part in parts:
        for key in part:
            if key in merged:
                raise ValueError(f'{key} is in two of the spaces')
        merged |= part
    return merged
