import os
import signal
import sys
import threading
import types

import pytest
from stand_ins import starts, trial

from benchmarks import sweep_engines
from gan_jax.errors import UserError
from gan_jax.sweeps import engines
from gan_jax.sweeps import trials as trials_lib
from gan_jax.sweeps.engines import Options

NAME = 'gan_jax.sweeps.engines.slurm'
SBATCH = """#!/bin/sh
cp "$1" {folder}/script
echo Submitted batch job 7
"""
# It saves at SIGTERM, and then says which signals it does not hear of.
WAITS = """
def end(*_):
    save(2)
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    fail(f'gan_jax: stopped, SIGUSR2 held: {signal.SIGUSR2 in held}', 75)
signal.signal(signal.SIGTERM, end)
save(1)
time.sleep(9)
"""


@pytest.fixture
def module(monkeypatch):
    """The engine on a fake of submitit that runs nothing."""
    fake = types.ModuleType('submitit')
    fake.helpers = types.SimpleNamespace(DelayedSubmission=lambda *arguments: arguments)
    monkeypatch.setitem(sys.modules, 'submitit', fake)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    handler = signal.getsignal(signal.SIGTERM)
    engines.find('slurm')
    yield sys.modules[NAME]
    sys.modules.pop(NAME, None)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """SLURM's commands; what is written to the file `queue` is in its queue."""
    pytest.importorskip('submitit')
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    bin_ = tmp_path / 'bin'
    bin_.mkdir()
    queue = tmp_path / 'queue'
    queue.touch()
    scripts = {
        'sbatch': SBATCH.format(folder=tmp_path), 'srun': '', 'squeue': f'#!/bin/sh\ncat {queue}\n',
        'sacct': '#!/bin/sh\necho "JobID|State"\n',
    }  # fmt: skip
    for name, text in scripts.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{bin_}{os.pathsep}{os.environ["PATH"]}')
    return tmp_path


def submit(cluster, *words):
    engine = engines.find('slurm')
    trials = [trial(cluster / 'sweep', 'save(5)', f'a={i}') for i in range(4)]
    trials_lib.run(trials[1])  # finished, and so no job
    engine.__globals__['Interrupt'] = Interrupted
    words = (f'folder={cluster / "jobs"}', *words)
    try:
        with pytest.raises(trials_lib.Interrupted):
            engine(trials, Options(slots=2, words=words))
    finally:
        sys.modules.pop(NAME, None)


class Interrupted:
    """An Interrupt to which Ctrl-C came at once."""

    name = 'SIGINT'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_the_script_is_an_array_job_that_is_queued_again(cluster):
    submit(cluster, 'partition=gpu', 'gpus_per_node=2', 'timeout_min=90', 'exclusive=true')
    script = (cluster / 'script').read_text().splitlines()
    options = {x.removeprefix('#SBATCH --') for x in script if x.startswith('#SBATCH')}
    assert {
        'array=0-2%2', 'requeue', 'signal=USR2@90', 'job-name=sweep', 'partition=gpu',
        'gpus-per-node=2', 'time=90', 'exclusive',
    } <= options  # fmt: skip


def test_a_sweep_that_is_in_the_queue_is_not_submitted_again(cluster):
    (cluster / 'queue').write_text('7_[0-2%2]\n')
    with pytest.raises(UserError, match='1 jobs named sweep are in the queue already; wait for'):
        submit(cluster)
    assert not (cluster / 'script').exists()


def test_an_option_that_submitit_does_not_know_is_a_line(cluster):
    with pytest.raises(UserError, match=r"^--sweep=slurm: Unknown argument 'gpu' for executor"):
        engines.find('slurm')(
            [trial(cluster / 'sweep', '')],
            Options(words=('gpu=1', f'folder={cluster / "jobs"}')),
        )


@pytest.mark.parametrize(
    ('words', 'line'),
    [
        ((), r'finds no SLURM \(no sbatch on the path\)'),
        (('cluster=local', 'nodes=2'), 'nodes is not read by --sweep=slurm, where a trial is one'),
    ],
)
def test_a_mistake_is_a_line(module, words, line, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(UserError, match=line):
        module.run([trial(tmp_path, '')], Options(words=words))


def test_a_job_runs_its_trial(module, tmp_path):
    one = trial(tmp_path, 'save(5)')
    assert module.Job(1)(one).state == 'finished'


def test_a_job_that_must_give_way_saves_and_is_queued_again(module, tmp_path):
    one = trial(tmp_path, WAITS)
    job = module.Job(0)
    given = []
    before = signal.signal(signal.SIGUSR2, lambda *_: given.append(job.checkpoint(one)))
    try:
        tell = threading.Timer(0, when_saved, args=(one, signal.SIGUSR2))
        tell.start()
        assert job(one).state == 'stopped'
        tell.join()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert trials_lib.newest_step(one) == 2
    assert starts(one) == 1
    assert 'SIGUSR2 held: True' in (one.workdir / 'log.txt').read_text()
    [(again, same)] = given
    assert (again._retries, same) == (0, one)


def test_a_job_that_is_ended_saves_and_says_that_it_may_run_again(module, tmp_path):
    one = trial(tmp_path, WAITS)
    tell = threading.Timer(0, when_saved, args=(one, signal.SIGTERM))
    tell.start()
    with pytest.raises(SystemExit) as caught:
        module.Job(0)(one)
    tell.join()
    assert caught.value.code == 75
    assert trials_lib.newest_step(one) == 2


def when_saved(one, number):
    """Sends this process a signal once the trial has a checkpoint."""
    while trials_lib.newest_step(one) < 1:
        threading.Event().wait(0.02)
    os.kill(os.getpid(), number)


@pytest.mark.slow
def test_submitits_own_executor_runs_a_sweep(tmp_path):
    pytest.importorskip('submitit')
    trials = sweep_engines.stand_ins(tmp_path, num=4)
    sweep_engines.slurm(trials)
    states = [trials_lib.state(x) for x in trials]
    assert states == ['finished', 'finished', 'finished', 'failed']
    first, second, third, fourth = map(sweep_engines.starts, trials)
    assert (second, third, fourth) == ([0], [0], [0, 10])
    assert first[0] == 0
    assert 2 <= first[1] <= 8  # from where it was when it was told to give way
