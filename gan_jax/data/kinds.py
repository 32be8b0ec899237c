"""Data sets whose examples are no pictures: their names, and what is said of them alone."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gan_jax.data import oracle, series, sounds, synthetic, tables, text, vectors
from gan_jax.data.dataset import Dataset, points
from gan_jax.data.sources import Source
from gan_jax.errors import UserError

# What a config's `data` says of some kinds alone, where it says nothing.
USUAL: Mapping[str, Any] = {
    'length': None, 'rate': None, 'pieces': 'all', 'unit': text.CHARACTERS, 'dictionary': '',
    'vocabulary': None,
    **tables.PLAIN._asdict(),
}  # fmt: skip


class Kind(NamedTuple):
    """A kind of data sets.

    Attributes:
      owns: whether a name is that of such a set.
      read: (name, split, max_bad, memory_gb, **options) -> the data set.
      options: those of USUAL that it takes.
    """

    owns: Callable[[str], bool]
    read: Callable[..., Dataset]
    options: tuple[str, ...] = ()


def _points(name: str, split: str, max_bad: float, memory_gb: float) -> Dataset:
    return points(name, split)


def _vectors(name: str, split: str, max_bad: float, memory_gb: float) -> Dataset:
    return vectors.vectors(name.removeprefix(vectors.VECTORS), split, max_bad)


def _series(
    name: str, split: str, max_bad: float, memory_gb: float, *, length: int | None
) -> Dataset:
    return series.load(name, split, length, max_bad)


def _table(name: str, split: str, max_bad: float, memory_gb: float, **options: Any) -> Dataset:
    told = tables.Options(**options)
    told = told._replace(categorical=tuple(told.categorical))  # JSON has lists
    return tables.table(name.removeprefix(tables.TABLE), split, max_bad, told)


def _sounds(name: str, split: str, max_bad: float, memory_gb: float, **options: Any) -> Dataset:
    return sounds.sounds(name, split, max_bad=max_bad, memory_gb=memory_gb, **options)


def _texts(name: str, split: str, max_bad: float, memory_gb: float, **options: Any) -> Dataset:
    return text.texts(name.removeprefix(text.TEXT), split, max_bad=max_bad, **options)


def _oracle(name: str, split: str, max_bad: float, memory_gb: float, **options: Any) -> Dataset:
    return oracle.load(name, split, **options)


def _begins(prefix: str, name: str) -> bool:
    return name.startswith(prefix)


KINDS = (
    Kind(synthetic.MIXTURES.__contains__, _points),
    Kind(functools.partial(_begins, vectors.VECTORS), _vectors),
    Kind(series.named, _series, ('length',)),
    Kind(functools.partial(_begins, tables.TABLE), _table, tables.Options._fields),
    Kind(functools.partial(_begins, text.TEXT), _texts, ('length', 'unit', 'dictionary')),
    Kind(oracle.named, _oracle, ('length', 'vocabulary')),
    Kind(sounds.heard, _sounds, ('length', 'rate', 'pieces')),
)


def find(dataset: str | Source) -> Kind | None:
    """The kind of a data set's name; None of pictures."""
    if not isinstance(dataset, str):
        return None
    return next((kind for kind in KINDS if kind.owns(dataset)), None)


def chosen(dataset: str | Source, kind: Kind | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a kind.

    Args:
      dataset: a config's data set.
      kind: its kind; None of pictures, which have none of these options.
      options: some of USUAL, by name.

    Raises:
      UserError: if another kind's option is not as usual.
    """
    own = kind.options if kind else ()
    told = {**USUAL, **options}
    name = dataset if isinstance(dataset, str) else dataset.name
    for key, value in told.items():
        usual = USUAL[key]
        alike = tuple(value) == usual if isinstance(value, list) else value == usual
        if key not in own and not alike:
            raise UserError(
                f'config.data.{key}={value!r}: {name} has no use for it; leave it at {usual!r}'
            )
    return {key: told[key] for key in own}
