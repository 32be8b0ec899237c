"""The trials of a sweep: named, checked before any of them is started, and recorded.

sweep.json   in the sweep's folder, beside its trials' work directories: the config's file, what
             the command line changed of it, and all trials that were ever planned there
"""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from absl import logging
from etils import epath

from gan_jax.config import experiment, overrides
from gan_jax.config.defaults import MAY_CHANGE, renewed
from gan_jax.errors import UserError, one_line
from gan_jax.runtime import files
from gan_jax.sweeps.trials import Trial

FILE = 'sweep.json'
LONGEST = 128  # characters of a name
Changes = Sequence[tuple[str, str]]  # of a config, on a command line: [('a.b', 'text')]


class Sweep(NamedTuple):
    """A sweep as sweep.json has it.

    Attributes:
      name: the config's file, as --config gave it.
      changes: what the command line changed for all trials.
      trials: all of them, in the order in which they were planned first.
    """

    name: str
    changes: list[tuple[str, str]]
    trials: list[Trial]


def read(folder: epath.Path) -> Sweep | None:
    """The sweep in a folder; None if there is none.

    Raises:
      UserError: if its record is damaged.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        held = json.loads(file.read_bytes())
        changes = [(key, text) for key, text in held['changes']]
        trials = [
            Trial(
                x['name'], x['overrides'], folder / x['name'], tuple(x['command']), x['steps'],
                x['figure'],
            )
            for x in held['trials']
        ]  # fmt: skip
        return Sweep(held['config'], changes, trials)
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(
            f'{file} cannot be read ({one_line(error)}); delete it, and the next start of the '
            f'sweep writes it anew'
        ) from error


def write(folder: epath.Path, sweep: Sweep) -> None:
    """Records a sweep; what was planned there before stays."""
    trials = [
        {**trial._asdict(), 'workdir': trial.name, 'command': list(trial.command)}
        for trial in sweep.trials
    ]
    held = {'config': sweep.name, 'changes': [list(x) for x in sweep.changes], 'trials': trials}
    text = json.dumps(held, indent=2) + '\n'
    files.replace(folder / FILE, lambda file: file.write_text(text))


def plan(
    name: str,
    spaces: Iterable[Mapping[str, Any]],
    folder: epath.Path,
    *,
    changes: Changes = (),
    start: Callable[[epath.Path], Sequence[str]],
) -> Sweep:
    """The trials of a sweep, each of them checked; nothing is written.

    Args:
      name: the config's file.
      spaces: the overrides of each trial.
      folder: the sweep's.
      changes: what the command line changes for all trials.
      start: (work directory) -> the command that runs the config there, without what is changed.

    Returns:
      The sweep with the trials of `spaces` alone, of which no two are the same run.

    Raises:
      UserError: if one of them could not be started as it is, or the folder has another sweep.
    """
    before = read(folder)
    _check_folder(folder, before, name, changes)
    names = {_key(trial.overrides): trial.name for trial in before.trials} if before else {}
    file = overrides.load(name)
    trials: dict[str, Trial] = {}
    wrong = []
    for space in spaces:
        own = {key: overrides.plain(value) for key, value in space.items()}
        words = [(key, overrides.written(value)) for key, value in own.items()]
        try:
            _check_keys(name, own, changes)
            made = renewed(overrides.apply(file, [*changes, *words]))
            _check_values(own, made)
            experiment.check(made)
        except UserError as error:
            wrong.append(f'trial {short_name(own)}: {error}')
            continue
        same = trials.get(_key(made))
        if same is not None:
            logging.warning('trial %s is the same run as %s', short_name(own), same.name)
            continue
        taken = {x.casefold() for x in names.values()}
        called = names.setdefault(_key(own), free_name(own, taken))
        command = (*start(folder / called), *(f'--config.{x}={y}' for x, y in (*changes, *words)))
        figure = made['evaluation']['best'] if made['eval_every'] else ''
        trials[_key(made)] = Trial(called, own, folder / called, command, made['steps'], figure)
    if wrong:
        more = f' (and {len(wrong) - 1} more such trials)' if len(wrong) > 1 else ''
        raise UserError(f'{wrong[0]}{more}; none was started')
    return Sweep(name, [*changes], [*trials.values()])


def keep(folder: epath.Path, sweep: Sweep) -> None:
    """Records a planned sweep beside what was planned in its folder before, and says so."""
    before = read(folder)
    earlier = {trial.name: trial for trial in before.trials} if before else {}
    planned = {trial.name: trial for trial in sweep.trials}
    new = planned.keys() - earlier.keys()
    if earlier and new:
        logging.info('%d trials are added to the %d of %s', len(new), len(earlier), folder)
    write(folder, sweep._replace(trials=[*(earlier | planned).values()]))


def _check_folder(folder: epath.Path, before: Sweep | None, name: str, changes: Changes) -> None:
    """Raises UserError if the folder has a run, or a sweep of another config."""
    if (folder / 'config.json').exists():
        raise UserError(f'{folder} is the work directory of one run; give another --workdir')
    if before is None:
        return
    there, now = dict(before.changes), dict(changes)
    if os.path.normpath(before.name) != os.path.normpath(name):
        what = f'of {before.name}'
    else:
        other = [x for x in {**there, **now} if there.get(x) != now.get(x) and x not in MAY_CHANGE]
        if not other:
            return
        said = {key: f'{key}={there[key]}' if key in there else f'its own {key}' for key in other}
        what = f'with {said[other[0]]}'
    raise UserError(f'{folder} holds a sweep {what}; give another --workdir')


def _check_keys(name: str, own: Mapping[str, Any], changes: Changes) -> None:
    """Raises UserError if the command line and a trial both say what a key shall be."""
    for key, _ in changes:
        for other in own:
            if f'{key}.'.startswith(f'{other}.') or f'{other}.'.startswith(f'{key}.'):
                raise UserError(
                    f'--config.{key} is what sweep() of {name} sets itself ({other}); leave it out'
                )


def _check_values(own: Mapping[str, Any], made: Any) -> None:
    """Raises UserError if a command line cannot say a value where the config has another kind."""
    for key, value in own.items():
        found = made
        for part in key.split('.'):
            found = found[part]
        if found != value and value == value:  # NaN is refused for what it is
            raise UserError(
                f'config.{key}={value!r} would be read as {found!r} in place of what the config '
                f'has there; set it in get_config()'
            )


def _key(tree: Any) -> str:
    """The same for trees of equal values."""
    return json.dumps(tree, sort_keys=True, default=repr)


def short_name(own: Mapping[str, Any]) -> str:
    """A trial's overrides as the name of a directory, for file systems and buckets alike.

    Of a key it has the last two words, 'generator.learning_rate=0.0001,seed=0', and what is longer
    than LONGEST ends in a digest.
    """
    parts = [f'{".".join(x.split(".")[-2:])}={_shown(y)}' for x, y in own.items()]
    name = re.sub(r'[^A-Za-z0-9.,=+_-]+', '_', ','.join(parts)).strip('._-,') or 'default'
    return name if len(name) <= LONGEST else f'{name[: LONGEST - 9]}-{_digest(own)}'


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return '-'.join(map(_shown, value))
    return overrides.written(value)


def free_name(own: Mapping[str, Any], taken: Iterable[str]) -> str:
    """The short name, with a digest if another trial has it; capitals do not tell names apart."""
    name = short_name(own)
    return name if name.casefold() not in {*taken} else f'{name[: LONGEST - 9]}-{_digest(own)}'


def _digest(own: Mapping[str, Any]) -> str:
    return f'{zlib.crc32(_key(own).encode()):08x}'
