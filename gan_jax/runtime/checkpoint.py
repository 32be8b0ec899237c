"""Checkpoints by Orbax that can be trusted: each carries a digest of every array.

Orbax writes atomically, so a killed run leaves at most an ignored temporary folder. But it does
not see a byte that was flipped on the disk, and has no way back from a file that is gone. So a
CRC of each leaf is kept beside the state; on start the steps are tried from the newest, and one
that fails is named and put aside.
"""

import copy
import pathlib
import shutil
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from flax import serialization
from orbax.checkpoint import checkpoint_managers as policies

from gan_jax.errors import UserError, one_line


def _flat(tree: Any) -> dict[str, np.ndarray]:
    """Leaves by path; empty nodes, which hold nothing to keep, vanish."""
    leaves = jax.tree_util.tree_leaves_with_path(serialization.to_state_dict(tree))
    return {jax.tree_util.keystr(path, simple=True, separator='.'): leaf for path, leaf in leaves}


def _unflat(template: Any, flat: Mapping[str, np.ndarray]) -> Any:
    structure = jax.tree.structure(serialization.to_state_dict(template))
    leaves = [flat[path] for path in _flat(template)]
    return serialization.from_state_dict(template, jax.tree.unflatten(structure, leaves))


def _digests(flat: Mapping[str, np.ndarray]) -> dict[str, int]:
    return {
        path: zlib.crc32(repr((x.shape, x.dtype.name)).encode() + np.ascontiguousarray(x).tobytes())
        for path, x in flat.items()
    }


class Checkpoints:
    """The checkpoints of one run: the latest two, and the best by a metric where one is given."""

    def __init__(
        self,
        directory: pathlib.Path,
        read_only: bool = False,
        former_path: Callable[[str], str] = str,
    ):
        """Opens or makes the directory.

        Args:
          directory: where they are.
          read_only: whether nothing is changed there: it may be another process's.
          former_path: what an earlier version called an array.
        """
        self._former_path = former_path
        self._directory = directory.absolute()
        self._read_only = read_only
        keep = policies.AnyPreservationPolicy(
            [
                policies.LatestN(2),
                policies.BestN(
                    get_metric_fn=lambda metrics: metrics['value'],
                    reverse=True,  # the least value last, which Orbax takes for the best
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep,
            best_fn=lambda metrics: metrics['value'],
            best_mode='min',
            read_only=read_only,
            create=not read_only,
        )
        for step in self._steps():
            if not (self._directory / str(step) / 'digests' / 'metadata').exists():
                self._put_aside(step, 'it is incomplete')
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    def _steps(self) -> list[int]:
        """The steps there are, from the newest."""
        folders = self._directory.glob('[0-9]*')
        return sorted((int(x.name) for x in folders if x.name.isdigit()), reverse=True)

    def _put_aside(self, step: int, reason: str) -> None:
        """Renames rather than deletes: what stopped the reading may have been something else."""
        folder = self._directory / str(step)
        logging.error('checkpoint %s is damaged (%s); dropped', folder, reason)
        if not self._read_only:
            aside = self._directory / f'damaged_{step}'
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)

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
        """
        flat = _flat(state)
        for path, x in flat.items():
            if jnp.issubdtype(x.dtype, jnp.inexact) and not np.isfinite(x).all():
                raise FloatingPointError(path)
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(flat),
                digests=ocp.args.JsonSave(_digests(flat)),
                # A copy: it is written later, by another thread.
                progress=ocp.args.JsonSave(copy.deepcopy(dict(progress))),
                config=ocp.args.JsonSave(dict(config)),
            ),
            metrics=None if metric is None else {'value': metric},
            force=True,
        )

    def restore(self, template: Any, best: bool = False) -> tuple[int, Any, dict] | None:
        """The newest sound checkpoint; newer ones, which are damaged, are named and put aside.

        Args:
          template: a tree of the structure that was saved, of arrays or of their shapes.
          best: try the best by the metric first.

        Returns:
          (step, state, progress), or None if there is none.

        Raises:
          UserError: if none of those there are can be read, or one holds other arrays than the
            template.
        """
        steps = self._steps()
        if best:
            steps.sort(key=lambda step: step != self._manager.best_step())  # the order else stays
        for step in steps:
            try:
                state, progress = self._read(step, template)
            except UserError:
                raise
            except Exception as error:  # damage shows itself in many types of error
                self._put_aside(step, one_line(error))
                self._manager.reload()
                continue
            return step, state, progress
        if steps or any(self._directory.glob('damaged_*')):
            raise UserError(
                f'no checkpoint in {self._directory} can be read; give another --workdir, or '
                f'delete this one to begin anew'
            )
        return None

    def best_step(self) -> int | None:
        """The step that is the best by the metric; None if none was evaluated."""
        return self._manager.best_step()

    def _read(self, step: int, template: Any) -> tuple[Any, dict[str, Any]]:
        flat_template = {path: np.zeros(x.shape, x.dtype) for path, x in _flat(template).items()}
        json = ocp.args.JsonRestore()
        args = ocp.args.Composite(digests=json, progress=json)
        items = self._manager.restore(step, args=args)
        stored = {
            path: path if path in items.digests else self._former_path(path)
            for path in flat_template
        }
        other = sorted(items.digests.keys() ^ {*stored.values()})
        if other:
            raise UserError(
                f'checkpoint {self._directory / str(step)} was made by other code: only one of '
                f'them has {other[0]}; go back to that code, or give another --workdir'
            )
        template_as_stored = {stored[path]: x for path, x in flat_template.items()}
        args = ocp.args.Composite(state=ocp.args.StandardRestore(template_as_stored))
        state = self._manager.restore(step, args=args).state
        digests = _digests({path: np.asarray(x) for path, x in state.items()})
        for path, digest in items.digests.items():
            if digests[path] != digest:
                raise ValueError(f'{path} does not match its digest')
        flat = {path: np.asarray(state[stored[path]]) for path in flat_template}
        return _unflat(template, flat), items.progress

    def close(self) -> None:
        """Waits until all is written."""
        self._manager.wait_until_finished()
        self._manager.close()
