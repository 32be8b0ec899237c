import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import stand_ins

from gan_jax.errors import UserError
from gan_jax.runtime import lock
from gan_jax.sweeps import trials
from gan_jax.sweeps.trials import FAILED, FINISHED, RUNNING, STOPPED, WAITING, Outcome


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(trials, 'PAUSE', 0.05)
    monkeypatch.setattr(trials, 'LOOK', 0.02)


def make(tmp_path, code, **options):
    return stand_ins.trial(tmp_path, code, **options)


def test_a_trial_is_finished_when_its_checkpoint_is_and_not_begun_again(tmp_path):
    trial = make(tmp_path, 'save(5); print("done")')
    assert trials.state(trial) == WAITING
    assert trials.run(trial) == Outcome(FINISHED, 0, '', 1)
    assert trials.run(trial) == Outcome(FINISHED, 0, '', 1)
    assert stand_ins.starts(trial) == 1
    assert (trial.workdir / 'log.txt').read_text() == 'done\n'
    assert json.loads((trial.workdir / 'trial.json').read_text()) == {
        'name': 'a=1', 'overrides': {'a': 1}, 'steps': 5,
        'state': 'finished', 'code': 0, 'line': '', 'attempts': 1,
    }  # fmt: skip


def test_with_more_steps_it_goes_on(tmp_path):
    trial = make(tmp_path, 'save(5 * starts)')
    trials.run(trial)
    more = trial._replace(steps=10)
    assert trials.state(more) == WAITING
    assert trials.run(more) == Outcome(FINISHED, 0, '', 2)


def test_another_number_of_steps_takes_the_place_of_the_first(tmp_path):
    trial = make(tmp_path, '')._replace(command=('x', '--config.steps=5', '--config.a=1'))
    more = trial.until(7)
    assert more.command == ('x', '--config.a=1', '--config.steps=7')
    assert (more.steps, more.name) == (7, trial.name)


def test_what_breaks_once_is_tried_again(tmp_path):
    trial = make(tmp_path, 'save(5) if starts == 2 else fail("gan_jax: no space", 3)')
    assert trials.run(trial) == Outcome(FINISHED, 0, '', 2)
    assert (trial.workdir / 'log.txt').read_text() == 'gan_jax: no space\n'


@pytest.mark.parametrize('retries', [0, 2])
def test_what_always_breaks_is_given_up(tmp_path, retries):
    trial = make(tmp_path, 'print("Traceback"); fail(f"KeyError: {starts}", 1)')
    found = trials.run(trial, retries)
    assert found == Outcome(FAILED, 1, f'KeyError: {retries + 1}', retries + 1)
    assert trials.outcome(trial) == found
    assert trials.run(trial, 0).attempts == retries + 2  # another start of the sweep


def test_what_was_killed_says_by_what(tmp_path):
    trial = make(tmp_path, 'print("at work", flush=True); os.kill(os.getpid(), 9)')
    assert trials.run(trial, 0).line == 'killed by SIGKILL; its last line: at work'


def test_a_mistake_is_not_retried_but_by_the_next_start(tmp_path):
    trial = make(tmp_path, 'fail("gan_jax: no such data", 2)')
    assert trials.run(trial, 3) == Outcome(FAILED, 2, 'gan_jax: no such data', 1)
    assert trials.run(trial, 3).attempts == 2


def test_what_diverged_is_not_begun_again(tmp_path):
    trial = make(tmp_path, 'fail("gan_jax: step 3: loss not finite\\nbye", 1)')
    found = trials.run(trial, 3)
    assert found == Outcome(FAILED, 1, 'gan_jax: step 3: loss not finite', 1)
    assert trials.run(trial, 3) == found
    assert stand_ins.starts(trial) == 1


def test_what_was_stopped_from_outside_goes_on(tmp_path):
    trial = make(tmp_path, 'save(starts * 3)')
    assert trials.run(trial, 0) == Outcome(STOPPED, 0, 'ended at step 3 of 5', 1)
    assert trials.run(trial, 0) == Outcome(FINISHED, 0, '', 2)


def test_what_a_signal_ends_before_it_listens_was_stopped_and_has_not_failed(tmp_path):
    trial = make(tmp_path, 'signal.raise_signal(signal.SIGTERM)')
    assert trials.run(trial, 0) == Outcome(STOPPED, -15, 'ended at step 0 of 5', 1)


def test_of_each_trial_that_is_not_finished_a_line_says_why(tmp_path):
    waiting = make(tmp_path, '')
    running = waiting._replace(workdir=tmp_path / 'b', name='b')
    running.workdir.mkdir()
    (running.workdir / 'trial.json').write_text('{"state": "running"}')
    with (running.workdir / 'trial.lock').open('ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(trials.Unfinished) as error:
            trials.conclude([waiting, running])
    assert str(error.value).splitlines() == [
        f'a=1 waiting: it was not started ({waiting.workdir}/log.txt)',
        f'b running: how it ended is not known ({running.workdir}/log.txt)',
    ]


LISTENS = """
def stop(number, frame):
    save(starts)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
(workdir / 'ready').touch()
time.sleep(60)
"""


def wait_for(file):
    end = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_stop_has_the_command_save_and_starts_none(tmp_path):
    trial, stop = make(tmp_path, LISTENS), threading.Event()
    threading.Thread(target=lambda: (wait_for(trial.workdir / 'ready'), stop.set())).start()
    assert trials.run(trial, stop=stop) == Outcome(STOPPED, 0, 'ended at step 1 of 5', 1)
    assert trials.run(trial, stop=stop).state == STOPPED
    assert stand_ins.starts(trial) == 1


def test_the_command_keeps_to_its_devices(tmp_path):
    code = "save(5); print(os.sched_getaffinity(0), os.environ['DEVICES'])"
    trial = make(tmp_path, code)
    core = min(os.sched_getaffinity(0))
    trials.run(trial, cores=[core], environment={'DEVICES': '3'})
    assert (trial.workdir / 'log.txt').read_text() == f'{{{core}}} 3\n'


def test_a_trial_that_another_process_has_is_waited_for(tmp_path):
    trial = make(tmp_path, 'save(5)')
    trial.workdir.mkdir(parents=True)
    found = []
    with open(trial.workdir / 'trial.lock', 'ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: found.append(trials.run(trial)))
        thread.start()
        thread.join(0.3)
        assert not found
        assert stand_ins.starts(trial) == 0
    thread.join(60)
    assert found == [Outcome(FINISHED, 0, '', 1)]


def test_a_work_directory_in_use_is_no_failure(tmp_path):
    """Where there are no locks of ours launch.py itself says so; that is waited for, too."""
    with (
        lock.alone(tmp_path / 'x'),
        pytest.raises(UserError) as error,
        lock.alone(tmp_path / 'x'),
    ):
        pass
    assert trials.HELD in str(error.value)
    said = f'gan_jax: {trials.HELD} x; wait'
    trial = make(tmp_path, f'save(5) if starts == 3 else fail({said!r}, 2)')
    assert trials.run(trial, 0) == Outcome(FINISHED, 0, '', 1)


LAUNCHER = """
import sys
from gan_jax.sweeps import trials
import stand_ins
trials.run(stand_ins.trial(sys.argv[1], sys.argv[2]))
"""


def killed_launcher(tmp_path, code):
    """A trial whose launcher was killed while the command ran, and the command's process id."""
    trial = make(tmp_path, code)
    path = os.pathsep.join([*sys.path, str(pathlib.Path(stand_ins.__file__).parent)])
    launcher = subprocess.Popen(
        [sys.executable, '-c', LAUNCHER, str(tmp_path), code],
        env={**os.environ, 'PYTHONPATH': path},
    )
    wait_for(trial.workdir / 'ready')
    assert trials.state(trial) == RUNNING
    launcher.kill()
    launcher.wait()
    return trial


def test_a_command_ends_with_its_launcher(tmp_path):
    trial = killed_launcher(tmp_path, LISTENS)
    wait_for(trial.workdir / 'checkpoints' / '1')
    end = time.monotonic() + 60
    while trials.state(trial) == RUNNING:  # until it let go of the lock
        assert time.monotonic() < end
    assert trials.state(trial) == STOPPED


def test_what_is_left_of_a_launcher_is_not_run_beside(tmp_path):
    """It takes its time to save; the second launcher waits, and finds it finished."""
    slow = LISTENS.replace('save(starts)', 'time.sleep(1); save(5)')
    trial = killed_launcher(tmp_path, slow)
    assert trials.run(trial) == Outcome(FINISHED, None, '', 1)
    assert stand_ins.starts(trial) == 1


def test_a_damaged_record_is_none(tmp_path):
    trial = make(tmp_path, 'save(5)')
    trial.workdir.mkdir(parents=True)
    for text in ('{"sta', '[1]', ''):
        (trial.workdir / 'trial.json').write_text(text)
        assert trials.outcome(trial) == Outcome(WAITING, None, '', 0)


def test_an_engine_ends_with_a_line_for_each_that_is_not_finished(tmp_path):
    good = make(tmp_path, 'save(5)', name='good')
    bad = make(tmp_path, 'fail("gan_jax: no data", 2)', name='bad')
    trials.run(good)
    trials.conclude([good])
    trials.run(bad)
    none = make(tmp_path, '', name='none')
    with pytest.raises(trials.Unfinished) as error:
        trials.conclude([good, bad, none])
    log = tmp_path / 'bad' / 'log.txt'
    assert str(error.value).splitlines() == [
        f'bad failed: no data ({log})',
        f'none waiting: it was not started ({tmp_path / "none" / "log.txt"})',
    ]


def test_a_step_that_is_not_whole_does_not_count(tmp_path):
    trial = make(tmp_path, '')
    for name in ('3', '5.orbax-checkpoint-tmp-7', 'damaged_9'):
        (trial.workdir / 'checkpoints' / name).mkdir(parents=True)
    assert trials.newest_step(trial) == 3


def test_signals_have_numbers():
    assert trials.Interrupted('SIGTERM').number == signal.SIGTERM
