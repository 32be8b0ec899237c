"""A sweep from its config file to its end: what --sweep does."""

import sys
from collections.abc import Callable, Sequence

from etils import epath

from gan_jax.config import overrides
from gan_jax.runtime import launcher
from gan_jax.sweeps import engines, halving, plan, slots

LOCAL = 'local'  # the engine that shares out this machine


def start(
    name: str,
    folder: epath.Path,
    *,
    changes: plan.Changes = (),
    engine: str = LOCAL,
    options: engines.Options = engines.Options(),  # noqa: B008
    flags: Sequence[str] = (),
    rungs: halving.Rungs | None = None,
) -> None:
    """Plans a config's sweep in a folder, records it, and has an engine run it.

    Args:
      name: the config's file.
      folder: where the trials' work directories go.
      changes: what the command line changes of the config for all trials.
      engine: its name.
      options: what is asked of it.
      flags: more flags for each trial.
      rungs: at which the worst trials are stopped; None for no such.

    Raises:
      UserError: if anything is wrong; no trial was started then.
      Unfinished, Interrupted: as `engines` says.
    """
    run = ready(engine, options)
    own = overrides.load_sweep(name)
    sweep = plan.plan(name, own, folder, changes=changes, start=command(name, flags))
    if rungs is not None:
        halving.check(sweep, rungs)
        run = halving.climbing(run, folder, rungs)
    plan.keep(folder, sweep)
    run(sweep.trials, options)


def ready(engine: str, options: engines.Options) -> engines.Engine:
    """The engine of that name; this process leaves the devices to its trials."""
    run = engines.find(engine)
    slots.leave_alone(slots.divide(options.slots)[0].devices if engine == LOCAL else 1)
    return run


def command(name: str, flags: Sequence[str]) -> Callable[[epath.Path], Sequence[str]]:
    """(work directory) -> the command that trains a config's file there."""
    return lambda workdir: (
        *launcher.program(sys.argv[0]), f'--config={name}', f'--workdir={workdir}', *flags
    )  # fmt: skip
