"""Processes of one run are killed at random moments: a table of what became of the run.

    python -m benchmarks.kills --kills=10 --folder=/tmp/kills

With restarts (`--max_restarts`) the run is compared with one that nobody disturbed: the digests of
its last checkpoint, its log without timing, its pictures. Without them, processes that were
started one by one, as a cluster starts them, are killed, and the survivor's last line, its exit
code and the seconds until its end are printed. Last, SIGTERM is sent to one, and all are started
again. Every fifth kill waits for a checkpoint that is being written.
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from absl import app, flags

from gan_jax.runtime.metric_writer import TIMING

KILLS = flags.DEFINE_integer('kills', 10, 'How many kills with restarts, and as many without.')
FOLDER = flags.DEFINE_string('folder', '/tmp/kills', 'Where the runs go; emptied at the start.')
STEPS = flags.DEFINE_integer('steps', 120, 'How long a run is.')
DEVICES = flags.DEFINE_integer('devices', 2, 'Virtual devices of each of the two processes.')
ROOT = pathlib.Path(__file__).parents[1]
PATIENCE = 600  # seconds; what takes longer hangs


def command(workdir: pathlib.Path) -> list[str]:
    """A small run of points; it logs and saves often."""
    return [
        sys.executable, 'launch.py', '--config=configs/ring8.py', f'--workdir={workdir}',
        f'--config.steps={STEPS.value}', '--config.steps_per_dispatch=1', '--config.batch_size=16',
        '--config.generator.width=16', '--config.discriminator.width=16',
        '--config.num_samples=16', '--config.log_every=5', '--config.checkpoint_every=10',
        '--config.sample_every=40', '--config.eval_every=0',
    ]  # fmt: skip


def environment(devices: int) -> dict[str, str]:
    """A CPU with so many virtual devices."""
    flag = f'--xla_force_host_platform_device_count={devices}'
    return {**os.environ, 'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': flag, 'TF_CPP_MIN_LOG_LEVEL': '2'}


class Run:
    """Two processes, by the launcher or one by one."""

    def __init__(self, workdir: pathlib.Path, restarts: int | None) -> None:
        """Starts them; `restarts` is None for one by one."""
        self.workdir = workdir
        log = workdir.with_suffix(f'.{time.monotonic_ns()}.log')
        self.logs = [log] if restarts is not None else [log.with_suffix(f'.{i}') for i in (0, 1)]
        words = [command(workdir)]
        if restarts is None:
            with socket.socket() as one:
                one.bind(('localhost', 0))
                place = [f'--coordinator=localhost:{one.getsockname()[1]}', '--num_processes=2']
            words = [[*words[0], *place, f'--process_id={i}'] for i in (0, 1)]
        else:
            devices = f'--devices_per_process={DEVICES.value}'
            words[0] += ['--processes=2', devices, f'--max_restarts={restarts}']
        self.processes = [
            subprocess.Popen(
                x, cwd=ROOT, env=environment(DEVICES.value), stdout=file, stderr=subprocess.STDOUT
            )
            for x, file in zip(words, [x.open('w') for x in self.logs], strict=True)
        ]

    def wait_for(self, moment: int | None) -> None:
        """Until the log says that so many steps are done; None for a checkpoint being written."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and all(x.poll() is None for x in self.processes):
            if moment is None:
                if any((self.workdir / 'checkpoints').glob('*tmp*')):
                    return
                time.sleep(0.001)
            elif reached(self.workdir) >= moment:
                time.sleep(random.random())
                return
            else:
                time.sleep(0.05)

    def pid(self, index: int) -> int:
        """The process id that its log tells."""
        names = re.findall(rf'{index}: \'[^\']*, pid (\d+)', self.logs[0].read_text())
        return int(names[-1])

    def end(self) -> list[int]:
        """Exit codes."""
        try:
            return [x.wait(PATIENCE) for x in self.processes]
        finally:
            for process in self.processes:
                process.kill()


def reached(workdir: pathlib.Path) -> int:
    """The last step that metrics.jsonl has."""
    try:
        lines = (workdir / 'metrics.jsonl').read_text().splitlines()
        return json.loads(lines[-1])['step']
    except (OSError, IndexError, ValueError):
        return 0


def result(workdir: pathlib.Path) -> dict[str, object]:
    """All of a run that another one must equal."""
    last = max((workdir / 'checkpoints').iterdir(), key=lambda x: int(x.name))
    digests = json.loads((last / 'digests' / 'metadata').read_text())
    lines = [json.loads(x) for x in (workdir / 'metrics.jsonl').read_text().splitlines()]
    return {
        'step': last.name,
        'digests': digests,
        'log': [{k: v for k, v in line.items() if k not in TIMING} for line in lines],
        'pictures': {x.name: x.read_bytes() for x in (workdir / 'samples').iterdir()},
    }


def differs(one: dict[str, object], other: dict[str, object]) -> str:
    """The names of what is not equal."""
    return ', '.join(x for x in one if one[x] != other[x])


def row(*cells: object) -> None:
    """Prints a line of the table."""
    print(' | '.join(str(x) for x in cells), flush=True)


def with_restarts(folder: pathlib.Path, whole: dict[str, object], i: int) -> bool:
    """One kill of a run that the launcher starts again."""
    moment = None if i % 5 == 4 else random.randrange(5, STEPS.value - 10, 5)
    run, victim = Run(folder / f'restarted_{i}', restarts=2), i % 2
    run.wait_for(moment)
    at = reached(run.workdir)
    os.kill(run.pid(victim), signal.SIGKILL)
    began = time.monotonic()
    (code,) = run.end()
    text = run.logs[0].read_text()
    restarts = text.count('starts all again')
    wrong = differs(whole, result(run.workdir)) if code == 0 else text.splitlines()[-1]
    row(
        'with restarts', f'process {victim}', 'while saving' if moment is None else 'at random',
        at, restarts, f'{time.monotonic() - began:.0f}', code, wrong or 'equal',
    )  # fmt: skip
    return not wrong


def without(folder: pathlib.Path, i: int) -> bool:
    """One kill of a run whose processes are on their own."""
    moment = None if i % 5 == 4 else random.randrange(5, STEPS.value - 10, 5)
    run, victim = Run(folder / f'ended_{i}', restarts=None), i % 2
    run.wait_for(moment)
    at = reached(run.workdir)
    run.processes[victim].kill()
    began = time.monotonic()
    code = run.end()[1 - victim]
    seconds = time.monotonic() - began
    line = run.logs[1 - victim].read_text().splitlines()[-1]
    row(
        'without', f'process {victim}', 'while saving' if moment is None else 'at random', at, 0,
        f'{seconds:.1f}', code, line,
    )  # fmt: skip
    return seconds < 20 and code == 76 and f'process {victim} (' in line


def terminated(folder: pathlib.Path, whole: dict[str, object], victim: int) -> bool:
    """SIGTERM to one; then all again."""
    run = Run(folder / f'terminated_{victim}', restarts=None)
    run.wait_for(random.randrange(5, STEPS.value // 2, 5))
    run.processes[victim].terminate()
    began = time.monotonic()
    codes = run.end()
    seconds, at = time.monotonic() - began, reached(run.workdir)
    saved = sorted(int(x.name) for x in (run.workdir / 'checkpoints').iterdir())[-1]
    (code,) = Run(run.workdir, restarts=0).end()
    wrong = differs(whole, result(run.workdir)) if code == 0 else f'code {code}'
    row(
        'SIGTERM', f'process {victim}', f'saved at {saved}', at, 0, f'{seconds:.1f}', codes,
        wrong or 'goes on and ends equal',
    )  # fmt: skip
    return codes == [75, 75] and not wrong


def main(argv: list[str]) -> None:
    """Prints the table; the exit code says whether all went well."""
    del argv
    random.seed(0)
    folder = pathlib.Path(FOLDER.value)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    (code,) = Run(folder / 'whole', restarts=0).end()
    if code:
        raise SystemExit(f'the undisturbed run ended with code {code}; see {folder}')
    whole = result(folder / 'whole')
    print(f'undisturbed: {STEPS.value} steps in {time.monotonic() - began:.0f} s')
    row('kind', 'killed', 'moment', 'step', 'restarts', 'seconds to the end', 'code', 'outcome')
    good = [terminated(folder, whole, victim) for victim in (0, 1)]
    for i in range(KILLS.value):
        good += [without(folder, i), with_restarts(folder, whole, i)]
    print(f'{sum(good)} of {len(good)} as they should be')
    sys.exit(not all(good))


if __name__ == '__main__':
    app.run(main)
