"""The engines' names, and those that need no cluster."""

import os
import pathlib
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest
import stand_ins

from gan_jax.errors import UserError
from gan_jax.sweeps import engines, slots, trials
from gan_jax.sweeps.engines import Options, local, printed


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(trials, 'PAUSE', 0.05)
    monkeypatch.setattr(trials, 'LOOK', 0.02)
    monkeypatch.setattr(local, 'LOOK', 0.02)


def test_engines_are_found_by_name():
    assert {'local', 'print'} <= {*engines.names()}
    assert engines.find('print') is printed.run
    assert engines.find('local') is local.run
    with pytest.raises(UserError, match='--sweep=locla is no engine; did you mean --sweep=local'):
        engines.find('locla')


def test_what_an_engine_needs_is_said(monkeypatch, tmp_path):
    (tmp_path / 'far.py').write_text('import no_such_module')
    monkeypatch.setattr(engines, '__path__', [*engines.__path__, str(tmp_path)])
    with pytest.raises(UserError) as error:
        engines.find('far')
    assert str(error.value) == "--sweep=far needs no_such_module; pip install 'gan_jax[far]'"


def test_commands_are_printed_as_a_shell_reads_them(tmp_path, capsys):
    first = stand_ins.trial(tmp_path, '')._replace(command=('python', '--a=(1, 2)', "it's"))
    second = first._replace(command=('python',))
    printed.run([first, second], Options())
    out = capsys.readouterr().out.splitlines()
    assert out == ["""python '--a=(1, 2)' 'it'"'"'s'""", 'python']
    assert shlex.split(out[0]) == [*first.command]


@pytest.fixture
def two_slots(monkeypatch):
    monkeypatch.setattr(slots, 'machine', lambda: slots.Machine('gpu', 2, 2))
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)


# Holds its devices while it runs: nobody else may have them.
HOLDS = """
device = workdir.parent / ('device_' + os.environ['CUDA_VISIBLE_DEVICES'])
device.mkdir()
time.sleep(0.4)
device.rmdir()
save(5)
"""


def test_each_trial_has_devices_of_its_own(tmp_path, two_slots):
    several = [stand_ins.trial(tmp_path, HOLDS, name=f'a={i}') for i in range(4)]
    local.run(several, Options(retries=0))
    assert [trials.outcome(x) for x in several] == [('finished', 0, '', 1)] * 4
    assert not [*tmp_path.glob('device_*')]


def test_when_the_table_breaks_the_trials_are_told_to_end(tmp_path, two_slots, monkeypatch):
    code = 'signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); time.sleep(60)'
    several = [stand_ins.trial(tmp_path, code, name=f'a={i}') for i in range(3)]

    def broken(table):
        raise RuntimeError('no table')

    monkeypatch.setattr(local.Table, 'show', broken)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match='no table'):
        local.run(several, Options(retries=0))
    assert time.monotonic() - start < 30
    assert 'finished' not in [trials.state(x) for x in several]


def test_one_failure_does_not_stop_the_rest(tmp_path, two_slots):
    bad = stand_ins.trial(tmp_path, 'fail("gan_jax: no data", 2)', name='bad')
    lost = stand_ins.trial(tmp_path, '', name='lost')
    lost.workdir.parent.mkdir(exist_ok=True)
    lost.workdir.write_text('a file in the place of the folder')
    good = [stand_ins.trial(tmp_path, 'save(5)', name=f'a={i}') for i in range(3)]
    with pytest.raises(trials.Unfinished) as error:
        local.run([bad, *good], Options())
    assert str(error.value) == f'bad failed: no data ({tmp_path / "bad" / "log.txt"})'
    with pytest.raises(OSError, match='File exists'):
        local.run([lost, *good], Options())
    assert [trials.state(x) for x in good] == ['finished'] * 3


def test_a_signal_has_all_trials_save_and_end(tmp_path, two_slots):
    code = """
def stop(number, frame):
    save(1)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
(workdir / 'ready').touch()
time.sleep(60)
"""
    several = [stand_ins.trial(tmp_path, code, name=f'a={i}') for i in range(3)]

    def interrupt():
        while not all((x.workdir / 'ready').exists() for x in several[:2]):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    with pytest.raises(trials.Interrupted) as error:
        local.run(several, Options())
    assert error.value.number == signal.SIGTERM
    assert [trials.state(x) for x in several] == ['stopped', 'stopped', 'waiting']
    assert [trials.newest_step(x) for x in several] == [1, 1, 0]


LAUNCHER = """
import sys
import stand_ins
from gan_jax.sweeps import trials
from gan_jax.sweeps.engines import Options, local
try:
    local.run(stand_ins.twelve(sys.argv[1]), Options(slots=1))
except trials.Unfinished as error:
    print(error)
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_runs_nothing_twice(tmp_path):
    """Twelve trials; one fails always, one once; the launcher is killed in their midst."""
    path = os.pathsep.join([*sys.path, str(pathlib.Path(stand_ins.__file__).parent)])
    command = [sys.executable, '-c', LAUNCHER, str(tmp_path)]
    environment = {**os.environ, 'PYTHONPATH': path}
    several = stand_ins.twelve(tmp_path)
    with subprocess.Popen(command, env=environment) as launcher:
        end = time.monotonic() + 120
        while sum(trials.state(x) == trials.FINISHED for x in several) < 6:
            assert time.monotonic() < end
            time.sleep(0.02)
        launcher.kill()
    before = {x.name: stand_ins.starts(x) for x in several if trials.state(x) == trials.FINISHED}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert again.stdout == f'a=0 failed: not finite ({tmp_path / "a=0" / "log.txt"})\n'
    assert [trials.state(x) for x in several] == ['failed', *['finished'] * 11]
    assert {x.name: stand_ins.starts(x) for x in several if x.name in before} == before
    assert stand_ins.starts(several[0]) == 1
    # The one that breaks once, and what ran when the launcher was killed.
    assert stand_ins.starts(several[1]) == 2
    assert sum(stand_ins.starts(x) for x in several[2:]) <= 11
