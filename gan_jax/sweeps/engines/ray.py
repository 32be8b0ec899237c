"""Ray: a task a trial, on the machines of a cluster that runs already.

A task calls `trials.run` on the machine that Ray chooses. Where a machine dies, Ray starts its
tasks elsewhere, and each trial goes on from its checkpoint. So the work directory must be one place
for all machines: a bucket, or a file system that they share.

Ray copies the folder in which the sweep is started to them, except what .gitignore names; the
packages that it needs are installed there, in the same Python version.
"""

import importlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from absl import logging

from gan_jax.errors import UserError, one_line
from gan_jax.runtime.preemption import Interrupt
from gan_jax.sweeps import elsewhere, live, settings
from gan_jax.sweeps import trials as trials_lib
from gan_jax.sweeps.engines import Options
from gan_jax.sweeps.trials import Trial

ray = importlib.import_module('ray')

LEFT_OUT = ['.git', 'docs', 'tests', 'benchmarks']  # of what is copied to the machines
LOOK = 1.0  # seconds between two looks at all trials;
MOMENT = 0.2  # of a task at its own
GRACE = 60.0  # seconds in which trials that are asked to end are waited for


class Settings(NamedTuple):
    """What --engine_option may say.

    Attributes:
      address: of the cluster; '' for RAY_ADDRESS, or the one that runs on this machine.
      cpus: cores that each trial needs.
      gpus: GPUs; the trial sees only these.
      tpus: TPU chips, as Ray counts them; the trial sees only these.
      node_retries: how often a trial is started elsewhere after its machine died; -1 for always.
    """

    address: str = ''
    cpus: float = 1.0
    gpus: float = 0.0
    tpus: float = 0.0
    node_retries: int = -1


def run(trials: Sequence[Trial], options: Options) -> None:
    """Runs each trial on a machine that has what it needs, and waits for all.

    Ctrl-C or SIGTERM has all trials save and end; the same command goes on.

    Raises:
      UserError: if there is no cluster, or its machines write to another work directory.
      Unfinished, Interrupted: as `engines` says.
    """
    chosen = settings.read('ray', Settings(), options.words)
    trials = elsewhere.portable(trials)
    _connect(chosen.address)
    try:
        with live.Table(trials, options.slots or _fit(chosen)) as shown, Interrupt() as interrupt:
            _follow(trials, options, chosen, shown, interrupt)
    finally:
        ray.shutdown()
    if interrupt.name is not None:
        raise trials_lib.Interrupted(interrupt.name)
    trials_lib.conclude(trials)


def _connect(address: str) -> None:
    """Joins the cluster, which is given the code that stands here."""
    try:
        ray.init(
            address=address or os.environ.get('RAY_ADDRESS') or 'auto',
            runtime_env={'working_dir': '.', 'excludes': LEFT_OUT},
            log_to_driver=False,  # what trials print is in their logs
            logging_level='WARNING',
        )
    except ConnectionError as error:
        raise UserError(
            '--sweep=ray finds no cluster; start one (ray start --head here, then ray start '
            '--address=HERE:6379 on each machine), or name one: RAY_ADDRESS=HOST:6379'
        ) from error


def _fit(chosen: Settings) -> int:
    """How many trials the machines hold at once; warns if none does, since some may still come."""
    needed = {'CPU': chosen.cpus, 'GPU': chosen.gpus, 'TPU': chosen.tpus}
    needed = {name: amount for name, amount in needed.items() if amount}
    machines = [node['Resources'] for node in ray.nodes() if node['Alive']]
    fit = sum(
        min((int(have.get(name, 0) / amount) for name, amount in needed.items()), default=1)
        for have in machines
    )
    if not fit:
        logging.warning('none of the %d machines has %s; waiting for one', len(machines), needed)
    return max(fit, 1)


def _follow(
    trials: Sequence[Trial],
    options: Options,
    chosen: Settings,
    shown: live.Table,
    interrupt: Interrupt,
) -> None:
    """Has all trials run, as many at a time as was asked for, and shows how they come along."""
    play = ray.remote(_play).options(
        num_cpus=chosen.cpus,
        num_gpus=chosen.gpus,
        resources={'TPU': chosen.tpus} if chosen.tpus else {},
        max_retries=chosen.node_retries,
    )
    waiting, alive = elsewhere.unfinished(trials), 0
    running: dict[Any, Trial] = {}
    while (waiting or running) and interrupt.name is None:
        while waiting and len(running) < (options.slots or len(trials)):
            trial = waiting.pop(0)
            running[play.remote(trial, options.retries, sys.executable)] = trial
        for ended in ray.wait(list(running), timeout=LOOK)[0]:
            _take(ended, running.pop(ended))
        before, alive = alive, sum(node['Alive'] for node in ray.nodes())
        if alive < before:
            logging.warning(
                '%d of %d machines are gone; their trials go on elsewhere', before - alive, before
            )
        shown.show()
    for task in running:
        ray.cancel(task)
    if running:
        ray.wait(list(running), num_returns=len(running), timeout=GRACE)


def _play(trial: Trial, retries: int, python: str) -> trials_lib.Outcome:
    """On a machine of the cluster: runs the trial, with the Python that is there."""
    command = tuple(sys.executable if word == python else word for word in trial.command)
    trial, stop = trial._replace(command=command), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(trials_lib.run, trial, retries, stop=stop)
        try:
            while not running.done():  # Ray interrupts this thread, but wakes it from no lock
                time.sleep(MOMENT)
        except KeyboardInterrupt:
            stop.set()
        return running.result()


def _take(task: Any, trial: Trial) -> None:
    """Looks at what became of a task.

    Raises:
      UserError: if what the trial wrote is not seen here.
    """
    try:
        outcome = ray.get(task)
    except ray.exceptions.RayError as error:
        logging.error('%s: %s', trial.name, one_line(error))
        return
    if outcome.attempts > trials_lib.outcome(trial).attempts:
        raise UserError(
            f'{trial.workdir} on the machines of the cluster is another folder than here; give a '
            f'--workdir on a bucket, or on a file system that all of them share'
        )
