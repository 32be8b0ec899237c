"""The metrics that a config may name, the package's and others'."""

import inspect
from collections.abc import Iterable
from typing import Any

from gan_jax.evaluation import (
    figures,
    judges,
    labels,
    membership,
    sounds,
    statistics,
    tables,
    texts,
)  # fmt: skip
from gan_jax.runtime import own


def available() -> dict[str, Any]:
    """The metrics of the package that a config may name."""
    kinds = (figures, labels, judges, tables, membership, sounds, texts)
    every = {name: x for kind in kinds for name, x in vars(kind).items()}
    return {name: x for name, x in every.items() if hasattr(x, 'figures')}


def metric(name: str) -> Any:
    """The metric of that name, one of the package's or anybody's package.module:name.

    Raises:
      UserError: if that cannot be imported.
    """
    return own.imported('the metric', name) if own.named(name) else available()[name]


def gives(names: Iterable[str]) -> list[str]:
    """The figures that these metrics give."""
    return [figure for name in names for figure in metric(name).figures]


def every(names: Iterable[str] = ()) -> list[str]:
    """The metrics of the package, and of these names those that are others'."""
    return [*available(), *(name for name in names if own.named(name))]


def better(figure: str, names: Iterable[str] = ()) -> str:
    """Whether 'less' or 'more' of a figure is better.

    Args:
      figure: its plain name.
      names: metrics that give it, if it is none of the package's.
    """
    return {k: x for name in every(names) for k, x in metric(name).figures.items()}[figure]


def needed(names: Iterable[str]) -> set[str]:
    """The evidence that these metrics name."""
    return {x for name in names for x in inspect.signature(metric(name)).parameters}


def needs_network(names: Iterable[str]) -> bool:
    """Whether any of these metrics is of features."""
    return any(x.endswith(statistics.OF_FEATURES) for x in needed(names))
