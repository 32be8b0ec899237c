"""A sweep from its config file to its end: what --sweep does."""

import sys
from collections.abc import Sequence

from etils import epath

from gan_jax.config import overrides
from gan_jax.sweeps import engines, plan, slots

LOCAL = 'local'  # the engine that shares out this machine


def start(
    name: str,
    folder: epath.Path,
    *,
    changes: plan.Changes = (),
    engine: str = LOCAL,
    options: engines.Options = engines.Options(),  # noqa: B008
    flags: Sequence[str] = (),
) -> None:
    """Plans a config's sweep in a folder, records it, and has an engine run it.

    Args:
      name: the config's file.
      folder: where the trials' work directories go.
      changes: what the command line changes of the config for all trials.
      engine: its name.
      options: what is asked of it.
      flags: more flags for each trial.

    Raises:
      UserError: if anything is wrong; no trial was started then.
      Unfinished, Interrupted: as `engines` says.
    """
    run = engines.find(engine)
    slots.leave_alone(slots.divide(options.slots)[0].devices if engine == LOCAL else 1)
    own = overrides.load_sweep(name)

    def command(workdir: epath.Path) -> Sequence[str]:
        return sys.executable, sys.argv[0], f'--config={name}', f'--workdir={workdir}', *flags

    sweep = plan.plan(name, own, folder, changes=changes, start=command)
    plan.keep(folder, sweep)
    run(sweep.trials, options)
