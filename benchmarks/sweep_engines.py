"""One sweep of 12 trials through each engine that is installed: all must give one table.

    python -m benchmarks.sweep_engines                  # pip install ray submitit
    python -m benchmarks.sweep_engines --engines=ray

The trials are stand-ins, which write checkpoints of growing steps and go on from the newest. One
fails always, one fails once. Ray's cluster is two nodes on this machine, of which one is killed
half-way; submitit's local executor stands for SLURM, and one of its jobs is told to give way.
"""

import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from absl import app, flags
from etils import epath

from gan_jax.sweeps import trials as trials_lib
from gan_jax.sweeps.engines import Options, find
from gan_jax.sweeps.trials import Outcome, Trial

ENGINES = flags.DEFINE_list('engines', ['local', 'ray', 'slurm'], 'Which engines.')
STEPS, PAUSE = 20, 0.15  # a stand-in's steps, and its seconds a step
MEMORY = 80 * 2**20  # of a node's object store, which is hardly used
STAND_IN = """
import pathlib, signal, sys, time
work, steps, pause = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
fails = sys.argv[4]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
saved = work / 'checkpoints'
saved.mkdir(parents=True, exist_ok=True)
step = max([int(x.name) for x in saved.iterdir()], default=0)
with open(work / 'starts', 'a') as file:
    print(step, file=file)
starts = len((work / 'starts').read_text().split())
while step < steps:
    time.sleep(pause)
    step += 1
    (saved / str(step)).mkdir()
    if step >= steps // 2 and (fails == 'always' or fails == 'once' and starts == 1):
        sys.exit('stand-in: broken on purpose')
"""


def stand_ins(folder: pathlib.Path, num: int = 12) -> list[Trial]:
    """Trials of which the fourth fails always, the eighth once."""
    made = []
    for i in range(num):
        fails = {3: 'always', 7: 'once'}.get(i, 'never')
        workdir = folder / f'trial_{i:02d}'
        arguments = (str(workdir), str(STEPS), str(PAUSE), fails)
        command = (sys.executable, '-c', STAND_IN, *arguments)
        made.append(Trial(workdir.name, {'seed': i}, epath.Path(workdir), command, STEPS))
    return made


def starts(trial: Trial) -> list[int]:
    """The steps from which the trial was begun or gone on with."""
    return [int(x) for x in (trial.workdir / 'starts').read_text().split()]


def sweep(engine: str, trials: list[Trial], *words: str) -> None:
    """Runs them all, once."""
    try:
        find(engine)(trials, Options(slots=2, retries=1, words=words))
    except trials_lib.Unfinished as error:
        print(error, file=sys.stderr)


def local(trials: list[Trial]) -> None:
    """On two slots of this machine."""
    sweep('local', trials)


def ray(trials: list[Trial]) -> None:
    """On two nodes, of which the second is killed when half of the trials are finished."""
    from ray.cluster_utils import Cluster

    node = {'num_cpus': 1, 'object_store_memory': MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args={**node, 'include_dashboard': False})
    second = cluster.add_node(**node)
    killer = threading.Thread(target=_kill, args=(cluster, second, trials))
    killer.start()
    sweep('ray', trials, f'address={cluster.address}')
    killer.join()
    cluster.shutdown()


def _kill(cluster: Any, node: Any, trials: list[Trial]) -> None:
    while sum(_is_finished(x) for x in trials) < len(trials) // 3 or sum(
        _is_under_way(x) for x in trials
    ) < min(2, sum(not _is_finished(x) for x in trials)):
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)
    print('one of two nodes is killed', file=sys.stderr)


def slurm(trials: list[Trial]) -> None:
    """By submitit's local executor; one job is sent SIGUSR2, as by SLURM before it must end."""
    jobs = trials[0].workdir.parent / 'jobs'
    disturber = threading.Thread(target=_disturb, args=(pathlib.Path(jobs), trials[0]))
    disturber.start()
    sweep('slurm', trials, 'cluster=local', f'folder={jobs}')
    disturber.join()


def _disturb(jobs: pathlib.Path, trial: Trial) -> None:
    """Sends SIGUSR2 to the process in which submitit runs the trial."""
    from submitit.helpers import DelayedSubmission

    while not _is_under_way(trial):
        time.sleep(0.05)
    for file in jobs.glob('*_submitted.pkl'):
        if DelayedSubmission.load(file).args[0] == trial:
            controller = file.name.partition('_')[0]
            children = pathlib.Path(f'/proc/{controller}/task/{controller}/children').read_text()
            os.kill(int(children.split()[0]), signal.SIGUSR2)
            print(f'the job of {trial.name} is told to give way', file=sys.stderr)


def _is_finished(trial: Trial) -> bool:
    return trials_lib.newest_step(trial) >= trial.steps


def _is_under_way(trial: Trial) -> bool:
    return 0.1 * trial.steps < trials_lib.newest_step(trial) < 0.4 * trial.steps


def main(argv: list[str]) -> None:
    del argv
    kinds: dict[str, Callable[[list[Trial]], None]] = {'local': local, 'ray': ray, 'slurm': slurm}
    columns: dict[str, list[tuple[Outcome, list[int]]]] = {}
    for engine in ENGINES.value:
        with tempfile.TemporaryDirectory() as folder:
            trials = stand_ins(pathlib.Path(folder))
            before = time.monotonic()
            kinds[engine](trials)
            print(f'{engine}: {time.monotonic() - before:.0f} s', file=sys.stderr)
            columns[engine] = [(trials_lib.outcome(x), starts(x)) for x in trials]
    print('| trial | ' + ' | '.join(columns) + ' |\n| --- |' + ' --- |' * len(columns))
    for i in range(12):
        cells = [f'{x[i][0].state}, from {" ".join(map(str, x[i][1]))}' for x in columns.values()]
        print(f'| trial_{i:02d} | ' + ' | '.join(cells) + ' |')
    states = [[x.state for x, _ in column] for column in columns.values()]
    print('one table' if all(x == states[0] for x in states) else 'the tables differ')


if __name__ == '__main__':
    app.run(main)
