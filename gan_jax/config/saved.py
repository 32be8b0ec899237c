"""The run in a work directory: which config made it."""

import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gan_jax import modalities
from gan_jax.config import optimizing, private
from gan_jax.config.defaults import GROUPS, MAY_CHANGE, default, renewed
from gan_jax.errors import UserError, one_line
from gan_jax.runtime import checkpoint, files

CONFIG = 'config.json'
_RESTORE = 'restore it from a copy, or train with another --workdir'
# What version 0.1 called arrays of a checkpoint.
_FORMER_PATHS = (
    (r'aux\.adversary\.anchors\.(\w+)', r'aux.anchors.\1'),
    (r'aux\.adversary_(a|b)\.anchors\.(\w+)', r'aux.anchors.\1.\2'),
    (r'aux\.adversary_(a|b)\.pool\.examples', r'aux.pools.\1.images'),
    (r'aux\.adversary_(a|b)\.pool\.count', r'aux.pools.\1.count'),
)
# Found with the data, by a version that did not keep it in the config.
CHECKPOINTS = 'checkpoints'
NOT_COMPARED = ('config.modality', 'config.init_config')


def former_path(path: str) -> str:
    """What version 0.1 called an array of a checkpoint."""
    for pattern, former in _FORMER_PATHS:
        path = re.sub(f'^{pattern}$', former, path)
    return path


def read_config(workdir: pathlib.Path) -> dict[str, Any]:
    """The resolved config of the run in `workdir`, in the words of this version.

    Raises:
      UserError: if there is none, or it holds no config.
      OSError: if it may not be read, or the disk fails.
    """
    file = workdir / CONFIG
    try:
        with files.naming(file):
            config = json.loads(file.read_bytes())
        if not isinstance(config, dict):
            raise ValueError('it holds no object')
        for key, value in default().to_dict().items():
            if type(value) in (int, dict) and type(config.get(key, value)) is not type(value):
                kind = 'whole number' if type(value) is int else 'object'
                raise ValueError(f'{key} is no {kind}')
    except FileNotFoundError:
        raise UserError(
            f'{workdir} holds no run ({CONFIG} is missing); train one with --workdir={workdir}'
        ) from None
    except (NotADirectoryError, IsADirectoryError, ValueError, RecursionError) as error:
        raise UserError(f'{file} cannot be read ({one_line(error)}); {_RESTORE}') from error
    return _completed(config)


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """With the defaults of keys that came after the run: they leave it as it was."""
    config = renewed(config)
    for key, value in json.loads(json.dumps(default().to_dict())).items():
        if key not in config:
            config[key] = value
        elif key in GROUPS:
            config[key] = {**value, **config[key]}
    size, channels = config['image_size'], config['data']['channels']
    if not config['modality'] and channels is not None:  # of version 0.1
        config['modality'] = modalities.settings_from(size, channels)
        config['data'] = {**config['data'], 'channels': channels if size else None}
    return config


def flat(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested dicts as {'optimizers.generator.learning_rate': 0.0002}; empty ones hold nothing."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f'{prefix}{key}.')
        else:
            leaves[f'{prefix}{key}'] = value
    return leaves


def shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as others may see it: who knows a private run's seed can take its noise away.

    0 stands in its place, and in that of a private run whose players the run began with.
    """
    begun = config.get('init_config')
    plain = {**config} | ({'init_config': shown(begun)} if begun else {})
    return plain | ({'seed': 0} if plain.get('privacy') else {})


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], more: Sequence[str]) -> list[str]:
    left_out = (*NOT_COMPARED, *(f'config.{key}' for key in more))
    free = {f'config.{key}' for key in MAY_CHANGE}
    before, after = flat(old, 'config.'), flat(new, 'config.')
    return [
        f'{key}: {before.get(key)!r} there, {after.get(key)!r} now'
        for key in sorted({*before, *after} - free)
        if before.get(key) != after.get(key) and not key.startswith(left_out)
    ]


def as_begun(workdir: pathlib.Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config, its schedules and noise as the run in `workdir` was begun."""
    if not (workdir / CONFIG).exists():
        return config
    before = read_config(workdir)
    begun, own = optimizing.as_begun(config, before), config.get('privacy')
    if not isinstance(own, Mapping):  # which is refused later
        return begun
    return {**begun, 'privacy': private.as_begun(own, before['privacy'])}


def prepare(workdir: pathlib.Path, config: Mapping[str, Any], free: Sequence[str] = ()) -> None:
    """Makes the directory, or finds that it belongs to the same run; writes the config.

    Args:
      workdir: the work directory.
      config: the resolved config.
      free: keys that may differ from those of the run there, beside those of any run.

    Raises:
      UserError: if it cannot be written, or was made by another config.
      OSError: if there is no space for it, or the disk fails.
    """
    for key, value in flat(config, 'config.').items():
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            raise UserError(f'{key}={value} is not finite; give a number') from None
    config = json.loads(json.dumps(config))
    try:
        str(workdir.absolute()).encode()
    except UnicodeEncodeError:
        raise UserError(
            f'the work directory {workdir.absolute()} has a name that is no UTF-8 as Python reads '
            f'it, so no checkpoint can be written there; give another --workdir, or set '
            f'PYTHONUTF8=1'
        ) from None
    try:
        (workdir / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        if (workdir / CONFIG).exists():
            differences = _differences(read_config(workdir), config, free)
            if differences:
                more = f' (and {len(differences) - 1} more)' if len(differences) > 1 else ''
                raise UserError(
                    f'{workdir} was made by another config: {differences[0]}{more}; '
                    f'give another --workdir, or delete that one'
                )
        text = json.dumps(config, indent=2) + '\n'
        files.replace(workdir / CONFIG, lambda file: file.write_text(text))
    except OSError as error:
        if error.errno in files.NOT_OF_THE_PLACE:
            raise
        reason = error.strerror or one_line(error)
        raise UserError(
            f'the work directory {workdir} cannot be written ({reason}); give another --workdir'
        ) from error


def open_checkpoints(workdir: pathlib.Path, read_only: bool = False) -> checkpoint.Checkpoints:
    """The checkpoints of a run, those of an earlier version too."""
    return checkpoint.Checkpoints(
        workdir / CHECKPOINTS, read_only=read_only, former_path=former_path
    )
