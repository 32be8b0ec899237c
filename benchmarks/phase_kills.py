"""Runs of several phases, killed by SIGKILL in each: do they end as ones that nobody disturbed?

    python -m benchmarks.phase_kills [--only=timegan] [--where=/tmp/phase_kills]

A run is small: a few steps a phase, a checkpoint every third one. It is killed once its log has a
step of the phase, started again, and its last checkpoint's digests, its log and its pictures are
compared with those of an undisturbed run.
"""

import pathlib
import shutil
import subprocess
import sys
import time

from absl import app, flags

from benchmarks import kills

ONLY = flags.DEFINE_list('only', None, 'Which of the runs.')
WHERE = flags.DEFINE_string('where', '/tmp/phase_kills', 'Where they go; emptied at the start.')
PHASE = 12  # steps
TEXT = 'words.txt'
OFTEN = (
    '--config.steps_per_dispatch=1', '--config.batch_size=8', '--config.num_samples=4',
    '--config.log_every=1', '--config.checkpoint_every=3', '--config.sample_every=12',
    '--config.eval_every=0',
)  # fmt: skip
LIKELIHOOD = (f'--config.pretraining_steps={PHASE}', f'--config.discriminator_steps={PHASE}')
CASES = {
    'timegan': (
        3, f'--config.embedding_steps={PHASE}', f'--config.supervised_steps={PHASE}',
        *(f'--config.{x}.width=4' for x in ('encoder', 'generator', 'supervisor', 'recovery')),
    ),
    'words': (3, *LIKELIHOOD, '--config.generator.width=8', '--config.data.dictionary='),
    'seqgan': (3, *LIKELIHOOD, '--config.generator.width=8', '--config.latent.size=20'),
    'denoising': (2, f'--config.pretraining_steps={PHASE}'),
}  # fmt: skip


def process(name: str, workdir: pathlib.Path) -> subprocess.Popen:
    """One start of the run."""
    phases, *words = CASES[name]
    text = [f'--config.dataset=text:{workdir.parent / TEXT}'] if name == 'words' else []
    steps = f'--config.steps={phases * PHASE}'
    command = [
        sys.executable, 'launch.py', f'--config=configs/{name}.py', f'--workdir={workdir}', steps,
        *OFTEN, *words, *text,
    ]  # fmt: skip
    with workdir.with_suffix('.log').open('a') as log:
        return subprocess.Popen(
            command, cwd=kills.ROOT, env=kills.environment(1), stdout=log, stderr=subprocess.STDOUT
        )


def whole(name: str, workdir: pathlib.Path) -> dict[str, object]:
    """What a run comes to that ends by itself."""
    if code := process(name, workdir).wait(kills.PATIENCE):
        raise SystemExit(f'{name} ended with code {code}; see {workdir.with_suffix(".log")}')
    return kills.result(workdir)


def killed(name: str, workdir: pathlib.Path, moment: int) -> tuple[int, dict[str, object]]:
    """(the step at which it was killed, what the run comes to that is started again)."""
    first, until = process(name, workdir), time.monotonic() + kills.PATIENCE
    while kills.reached(workdir) < moment and first.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    first.kill()
    if first.wait() == 0:
        raise SystemExit(f'{name} had ended before it could be killed at step {moment}')
    return kills.reached(workdir), whole(name, workdir)


def main(argv: list[str]) -> None:
    """Prints a line for each phase; the exit code says whether all ended equal."""
    del argv
    folder = pathlib.Path(WHERE.value)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / TEXT).write_text(
        '\n'.join('abcdefghijklmnopqrstuvwxyz'[i : i + 5] for i in range(20))
    )
    kills.row('run', 'phase', 'killed at step', 'outcome')
    good = []
    for name in ONLY.value or CASES:
        want = whole(name, folder / name)
        for phase in range(CASES[name][0]):
            workdir = folder / f'{name}_{phase}'
            at, found = killed(name, workdir, phase * PHASE + PHASE // 2)
            good.append(not kills.differs(want, found))
            kills.row(name, phase, at, kills.differs(want, found) or 'equal')
    print(f'{sum(good)} of {len(good)} end equal')
    sys.exit(not all(good))


if __name__ == '__main__':
    app.run(main)
