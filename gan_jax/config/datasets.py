"""Data sets that are not the package's: by package.module:name, or handed over in Python."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from gan_jax import data
from gan_jax.config.checks import (
    Kind,
    begins_with,
    check_arguments,
    check_options,
    fitting,
    part,
)
from gan_jax.config.defaults import GIVEN, NO_DATA
from gan_jax.errors import NoSplit, UserError
from gan_jax.runtime import own

Open = Callable[[str], Any]  # split -> what data.source_of takes; None if there is no such split
SPLIT = 'split'
KIND = Kind(
    {}, functools.partial(begins_with, first=SPLIT), f'a function whose first argument is {SPLIT}'
)


def function(what: str, name: str, options: Mapping[str, Any]) -> Open | None:
    """split -> the data of somebody's function; None of a data set of the package's.

    Args:
      what: the key that names it.
      name: the name.
      options: what the function is called with beside the split.

    Raises:
      UserError: if there is no such function, or it takes other options.
    """
    if name.startswith(data.PREFIXES) or not own.formed(name):
        if options:
            raise UserError(
                f'config.data.options={dict(options)!r}: {name} is no function {own.FORM}; leave '
                f'it empty'
            )
        return None
    found = part(what, name, KIND)
    check_arguments('config.data.options', found, options, (SPLIT,))
    check_options('config.data.options', found, options)
    return functools.partial(found, **options)


def opened(
    name: str, split: str, options: Mapping[str, Any], given: Open | None, share: data.Share
) -> str | data.Source | data.Dataset:
    """What a data set is, as far as it is not the package's, whose names stay names.

    Args:
      name: its name.
      split: which part of it.
      options: what a function is called with beside the split.
      given: what was handed over in Python.
      share: the process's part; all processes call this.

    Raises:
      UserError: if there is no data set, or its function fails or gives no data.
      NoSplit: if there is no such split.
    """
    if name == NO_DATA:
        raise UserError(
            'this run was made of weights alone and has no data set: name one beside --init_from, '
            'such as --config.dataset=folder:PATH'
        )
    if name == GIVEN and given is None:
        raise UserError(
            'the data of this run were handed over in Python and are not recorded: use '
            'gan_jax.train(config, WORKDIR, dataset) or gan_jax.load(WORKDIR, dataset)'
        )
    read = given if name == GIVEN else function('config.dataset', name, options)
    if read is None:
        return name

    def found() -> data.Source | data.Dataset:
        records = fitting(f'config.dataset={name}', functools.partial(read, split))
        if records is None:
            raise NoSplit(f'config.data.split={split!r}: {name} has no such split; name another')
        return data.source_of(name, records)

    return share.agreed(found)


def opener(dataset: Any, split: str) -> Open:
    """split -> the data that were handed over.

    Args:
      dataset: what `data.source_of` takes, of one split; or a function of the split.
      split: which one that is.
    """
    if callable(dataset):
        return dataset
    return lambda wanted: dataset if wanted == split else None
