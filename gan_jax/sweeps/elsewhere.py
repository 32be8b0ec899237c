"""Trials on machines to which the folder is copied in which their sweep was started."""

import os
from collections.abc import Sequence

from etils import epath

from gan_jax.sweeps.trials import FINISHED, Trial, state


def unfinished(trials: Sequence[Trial]) -> list[Trial]:
    """Those for which a machine is needed."""
    return [trial for trial in trials if state(trial) != FINISHED]


def portable(trials: Sequence[Trial]) -> list[Trial]:
    """The same trials, so that they mean the same in a copy of this folder.

    The script and the config are named from the folder, work directories from the root; those with
    a scheme, as gs://bucket/sweep, are what they are.
    """
    here = os.path.join(os.getcwd(), '')
    return [_portable(trial, here) for trial in trials]


def _portable(trial: Trial, here: str) -> Trial:
    workdir = trial.workdir
    if '://' not in os.fspath(workdir):
        workdir = epath.Path(os.path.abspath(workdir))
    words = [
        f'--config={word.removeprefix("--config=").removeprefix(here)}'
        if word.startswith('--config=')
        else word
        for word in trial.command
    ]
    words = [f'--workdir={workdir}' if x == f'--workdir={trial.workdir}' else x for x in words]
    words[1:2] = [word.removeprefix(here) for word in words[1:2]]
    return trial._replace(workdir=workdir, command=tuple(words))
