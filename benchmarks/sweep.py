"""Twelve trials in two slots; one fails always, one once, and the launcher is killed half-way.

    python -m benchmarks.sweep [--folder /tmp/sweep] [--slots 2] [--steps 2000]

The trials are small trainings on ring8 by launch.py --sweep. One diverges at its first step, by its
learning rate; one is killed with SIGKILL when it has saved its first checkpoint. Half-way the
launcher is killed with SIGKILL and, when its trials have ended with it, started again by the same
command. Printed are the second launcher's exit code and last lines, and for each trial its state,
how often its command was started, and the step from which each start went on: a finished trial
has one start more for each time that it was killed, or its launcher. With its launcher it saves and
loses no step; killed itself, it goes on from its last checkpoint.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from etils import epath

from gan_jax.sweeps import plan, trials

CONFIG = """
from gan_jax import sweeps
from configs import ring8

def get_config():
    config = ring8.get_config()
    config.steps = {steps}
    config.batch_size = 64
    config.steps_per_dispatch = 10
    config.generator.width = config.discriminator.width = 16
    config.num_samples, config.eval_samples = 64, 500
    config.log_every, config.sample_every = 50, 0
    config.checkpoint_every = config.eval_every = {steps} // 10
    return config

def sweep():
    key = 'optimizers.generator.learning_rate'
    return sweeps.chained(
        sweeps.product({{key: [1e-4, 2e-4, 5e-4, 1e-3, 2e-3]}}, sweeps.seeds(2)),
        {{key: [5e-3, 1e30]}},
    )
"""
KILLED = 'generator.learning_rate=0.0001,seed=1'


def processes(workdir):
    """The ids of the processes whose command line names a work directory."""
    found = []
    for file in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):
            if f'--workdir={workdir}'.encode() in file.read_bytes().split(b'\0'):
                found.append(int(file.parent.name))
    return found


def wait(until, seconds=1800):
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--folder', default=tempfile.mkdtemp())
    parser.add_argument('--slots', type=int, default=2)
    parser.add_argument('--steps', type=int, default=2000)
    args = parser.parse_args()
    root = pathlib.Path(__file__).parents[1]
    folder = pathlib.Path(args.folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / 'config.py'
    file.write_text(CONFIG.format(steps=args.steps))
    command = [
        sys.executable, 'launch.py', f'--config={file}', '--sweep', f'--slots={args.slots}',
        f'--workdir={folder / "sweep"}',
    ]  # fmt: skip
    environment = {**os.environ, 'PYTHONPATH': str(root)}
    start = time.monotonic()
    first = subprocess.Popen(command, cwd=root, env=environment)
    wait(lambda: (folder / 'sweep' / plan.FILE).exists())
    several = plan.read(epath.Path(folder / 'sweep')).trials
    victim = next(x for x in several if x.name == KILLED)
    wait(lambda: trials.newest_step(victim))
    for number in processes(victim.workdir):
        os.kill(number, signal.SIGKILL)
    half = len(several) // 2
    wait(lambda: sum(trials.state(x) == trials.FINISHED for x in several) >= half)
    wait(lambda: sum(trials.newest_step(x) > 0 for x in several) > half)
    finished = [x.name for x in several if trials.state(x) == trials.FINISHED]
    first.kill()
    first.wait()
    killed = time.monotonic()
    wait(lambda: not any(processes(x.workdir) for x in several))
    print(f'launcher killed after {killed - start:.0f} s with {len(finished)} finished; '
          f'its trials ended {time.monotonic() - killed:.1f} s later', flush=True)  # fmt: skip
    again = subprocess.run(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
    print(f'started again: exit code {again.returncode}, {time.monotonic() - start:.0f} s in all')
    print('\n'.join(again.stderr.splitlines()[-2:]))
    print(f'\n{"trial":42} {"state":9} starts  goes on from')
    for trial in several:
        found = trials.outcome(trial)
        log = (trial.workdir / trials.LOG).read_text()
        steps = re.findall(r'goes on from step (\d+)', log)
        print(f'{trial.name:42} {found.state:9} {found.attempts:6}  {", ".join(steps)}')


if __name__ == '__main__':
    main()
