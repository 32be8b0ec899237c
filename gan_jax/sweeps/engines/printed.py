"""Prints one command a trial, for whatever runs commands: parallel, xargs, a cluster's own."""

import shlex
from collections.abc import Sequence

from gan_jax.sweeps import settings
from gan_jax.sweeps.engines import Options
from gan_jax.sweeps.trials import Trial


def run(trials: Sequence[Trial], options: Options) -> None:
    """Prints each trial's command in a line of its own, as a shell reads it."""
    settings.read('print', settings.Nothing(), options.words)
    for trial in trials:
        print(shlex.join(trial.command))
