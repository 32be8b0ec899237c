"""The launcher with children that do nothing but end in one way or the other; one real run."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import methods
import pytest
from command_line import ENVIRONMENT, finish, launch

from gan_jax.errors import UserError
from gan_jax.runtime import launcher

CPU = {'JAX_PLATFORMS': 'cpu'}

# Each case in a fork of its own. What the children run is told their place by flags.
SERVER = """
import json, os, sys
from gan_jax.runtime import launcher

launcher.MOMENT = 1
for line in sys.stdin:
    child, num, restarts, log = json.loads(line)
    pid = os.fork()
    if not pid:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
        os.dup2(os.open(log + '.out', os.O_WRONLY | os.O_CREAT), 1)
        os.setsid()
        command = [sys.executable, '-Sc', child]
        os._exit(launcher.launch(command, [dict(os.environ)] * num, restarts, pause=0.01))
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
HEAD = """
import os, signal, sys, time
index = int(sys.argv[-1].partition('=')[2]) if len(sys.argv) > 1 else 0
def say(text):
    os.write(2, (text + chr(10)).encode())
"""


class Started:
    """A case that runs."""

    def __init__(self, server, log):
        self._server, self._log = server, log
        self.pid = int(server.stdout.readline())

    def said(self):
        return self._log.read_text()

    def wait_for(self, words):
        while words not in self.said():
            time.sleep(0.01)

    def end(self):
        return int(self._server.stdout.readline()), self.said()


@pytest.fixture(scope='module')
def server():
    process = subprocess.Popen(
        [sys.executable, '-c', SERVER], cwd=methods.ROOT, env=ENVIRONMENT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def start(server, tmp_path):
    """(what each child does, how many, restarts) -> the launcher, started."""

    def start(child, num=2, restarts=0):
        log = tmp_path / 'log'
        log.touch()
        server.stdin.write(json.dumps([HEAD + child, num, restarts, str(log)]) + '\n')
        server.stdin.flush()
        return Started(server, log)

    return start


@pytest.mark.parametrize('code', [0, 1, 2, 3, 75])
def test_the_code_of_all_is_the_launchers(start, code):
    assert start(f'os._exit({code})').end() == (code, '')


def test_the_first_ones_lines_pass_and_the_others_once_with_their_number(start, tmp_path):
    code, said = start(
        "say('04:05:06 the same'); say('of %d' % index); print(index); time.sleep(0.1)"
    ).end()
    assert (tmp_path / 'log.out').read_text() == '0\n'
    assert code == 0
    assert said.splitlines() == ['04:05:06 the same', 'of 0', 'process 1: of 1']


def test_one_that_dies_is_named_and_ends_the_others(start):
    began = time.monotonic()
    code, said = start(
        'if index == 1: os.kill(os.getpid(), 9)\n'
        'signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'
    ).end()
    assert code == 76
    assert said.startswith('gan_jax: process 1 (pid ')
    assert said.endswith(
        ') was killed by SIGKILL, and the others were ended; start all again, and they go on from '
        'the last checkpoint\n'
    )
    assert time.monotonic() - began < 20


def test_the_code_is_that_of_the_failure_and_not_of_what_it_caused(start):
    code, said = start("say('gan_jax: why' if index else ''); os._exit(2 if index else 76)").end()
    assert code == 2
    assert 'process 1: gan_jax: why\n' in said


@pytest.mark.parametrize(('end', 'code'), [('os.kill(os.getpid(), 9)', 76), ('os._exit(3)', 3)])
@pytest.mark.parametrize('num', [1, 2])
def test_what_died_is_started_again_so_often(start, tmp_path, end, code, num):
    child = f"open('{tmp_path}/starts', 'a').write('x' * (index == 0)); {end}"
    result, said = start(child, num=num, restarts=2).end()
    assert result == code
    assert (tmp_path / 'starts').read_text() == 'xxx'
    assert 'starts all again from the last checkpoint in 0.01 s (restart 1 of 2)' in said
    assert 'in 0.02 s (restart 2 of 2)' in said


@pytest.mark.parametrize('code', [0, 1, 2, 75, 143])
def test_what_would_come_to_the_same_is_not_started_again(start, tmp_path, code):
    child = f"open('{tmp_path}/starts', 'a').write('x'); os._exit({code})"
    assert start(child, num=1, restarts=2).end() == (code, '')
    assert (tmp_path / 'starts').read_text() == 'x'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_all_and_ends_the_restarts(start, number):
    child = (
        f'signal.signal({int(number)}, lambda *_: (say("heard by %d" % index), os._exit(75)))\n'
        'say("ready %d" % index); time.sleep(60)'
    )
    run = start(child, restarts=3)
    run.wait_for('process 1: ready 1')
    os.kill(run.pid, number)
    code, said = run.end()
    assert code == 75
    assert 'heard by 0' in said
    assert 'process 1: heard by 1' in said


def test_a_signal_before_a_process_can_hear_it_is_no_death(start):
    run = start('say("ready %d" % index); time.sleep(60)', restarts=3)
    run.wait_for('process 1: ready 1')
    os.kill(run.pid, signal.SIGTERM)
    code, said = run.end()
    assert code == 143
    assert said.endswith(') was ended by SIGTERM at its start\n')
    assert 'start all again' not in said


def test_virtual_devices_are_added_to_what_xla_is_told():
    environment = {**CPU, 'XLA_FLAGS': '--xla_a=1 --xla_force_host_platform_device_count=8'}
    assert (
        launcher.environments_of(2, 4, environment)
        == [{**CPU, 'XLA_FLAGS': '--xla_a=1 --xla_force_host_platform_device_count=4'}] * 2
    )
    assert launcher.environments_of(1, None, environment) == [environment]


def test_each_process_has_gpus_of_its_own(monkeypatch):
    monkeypatch.setattr(launcher.importlib.util, 'find_spec', lambda name: name)
    four = {'CUDA_VISIBLE_DEVICES': '4,5,6,7'}

    def slices(num, devices):
        of_all = launcher.environments_of(num, devices, four)
        return [x['CUDA_VISIBLE_DEVICES'] for x in of_all]

    assert slices(2, None) == ['4,5', '6,7']
    assert slices(3, 1) == ['4', '5', '6']
    with pytest.raises(UserError, match='--processes=2 of 3 devices each need 6 GPUs and there'):
        slices(2, 3)


@pytest.mark.parametrize(
    ('words', 'line'),
    [
        (['--processes=0'], 'flag --processes=0: 0 is not an integer in the range [1, 1024]'),
        (['--processes=x'], "flag --processes=x: invalid literal for int() with base 10: 'x'"),
        (['--processes=2', '--process_id=1'], '--process_id=1 and --processes exclude each other; '
         'leave one of them out'),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(capfd, words, line):
    with pytest.raises(SystemExit) as end:
        launcher.start_if_asked(['launch.py', '--config=x', *words])
    assert end.value.code == 2
    assert capfd.readouterr().err == f'gan_jax: {line}\n'


def test_other_command_lines_are_left_alone():
    launcher.start_if_asked(['launch.py', '--config=configs/dcgan.py', '--config.steps=3'])


def test_the_rest_of_the_command_line_is_handed_on(monkeypatch):
    calls = []
    monkeypatch.setattr(launcher, 'launch', lambda *arguments: calls.append(arguments) or 0)
    words = ['launch.py', '--config', 'x.py', '--max_restarts=2', '--config.a=1', '--mode=sample']
    with pytest.raises(SystemExit):
        launcher.start_if_asked(words)
    ((command, environments, restarts),) = calls
    assert command[1:] == ['launch.py', '--config', 'x.py', '--config.a=1', '--mode=sample']
    assert (len(environments), restarts) == (1, 2)


@pytest.mark.parametrize('words', [['--workdir', 'sweep'], ['--workdir', 'process_id']])
def test_a_value_is_no_flag(monkeypatch, words):
    calls = []
    monkeypatch.setattr(launcher, 'launch', lambda *arguments: calls.append(arguments) or 0)
    with pytest.raises(SystemExit) as end:
        launcher.start_if_asked(['launch.py', '--processes=2', *words])
    assert end.value.code == 0
    assert calls[0][0][1:] == ['launch.py', *words]


RUN = (
    '--config=configs/ring8.py', '--config.steps_per_dispatch=1', '--config.batch_size=8',
    '--config.generator.width=4', '--config.discriminator.width=4', '--config.num_samples=4',
    '--config.sample_every=0', '--config.log_every=10', '--config.checkpoint_every=50',
)  # fmt: skip


def reached(workdir):
    """The last step of the log."""
    file = workdir / 'metrics.jsonl'
    lines = file.read_text().splitlines() if file.exists() else []
    return json.loads(lines[-1])['step'] if lines else 0


def child_of(launched):
    """The process id of the one child."""
    (child,) = (
        pathlib.Path(f'/proc/{launched.pid}/task/{launched.pid}/children').read_text().split()
    )
    return int(child)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_one_that_is_stopped_says_so_by_its_code(tmp_path):
    run = launch(*RUN, '--config.steps=100000', '--max_restarts=1', '--requeue',
                 f'--workdir={tmp_path}')  # fmt: skip
    while not (tmp_path / 'checkpoints' / '50').exists():
        time.sleep(0.02)
    os.kill(child_of(run), signal.SIGKILL)
    killed = reached(tmp_path)
    while reached(tmp_path) < killed + 20:
        time.sleep(0.02)
    run.terminate()
    code, said = finish(run)
    assert code == 75
    assert 'was killed by SIGKILL; start all again' in said
    assert 'starts all again from the last checkpoint in 1 s (restart 1 of 1)' in said
    assert 'goes on from step ' in said
    assert 'SIGTERM: saved at step ' in said


@pytest.mark.slow
def test_what_the_launcher_started_saves_and_ends_when_it_is_killed(tmp_path):
    run = launch(*RUN, '--config.steps=100000', '--processes=1', f'--workdir={tmp_path}')
    while not reached(tmp_path):
        time.sleep(0.02)
    run.kill()
    assert 'SIGTERM: saved at step ' in finish(run)[1]
