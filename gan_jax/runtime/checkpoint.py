"""Checkpoints by Orbax that can be trusted: each carries a digest of everything in it.

Orbax writes atomically, so a killed run leaves at most an ignored temporary folder. But it does
not see a byte that was flipped on the disk, and has no way back from a file that is gone. So a
CRC of each array and of each record is kept beside them; on start the steps are tried from the
newest, and one that fails is named and put aside. Orbax itself is asked for arrays only: it would
read other files of every step at once, and fail where one is damaged.

Of several processes all save and restore together, and the first one decides: which step is sound,
what is put aside, what is kept. Every device has all of a state, so the first process has, too, and
Orbax has it write the arrays.

On a bucket, where nothing is renamed at once, it puts an object in a step's folder at the end:
without that there is no checkpoint.
"""

import contextlib
import copy
import errno
import json
import os
import pathlib
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from flax import serialization

from gan_jax.errors import UserError, number_of, one_line
from gan_jax.runtime import buckets, files, processes
from gan_jax.runtime import manager as manager_lib

LOOKS = 3  # how often a reader looks at what seems damaged before it says so,
PAUSE = 0.5  # after so many seconds: a trainer may be deleting it
RECORDS = ('progress', 'config')
COMMITTED = 'commit_success.txt'  # Orbax's name of what it puts last on a bucket
METRIC = 'metrics'  # Orbax's name of the record of what the best is chosen by
# These say nothing of what is on the disk.
_NO_DAMAGE = (
    errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, buckets.UNREACHED
)  # fmt: skip
T = TypeVar('T')


def _flat(tree: Any) -> dict[str, np.ndarray]:
    """Leaves by path; empty nodes, which hold nothing to keep, vanish."""
    leaves = jax.tree_util.tree_leaves_with_path(serialization.to_state_dict(tree))
    return {jax.tree_util.keystr(path, simple=True, separator='.'): leaf for path, leaf in leaves}


def _unflat(template: Any, flat: Mapping[str, np.ndarray]) -> Any:
    structure = jax.tree.structure(serialization.to_state_dict(template))
    leaves = [flat[path] for path in _flat(template)]
    return serialization.from_state_dict(template, jax.tree.unflatten(structure, leaves))


def _kind(x: Any) -> str:
    return f'{x.dtype.name} {tuple(x.shape)}'


def _digests(flat: Mapping[str, np.ndarray]) -> dict[str, int]:
    return {
        path: zlib.crc32(repr((x.shape, x.dtype.name)).encode() + np.ascontiguousarray(x).tobytes())
        for path, x in flat.items()
    }


def _record_digests(records: Mapping[str, Any]) -> dict[str, int]:
    """CRCs of what JSON keeps of these values, however it is spaced and ordered."""
    kept = json.loads(json.dumps(records))
    return {
        name: zlib.crc32(json.dumps(value, sort_keys=True).encode()) for name, value in kept.items()
    }


def _check(flat: Mapping[str, np.ndarray]) -> None:
    """Raises FloatingPointError if one of the arrays holds a NaN or an infinity."""
    for path, x in flat.items():
        if jnp.issubdtype(x.dtype, jnp.inexact) and not np.isfinite(x).all():
            raise FloatingPointError(path)


class _Records(NamedTuple):
    """What a checkpoint holds besides the arrays.

    Attributes:
      digests: a CRC of each array, by its path.
      progress: what else the loop needs to go on.
    """

    digests: dict[str, int]
    progress: dict[str, Any]


def _read_records(folder: pathlib.Path) -> _Records:
    """Raises whatever damage leads to."""
    digests = _object(folder / 'digests' / 'metadata')
    records = {name: _object(folder / name / 'metadata') for name in RECORDS}
    if (folder / METRIC).exists():
        records[METRIC] = _object(folder / METRIC / METRIC)
    if _arrays_only(digests):
        return _Records(digests, records['progress'])
    if digests.keys() != {'arrays', 'records'}:
        raise ValueError(f'digests of {", ".join(digests)}')
    found = _record_digests(records)
    for name in sorted(found.keys() | digests['records'].keys()):
        if found.get(name) != digests['records'].get(name):
            raise ValueError(f'{name} does not match its digest')
    return _Records(digests['arrays'], records['progress'])


def _read_metric(folder: pathlib.Path) -> float | None:
    """What the best is chosen by, None if it was not evaluated; raises if that is damaged."""
    try:
        digests = _object(folder / 'digests' / 'metadata')
    except (OSError, ValueError):  # which is found when the rest is read
        digests = {}
    digested = {} if _arrays_only(digests) else digests.get('records', {})
    if not (folder / METRIC).exists() and METRIC not in digested:
        return None
    record = _object(folder / METRIC / METRIC)
    if digested and _record_digests({METRIC: record})[METRIC] != digested.get(METRIC):
        raise ValueError(f'{METRIC} does not match its digest')
    if type(record['value']) not in (int, float):
        raise ValueError(f'{METRIC} holds no number')
    return record['value']


def _arrays_only(digests: Mapping[str, Any]) -> bool:
    """Whether they are of version 0.2 or earlier, which digested arrays alone."""
    return all(type(x) is int for x in digests.values())


def _object(file: pathlib.Path) -> dict[str, Any]:
    """The JSON object that a file holds."""
    value = json.loads(file.read_bytes())
    if not isinstance(value, dict):
        raise ValueError(f'{file.parent.name} holds no object')
    return value


def _read_arrays(folder: pathlib.Path, digests: Mapping[str, int]) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint, each as its digest says; raises whatever damage leads to."""
    handler = ocp.StandardCheckpointHandler()
    kinds = handler.metadata(folder / 'state').tree
    # As NumPy's; without a template Orbax would put them on devices.
    template = {name: np.zeros(x.shape, x.dtype) for name, x in kinds.items()}
    arrays = handler.restore(folder / 'state', args=ocp.args.StandardRestore(template))
    arrays = {name: np.asarray(x) for name, x in arrays.items()}
    found = _digests(arrays)
    for name in sorted(found.keys() | digests.keys()):
        if found.get(name) != digests.get(name):
            raise ValueError(f'{name} does not match its digest')
    return arrays


class Checkpoints:
    """The checkpoints of one run: the latest two, and the best by a metric where one is given."""

    def __init__(
        self,
        directory: pathlib.Path,
        read_only: bool = False,
        former_path: Callable[[str], str] = str,
    ):
        """Reads nothing yet.

        Args:
          directory: where they are; made when the first is saved.
          read_only: whether nothing is changed there: it may be another process's.
          former_path: what an earlier version called an array.
        """
        self._former_path = former_path
        self._directory = directory.absolute()
        self._read_only = read_only
        self._damaged: set[int] = set()
        self._manager: manager_lib.Manager | None = None

    def _steps(self) -> list[int]:
        """The steps there are that are not known to be damaged, from the newest."""
        folders = [x for x in self._directory.glob('[0-9]*') if x.name.isdigit()]
        if buckets.is_bucket(self._directory):
            folders = [x for x in folders if (x / COMMITTED).exists()]
        return sorted({int(x.name) for x in folders} - self._damaged, reverse=True)

    def best_step(self) -> int | None:
        """The step that is the best by the metric; None if none was evaluated."""
        return manager_lib.best(self._metrics())

    def evaluated(self) -> bool:
        """Whether any has a metric, or is too damaged to tell."""
        return self.best_step() is not None or bool(self._damaged)

    def _metrics(self) -> dict[int, float]:
        """What each evaluated step was found to have."""
        metrics = {step: self._sound(step, _read_metric) for step in self._steps()}
        return {step: x for step, x in metrics.items() if x is not None}

    def _sound(self, step: int, read: Callable[[pathlib.Path], T]) -> T | None:
        """read(the step's folder), or None if that is damaged, which is said, or has gone.

        Raises:
          OSError: if it cannot be read for another reason, such as a permission.
        """
        folder = self._directory / str(step)
        again = self._read_only or buckets.is_bucket(folder)
        for look in range(LOOKS if again else 1):
            try:
                return read(folder)
            except UserError:
                raise
            except MemoryError as error:
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(folder)) from error
            except Exception as error:  # damage shows itself in many types of error
                number = number_of(error)
                if number in _NO_DAMAGE:
                    raise OSError(number, os.strerror(number), str(folder)) from error
                if again and look < LOOKS - 1:
                    time.sleep(PAUSE)
                elif folder.exists() or not self._read_only:
                    self._put_aside(step, one_line(error))
        return None

    def _put_aside(self, step: int, reason: str) -> None:
        """Renames rather than deletes: what stopped the reading may have been something else."""
        folder = self._directory / str(step)
        logging.error('checkpoint %s is damaged (%s); dropped', folder, reason)
        self._damaged.add(step)
        if not self._read_only:
            files.move_folder(folder, self._directory / f'damaged_{step}')

    def save(
        self,
        step: int,
        state: Any,
        progress: Mapping[str, Any],
        config: Mapping[str, Any],
        metric: float | None = None,
    ) -> None:
        """Writes a checkpoint in the background.

        Args:
          step: its number.
          state: a tree of NumPy arrays, not to be written to any more.
          progress: what else the loop needs to go on; JSON.
          config: the resolved config; JSON.
          metric: what the best is chosen by (the least).

        Raises:
          FloatingPointError: if the state holds a NaN or an infinity; nothing is written.
          OSError: if it, or the one before it, cannot be written.
        """
        flat = _flat(state)
        processes.on_first(lambda: _check(flat))
        # A copy: it is written later, by another thread.
        records = {'progress': copy.deepcopy(dict(progress)), 'config': dict(config)}
        metrics = None if metric is None else {'value': metric}
        digested = records if metrics is None else records | {METRIC: metrics}
        digests = {'arrays': _digests(flat), 'records': _record_digests(digested)}
        with self._writing():
            manager = self._open()
            if metric is not None:
                self._kept.metrics[step] = metric
            manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(flat),
                    digests=ocp.args.JsonSave(digests),
                    **{name: ocp.args.JsonSave(value) for name, value in records.items()},
                ),
                metrics=metrics,
                force=True,
            )
        self._damaged.discard(step)

    def _open(self) -> manager_lib.Manager:
        """Orbax's manager, which reads none of the files."""
        if self._manager is None:
            self._kept = manager_lib.Kept(processes.on_first(self._metrics))
            processes.on_first(lambda: self._directory.mkdir(parents=True, exist_ok=True))
            self._manager = manager_lib.Manager(self._directory, self._kept)
        return self._manager

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Has what keeps Orbax from writing be an error of the operating system."""
        try:
            yield
        except Exception as error:  # arrays are written by a library that tells of it in words
            if buckets.is_bucket(self._directory):
                raise buckets.of_system(error, self._directory) from error
            number = number_of(error)
            if number is None:
                raise
            raise OSError(number, os.strerror(number), str(self._directory)) from error

    def restore(
        self,
        template: Any,
        best: bool = False,
        accept: Callable[[dict[str, Any]], object] = bool,
    ) -> tuple[int, Any, dict] | None:
        """The newest sound checkpoint; newer ones, which are damaged, are named and put aside.

        Args:
          template: a tree of the structure that was saved, of arrays or of their shapes.
          best: try the best by the metric first.
          accept: is called with `progress`; if it raises, that is taken for damage.

        Returns:
          (step, state, progress), or None if there is none.

        Raises:
          UserError: if none of those there are can be read, or one holds other arrays than the
            template.
          OSError: if one may not be read.
        """
        read: dict[int, tuple[Any, dict[str, Any]]] = {}

        def look(folder: pathlib.Path) -> bool:
            records = _read_records(folder)
            accept(records.progress)
            arrays = _read_arrays(folder, records.digests)
            read[int(folder.name)] = self._fitted(template, arrays, folder), records.progress
            return True

        step = processes.on_first(lambda: self._newest(best, look))
        if step is None:
            return None
        processes.together(lambda: step in read or look(self._directory / str(step)))
        return step, *read[step]

    def _newest(self, best: bool, look: Callable[[pathlib.Path], bool]) -> int | None:
        """The newest step, or the best, at whose folder one can look; as `restore` has it."""
        first = self.best_step() if best else None
        while steps := sorted(self._steps(), key=lambda step: (step != first, -step)):
            if self._sound(steps[0], look):
                return steps[0]
        if self._damaged or any(self._directory.glob('damaged_*')):
            raise UserError(
                f'no checkpoint in {self._directory} can be read; give another --workdir, or '
                f'delete this one to begin anew'
            )
        return None

    def _fitted(self, template: Any, arrays: Mapping[str, np.ndarray], folder: pathlib.Path) -> Any:
        """The arrays as the template's tree.

        Raises:
          UserError: if they are others than those of the template.
        """
        wanted = _flat(template)
        stored = {x: x if x in arrays else self._former_path(x) for x in wanted}
        other = sorted(arrays.keys() ^ {*stored.values()})
        if other:
            raise UserError(
                f'checkpoint {folder} was made by other code: only one of them has {other[0]}; go '
                f'back to that code, or give another --workdir'
            )
        for path, name in stored.items():
            if _kind(arrays[name]) != _kind(wanted[path]):
                raise UserError(
                    f'checkpoint {folder} was made by another config or by other code: {name} is '
                    f'{_kind(arrays[name])} there, {_kind(wanted[path])} now; give another '
                    f'--workdir'
                )
        return _unflat(template, {path: arrays[name] for path, name in stored.items()})

    def close(self) -> None:
        """Waits until all is written; once is enough.

        Raises:
          OSError: if it cannot be.
        """
        manager, self._manager = self._manager, None
        if manager is not None:
            with self._writing():
                manager.wait_until_finished()
                manager.close()
