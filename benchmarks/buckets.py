"""A run on a bucket is what it is on a disk: killed, resumed, damaged, read, and started twice.

    pip install gcsfs gcp-storage-emulator
    python -m benchmarks.buckets [--kills 3] [--pairs 20] [--only resumed,read,damaged,over,twice]

The bucket is an emulator on this machine (tests/emulator.py). Printed is a line for each thing that
is shown, with what was found; the exit code is 1 if one is not as it should be.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import fsspec
import numpy as np

from gan_jax.runtime import buckets, checkpoint, lock, metric_writer
from tests import emulator

ROOT = pathlib.Path(__file__).parents[1]
STEPS = 300
RUN = [
    '--config=configs/ring8.py', f'--config.steps={STEPS}', '--config.steps_per_dispatch=10',
    '--config.log_every=10', '--config.sample_every=100', '--config.checkpoint_every=50',
    '--config.eval_every=100', '--config.eval_samples=500',
]  # fmt: skip
REFUSED = 'another process trains in'
failures = []


def tell(what, good, found=''):
    print(f'{"yes" if good else "NO ":3}  {what}{": " if found else ""}{found}', flush=True)
    if not good:
        failures.append(what)


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, 'launch.py', *map(str, arguments)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process):
    out, _ = process.communicate(timeout=900)
    return process.returncode, out


def train(workdir):
    return start(*RUN, f'--workdir={workdir}')


def last_line(out):
    return out.strip().splitlines()[-1] if out.strip() else ''


def saved(workdir):
    """(step, arrays) of the newest sound checkpoint, by its own digests."""
    found = checkpoint.Checkpoints(workdir / 'checkpoints', read_only=True)
    step = found._steps()[0]
    records = checkpoint._read_records(workdir / 'checkpoints' / str(step))
    return step, checkpoint._read_arrays(workdir / 'checkpoints' / str(step), records.digests)


def lines(workdir):
    records, problems = metric_writer.read_metrics(workdir / 'metrics.jsonl')
    timing = metric_writer.TIMING
    return [{k: x for k, x in record.items() if k not in timing} for record in records], problems


def equal(one, other):
    (step, arrays), (other_step, others) = saved(one), saved(other)
    alike = step == other_step and arrays.keys() == others.keys()
    return (
        alike
        and all(np.array_equal(arrays[x], others[x]) for x in arrays)
        and (lines(one) == lines(other))
    )


def wait_for(condition, process, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            if condition():
                return True
        time.sleep(0.02)
    return False


def killed(workdir, step, pause):
    """Kills a training so long after it has committed a step; returns the newest step then."""
    process = train(workdir)
    commit = workdir / 'checkpoints' / str(step) / checkpoint.COMMITTED
    wait_for(commit.exists, process)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return saved(workdir)[0], lines(workdir)[0][-1]['step']


def resumed(folder, bucket, kills):
    code, out = finish(train(folder / 'disk'))
    tell('a run on the disk ends', code == 0, last_line(out))
    code, out = finish(train(bucket / 'whole'))
    tell('a run on the bucket ends', code == 0, last_line(out))
    tell('it equals the one on the disk, bit for bit', equal(folder / 'disk', bucket / 'whole'))
    for i in range(kills):
        workdir = bucket / f'killed_{i}'
        step, line = killed(workdir, 150, random.random() if i else 0)
        code, out = finish(train(workdir))
        went_on = f'goes on from step {step}' in out
        tell(
            f'killed with step {step} saved and step {line} logged, it goes on and ends equal',
            code == 0 and went_on and line >= step and equal(folder / 'disk', workdir),
        )


def read(bucket):
    workdir = bucket / 'whole'
    for mode, made in (
        (['evaluate', '--num=500'], 'evaluation.json'),
        (['sample', '--num=16'], 'generated/seed_0.npz'),
        (['animate'], 'generated/training.gif'),
        (['report'], 'report.html'),
    ):
        code, out = finish(start(f'--mode={mode[0]}', f'--workdir={workdir}', *mode[1:]))
        tell(
            f'--mode={mode[0]} writes {made}',
            code == 0 and (workdir / made).exists(),
            last_line(out),
        )
    judged = json.loads((workdir / 'evaluation.json').read_bytes())
    tell('evaluation.json holds figures', bool(judged['figures']))


def flip_a_bit(workdir):
    """Changes one bit of the largest object of the newest checkpoint's arrays."""
    state = workdir / 'checkpoints' / str(STEPS) / 'state'
    objects = fsspec.filesystem('gs').find(str(state), detail=True)
    file = buckets.at(f'gs://{max(objects, key=lambda x: objects[x]["size"])}')
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def damaged(folder, bucket):
    workdir = bucket / 'whole'
    flip_a_bit(workdir)
    code, out = finish(start('--mode=sample', '--num=16', f'--workdir={workdir}'))
    tell(
        'a flipped bit is found and the step before is sampled',
        code == 0 and f'{STEPS} is damaged' in out and f'step {STEPS - 50}: wrote' in out,
    )
    code, out = finish(train(workdir))
    aside = (workdir / 'checkpoints' / f'damaged_{STEPS}').is_dir()
    tell(
        'the run goes on from the step before and ends equal, the damaged one put aside',
        code == 0
        and f'from step {STEPS - 50} ' in out
        and aside
        and equal(folder / 'disk', workdir),
    )


def twice(place, pairs):
    """Pairs of trainings that start at one moment."""
    outcomes, seconds = [], []
    for i in range(pairs):
        both = [train(place / f'pair_{i}') for _ in range(2)]
        began = time.monotonic()
        while all(x.poll() is None for x in both) and time.monotonic() < began + 300:
            time.sleep(0.05)
        seconds.append(time.monotonic() - began)
        over = [x for x in both if x.poll() is not None]
        for x in both:
            if x not in over:
                x.kill()
        results = [finish(x) for x in both]
        refused = [out for code, out in results if code == 2 and REFUSED in out]
        one_line = len(refused) == 1 and last_line(refused[0]).startswith('gan_jax: ')
        outcomes.append(one_line and sorted(code for code, _ in results) == [-9, 2])
        if i == 0:
            print('     ', last_line(refused[0]) if refused else results)
    tell(
        f'{place}: of two at one moment one is refused',
        all(outcomes),
        f'{sum(outcomes)} of {pairs}',
    )


def taken_over(place):
    """After kill -9 the next start takes over; one that is not known to be dead after a minute."""
    workdir = place / 'taken'
    process = train(workdir)
    wait_for(lambda: (workdir / 'metrics.jsonl').exists(), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    second = train(workdir)
    code, out = finish(second)
    tell(f'{place}: after kill -9 the next start takes over at once', code == 0, last_line(out))
    if not buckets.is_bucket(place):
        return
    record = {'host': 'elsewhere', 'pid': 1, 'since': '2026-01-01 00:00:00 UTC', 'machine': 'x'}
    (workdir / 'lock_7').write_bytes(json.dumps(record).encode())
    began = time.monotonic()
    code, out = finish(train(workdir))
    tell(
        'one of another machine is refused by name',
        code == 2 and 'host elsewhere' in out,
        last_line(out),
    )
    time.sleep(max(0, lock.STALE + 1 - (time.monotonic() - began)))
    code, out = finish(train(workdir))
    tell('and taken over when it was not written for a minute', code == 0, last_line(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kills', type=int, default=3)
    parser.add_argument('--pairs', type=int, default=20)
    parser.add_argument('--only', default='resumed,read,damaged,over,twice')
    args = parser.parse_args()
    only = args.only.split(',')
    if emulator.missing():
        sys.exit(emulator.missing())
    with emulator.started() as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        disk, bucket = pathlib.Path(folder), buckets.at(f'gs://{emulator.BUCKET}')
        os.environ['XDG_CACHE_HOME'] = str(disk / 'cache')
        if 'resumed' in only:
            resumed(disk, bucket, args.kills)
        if 'read' in only:
            read(bucket)
        if 'damaged' in only:
            damaged(disk, bucket)
        for place in (disk, bucket):
            if 'over' in only:
                taken_over(place)
            if 'twice' in only:
                twice(place, args.pairs)
    sys.exit(bool(failures))


if __name__ == '__main__':
    main()
