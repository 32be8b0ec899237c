"""SLURM: an array job of which each job is a trial, queued again when it has to give way.

Submitit writes the job's script and hands it to sbatch. Before a job must end, because its time is
up or a more important one needs the machine, SLURM sends it SIGUSR2; the trial then saves and ends,
and the job goes back into the queue. What SLURM ends by SIGTERM alone saves, too, and leaves with
exit code 75; whether that job runs again is for SLURM to say (PreemptMode and RequeueExit in its
configuration), since it is what `scancel` sends as well.
"""

import importlib
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import FrameType
from typing import Any

from absl import logging

from gan_jax.errors import UserError, one_line
from gan_jax.runtime.preemption import Interrupt
from gan_jax.sweeps import elsewhere, live, settings
from gan_jax.sweeps import trials as trials_lib
from gan_jax.sweeps.engines import Options
from gan_jax.sweeps.trials import Trial

submitit = importlib.import_module('submitit')

OWN = ('cluster', 'folder')  # what is not handed on to submitit
COMMON = ('timeout_min', 'mem_gb', 'cpus_per_task', 'gpus_per_node')  # its names on any cluster
REFUSED = ('nodes', 'tasks_per_node', 'ntasks_per_node')
GRACE = 60.0  # seconds in which a trial that is asked to end is waited for
REQUEUE = 75  # the exit code of what shall be run again, EX_TEMPFAIL
LOOK = 1.0  # seconds between two looks at all trials


def run(trials: Sequence[Trial], options: Options) -> None:
    """Submits the trials as one array job, and waits until all of them have ended.

    Ctrl-C ends the waiting only: the jobs stay in the queue. --engine_option may say `cluster`
    (local runs the jobs here, to try it), `folder` (where submitit keeps its files; default:
    runs/slurm/<the sweep's name>, which all machines must see), and whatever submitit's executor
    takes: timeout_min, mem_gb, cpus_per_task, gpus_per_node, partition, account, qos, ...

    Raises:
      UserError: if there is no SLURM, the sweep is in its queue already, or submitit does not know
        an option.
      Unfinished, Interrupted: as `engines` says.
    """
    given = settings.pairs(options.words)
    cluster = given.get('cluster', 'slurm')
    if cluster == 'slurm' and shutil.which('sbatch') is None:
        raise UserError(
            '--sweep=slurm finds no SLURM (no sbatch on the path): start it on a login node, or '
            'try it here with --engine_option=cluster=local'
        )
    sweep = trials[0].workdir.parent.name
    if cluster == 'slurm':
        _check_queue(sweep)
    folder = pathlib.Path(given.get('folder', f'runs/slurm/{sweep}')).absolute()
    executor = _executor(cluster, folder, sweep, options, given)
    left = elsewhere.unfinished(trials)
    jobs = executor.map_array(Job(options.retries), left) if left else []
    logging.info('%d jobs are submitted; their logs: %s', len(jobs), folder)
    with live.Table(trials, options.slots or len(trials)) as shown, Interrupt() as interrupt:
        while interrupt.name is None and not all(job.done() for job in jobs):
            shown.show()
            time.sleep(LOOK)
        shown.show()
    if interrupt.name is not None:
        logging.info('the jobs stay in the queue; squeue --me shows them, scancel ends them')
        raise trials_lib.Interrupted(interrupt.name)
    trials_lib.conclude(trials)


def _check_queue(sweep: str) -> None:
    """Raises UserError if jobs of that name are in the queue: they would be submitted twice."""
    command = ['squeue', '--me', '--noheader', f'--name={sweep}']
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0 and found.stdout.strip():
        raise UserError(
            f'{len(found.stdout.splitlines())} jobs named {sweep} are in the queue already; wait '
            f'for their end, or end them: scancel --me --name={sweep}'
        )


def _executor(
    cluster: str, folder: pathlib.Path, sweep: str, options: Options, given: dict[str, str]
) -> Any:
    """Submitit's executor, with what the command line says of a job."""
    refused = [name for name in REFUSED if name in given]
    if refused:
        raise UserError(
            f'{settings.FLAG}={refused[0]} is not read by --sweep=slurm, where a trial is one task '
            f'on one machine; docs/tpu.md has a job for a run over several'
        )
    values: dict[str, Any] = {'timeout_min': 60, 'slurm_array_parallelism': options.slots or 256}
    values |= {'name': sweep, 'slurm_additional_parameters': {'requeue': True}}
    for name, word in given.items():
        if name not in OWN:
            value = int(word) if word.isdigit() else settings.BOOLS.get(word, word)
            values[name if name in COMMON else f'slurm_{name}'] = value
    try:
        executor = submitit.AutoExecutor(folder, cluster=cluster)
        executor.update_parameters(**values)
    except (AssertionError, NameError, ValueError) as error:
        raise UserError(f'--sweep=slurm: {one_line(error)}') from error
    return executor


class Job:
    """What a job of the array runs, with its trial as the argument."""

    def __init__(self, retries: int):
        self._retries = retries
        self._stop: threading.Event | None = None
        self._run: Future[trials_lib.Outcome] | None = None

    def __call__(self, trial: Trial) -> trials_lib.Outcome:
        """Runs the trial in a thread, so that signals are heard of in this one meanwhile.

        The thread blocks SIGUSR2, and what it starts inherits that: SLURM sends it to all processes
        of a job, and it would end the command at once.
        """
        self._stop = threading.Event()
        signal.signal(signal.SIGTERM, self._end)
        with ThreadPoolExecutor(1, initializer=_block) as pool:
            self._run = pool.submit(trials_lib.run, trial, self._retries, stop=self._stop)
            return self._run.result()

    def checkpoint(self, trial: Trial) -> Any:
        """Has the trial save and end; submitit calls it at SIGUSR2, then queues the job again."""
        self._save()
        return submitit.helpers.DelayedSubmission(Job(self._retries), trial)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Has the trial save and end at SIGTERM; what comes then is not for the job to say."""
        del number, frame
        self._save()
        sys.exit(REQUEUE)

    def _save(self) -> None:
        if self._stop is not None and self._run is not None:
            self._stop.set()
            wait([self._run], timeout=GRACE)


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
