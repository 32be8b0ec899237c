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


def check(config: Mapping[str, Any]) -> None:
    """Raises UserError unless others' functions that a config names for data are there."""
    for key, name in (
        ('dataset', config['dataset']), ('evaluation.dataset', config['evaluation']['dataset'])
    ):  # fmt: skip
        if name is not None:
            _function(f'config.{key}', name, _options(config, name))


def _options(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What a function is called with: config.data.options are those of the run's own data set."""
    return config['data']['options'] if name == config['dataset'] else {}


def _function(what: str, name: str, options: Mapping[str, Any]) -> Open | None:
    """split -> the data; None of a data set of the package's."""
    if name.startswith(data.PREFIXES) or not own.formed(name):
        if options:
            raise UserError(
                f'config.data.options={dict(options)!r}: {name} is no function {own.FORM}; leave '
                f'it empty'
            )
        return None
    function = part(what, name, KIND)
    check_arguments('config.data.options', function, options, (SPLIT,))
    check_options('config.data.options', function, options)
    return functools.partial(function, **options)


def opened(
    config: Mapping[str, Any], given: Open | None, share: data.Share
) -> str | data.Source | data.Dataset:
    """What a config's data set is, as far as it is not the package's, whose names stay names.

    Args:
      config: the config.
      given: what was handed over in Python.
      share: the process's part; all processes call this.

    Raises:
      UserError: if there is no data set, or its function fails or gives no data.
      NoSplit: if there is no such split.
    """
    name, split = config['dataset'], config['data']['split']
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
    function = given if name == GIVEN else _function('config.dataset', name, _options(config, name))
    if function is None:
        return name

    def read() -> data.Source | data.Dataset:
        found = fitting(f'config.dataset={name}', functools.partial(function, split))
        if found is None:
            raise NoSplit(f'config.data.split={split!r}: {name} has no such split; name another')
        return data.source_of(name, found)

    return share.agreed(read)


def opener(dataset: Any, split: str) -> Open:
    """split -> the data that were handed over.

    Args:
      dataset: what `data.source_of` takes, of one split; or a function of the split.
      split: which one that is.
    """
    if callable(dataset):
        return dataset
    return lambda wanted: dataset if wanted == split else None
